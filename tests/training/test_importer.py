import pytest
from PIL import Image, ImageOps

from classifier.training.importer import clusters, import_folder, make_folds
from classifier.training.manifest import ManifestError, read_manifest
from tests.training.conftest import draw_head


@pytest.fixture
def kaggle(tmp_path):
    """The public layout: ten heads of each finding, one with its mirror image on the other side."""
    for part, start in (("Training", 0), ("Testing", 7)):
        for number, label in enumerate(("glioma", "meningioma", "notumor", "pituitary")):
            for index in range(start, 10 if start else 7):
                draw_head(tmp_path / part / label / f"{index}.png", label=label, seed=1000 * number + 37 * index)
    source = tmp_path / "Training" / "glioma" / "3.png"
    ImageOps.mirror(Image.open(source)).save(tmp_path / "Testing" / "glioma" / "copy.png")
    (tmp_path / "Training" / "glioma" / "notes.txt").write_text("no image")
    return tmp_path


def test_mirrored_copies_share_a_group_and_a_fold(kaggle, tmp_path):
    rows = {row.image: row for row in read_manifest(import_folder(kaggle, pairs=tmp_path / "pairs.png").parent)}
    original, copy = rows["Training/glioma/3.png"], rows["Testing/glioma/copy.png"]
    assert (original.twin_group, original.group, original.fold) == (copy.twin_group, copy.group, copy.fold)
    assert (original.split, copy.split) == ("train", "test")
    assert len(rows) == 41
    assert Image.open(tmp_path / "pairs.png").size[0] > 100


def test_an_unknown_class_folder_stops(kaggle):
    (kaggle / "Training" / "stroke").mkdir()
    with pytest.raises(ManifestError, match="unknown label 'stroke'"):
        import_folder(kaggle)


def test_a_missing_folder_stops(tmp_path):
    with pytest.raises(ManifestError, match="does not exist"):
        import_folder(tmp_path)


def test_clusters_join_what_is_connected():
    assert clusters(5, [(0, 1, 1.0), (1, 4, 1.0)]) == [0, 0, 2, 3, 0]


def test_folds_balance_labels_and_keep_groups_whole():
    labels = ["glioma"] * 50 + ["notumor"] * 50
    groups = [index // 2 for index in range(100)]
    folds = make_folds(labels, groups=groups)
    assert all(folds[index] == folds[index + 1] for index in range(0, 100, 2))
    for label in ("glioma", "notumor"):
        counts = [sum(f == fold and name == label for f, name in zip(folds, labels, strict=True)) for fold in range(5)]
        assert counts == [10] * 5
