import numpy as np

from classifier.training.ood_images import FAR, NEAR, collect, corrupted, synthetic


def test_pictures_are_grey_images():
    pictures = synthetic()
    assert len({picture.family for picture in pictures}) >= 5
    for picture in pictures:
        assert picture.pixels.dtype == np.uint8
        assert picture.pixels.ndim == 2
        assert picture.kind == FAR


def test_missing_packages_are_named_and_the_rest_is_collected():
    pictures, missing = collect()
    assert len(pictures) >= len(synthetic())
    assert set(missing) <= {"skimage", "sklearn", "matplotlib", "pydicom", "nilearn"}
    assert any(picture.name.startswith("pydicom/CT_small") for picture in pictures)


def test_corrupted_images_are_near():
    pictures = corrupted([np.zeros((100, 120), np.uint8)])
    assert {picture.kind for picture in pictures} == {NEAR}
    assert min(min(picture.pixels.shape) for picture in pictures) >= 8
