from dataclasses import replace

import numpy as np
import pytest

from classifier.training.augment import Augmentation, Warp
from classifier.training.batches import Batches, coverage, lesion_of, mixed, place_of
from classifier.training.images import load_images
from classifier.training.manifest import read_extra, read_manifest
from classifier.training.weights import sampling_weights

IDENTITY = Warp(96, (1, 0, 0, 0, 1, 0))


@pytest.fixture
def images(data):
    return load_images([*read_manifest(data), *read_extra(data)], size=96, outlines=True)


def test_every_label_gets_its_share(images):
    weights = sampling_weights(
        images.rows, shares={"glioma": 0.4, "meningioma": 0.1, "notumor": 0.2, "pituitary": 0.1, "tumor": 0.2}
    )
    share = {
        label: sum(w for row, w in zip(images.rows, weights, strict=True) if row.true_label == label)
        for label in ("glioma", "tumor")
    }
    assert weights.sum() == pytest.approx(1)
    assert share == pytest.approx({"glioma": 0.4, "tumor": 0.2})


def test_a_patient_with_many_slices_does_not_outweigh_the_others(images):
    first = images.rows[0]
    rows = (*(replace(first, group="many", image=str(i)) for i in range(9)), replace(first, group="one", image="x"))
    weights = sampling_weights(rows, shares={first.true_label: 1.0})
    assert weights[:9].sum() == pytest.approx(3 * weights[9])


def test_an_unbalanced_epoch_shows_every_image_once(images):
    batches = Batches(images, Augmentation(), 4, seed=1, balanced=False)
    per_epoch = len(images) // 4
    rng = np.random.default_rng(0)
    epochs = [
        [sample.index for step in range(first, first + per_epoch) for sample in batches._samples(step, rng=rng)]
        for first in (0, per_epoch)
    ]
    for drawn in epochs:
        assert len(set(drawn)) == len(drawn) == 4 * per_epoch
    assert list(epochs[0]) != list(epochs[1])


def test_a_step_always_gives_the_same_batch(images):
    batches = Batches(images, Augmentation(), 4, seed=1)
    for first, again in zip(batches.batch(7, size=64), batches.batch(7, size=64), strict=True):
        assert (first == again).all()


def test_a_mixture_shows_both_images_and_keeps_both_labels(images):
    plain = Batches(images, Augmentation(), 4, seed=1).batch(7, size=64)
    order = np.array([1, 2, 3, 0])
    inputs, allowed, places, lesions = mixed(plain, share=np.float32(0.75), order=order)
    unknown = (plain[3] < 0) | (plain[3][order] < 0)
    assert ((lesions < 0) == unknown).all()
    assert inputs[0] == pytest.approx(0.75 * plain[0][0] + 0.25 * plain[0][1], abs=1e-6)
    assert allowed.shape == (4, 2, 4)
    assert allowed[3, 1] == pytest.approx(0.25 * plain[1][0, 0])
    assert allowed.max(axis=2).sum(axis=1) == pytest.approx(1)
    assert places[0].sum() == pytest.approx(0.75 * plain[2][0].sum() + 0.25 * plain[2][1].sum(), abs=1e-6)


def test_mixing_is_repeated_with_its_step_and_changes_nothing_else(images):
    plain, first, again = (
        Batches(images, Augmentation(), 4, seed=1, mixup_alpha=mix).batch(7, size=64) for mix in (0.0, 0.4, 0.4)
    )
    assert (first[0] == again[0]).all()
    share = first[1][0, 0].max()
    assert 0 < share < 1
    assert first[1][:, 0] == pytest.approx(share * plain[1][:, 0])


def test_a_resumed_stream_goes_on_where_it_stopped(images):
    batches = Batches(images, Augmentation(), 3, seed=2)
    sizes = [64, 64, 96, 96]
    whole = list(batches.stream(start=0, sizes=sizes))
    rest = list(batches.stream(start=2, sizes=sizes))
    assert [batch[0].shape[1] for batch in whole] == sizes
    for expected, resumed in zip(whole[2:], rest, strict=True):
        assert (expected[0] == resumed[0]).all()


def test_a_box_becomes_its_cells(images):
    covered = coverage(images.outlines[0], warp=IDENTITY, cells=3)
    places = place_of(covered, label="glioma")
    assert places.shape == (3, 3, 4)
    assert places.sum() == pytest.approx(1)
    assert places[..., 0].argmax() == 0
    assert places[..., 1:].sum() == 0
    lesion = lesion_of(covered, label="glioma")
    assert lesion.shape == (3, 3, 1)
    assert lesion.max() == 1.0
    assert lesion.argmax() == covered.argmax()


def test_a_tumor_of_unknown_place_is_asked_for_no_place(images):
    assert coverage(images.outlines.get(len(images) - 1), warp=IDENTITY, cells=3) is None
    assert place_of(None, label="tumor", cells=3).sum() == 0
    assert (lesion_of(None, label="tumor", cells=3) == -1).all()


def test_an_image_without_a_tumor_holds_one_nowhere():
    assert (lesion_of(None, label="notumor", cells=3) == 0).all()


def test_a_tumor_of_unknown_kind_has_a_place_but_no_channel(images):
    covered = coverage(images.outlines[0], warp=IDENTITY, cells=3)
    assert place_of(covered, label="tumor").sum() == 0
    assert lesion_of(covered, label="tumor").max() == 1.0


def test_unreadable_images_are_skipped_and_counted(data, records, caplog):
    rows = read_manifest(data)
    (data / "broken.png").write_bytes(b"no image")
    broken = [replace(rows[0], file="broken.png"), replace(rows[1], file="missing.png")]
    images = load_images([*broken, *rows[2:5]], size=32)
    assert len(images) == 3
    assert len(images.skipped) == 2
    assert "missing.png" in caplog.text
    assert "2 of 5 images" in caplog.text


def test_mirrored_rows_are_mirrored(images):
    twin = images.pixels[80]
    assert np.abs(twin[:, ::-1].astype(int) - images.pixels[1]).max() == 0
