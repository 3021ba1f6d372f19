"""What is drawn for training: pairs that differ in the tumor alone, and nothing that only checks."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from classifier.training.draws import KINDS, Draws, Shares
from classifier.training.hospitals import read_data
from classifier.training.images import load_images
from classifier.training.protocols import make_split

NOTHING = dict.fromkeys((*KINDS, "seam", "strip", "skull"), 0.0)


@pytest.fixture
def images(data, hospitals_folder):
    everything = read_data([data, hospitals_folder])
    rows = (*make_split(everything, protocol="patient", validate=False).train,)
    return load_images(rows, size=96, outlines=True)


def drawn(images, count, **shares):
    return Draws(images, Shares(**NOTHING | shares)).draw(count, rng=np.random.default_rng(1))


def test_every_draw_is_full_and_holds_both_sides(images):
    samples = Draws(images).draw(64, rng=np.random.default_rng(0))
    assert len(samples) == 64
    labels = Counter(sample.label for sample in samples)
    assert labels["notumor"] > 10
    assert labels["tumor"] > 3
    assert {"glioma", "meningioma", "pituitary"} <= set(labels)


def test_no_check_image_is_drawn(images):
    samples = Draws(images).draw(400, rng=np.random.default_rng(0))
    assert {images.rows[sample.index].use for sample in samples} == {"", "train"}


def test_a_patient_pair_is_of_one_patient_and_sequence(images):
    samples = drawn(images, 20, patient=1.0)
    for tumor, healthy in zip(samples[::2], samples[1::2], strict=True):
        first, second = images.rows[tumor.index], images.rows[healthy.index]
        assert (first.group, first.sequence) == (second.group, second.sequence)
        assert (tumor.label, healthy.label) == ("glioma", "notumor")


def test_an_inserted_tumor_comes_with_its_host(images):
    samples = drawn(images, 20, inserted=1.0)
    assert {"tumor", "notumor"} == {sample.label for sample in samples}
    for host, made in pairwise(samples):
        if made.label == "tumor":
            assert host.index == made.index
            assert made.part.outline is not None
            assert (host.part.pixels != made.part.pixels).any()


def test_an_erased_tumor_becomes_an_image_without_one(images):
    samples = drawn(images, 40, erased=1.0)
    erased = [sample for sample in samples if sample.label == "notumor"]
    assert erased
    for sample in erased:
        assert images.rows[sample.index].true_label != "notumor"
        assert sample.part.outline is None


def test_a_seam_or_a_skull_changes_no_label(images):
    plain = drawn(images, 30, typed=1.0)
    changed = drawn(images, 30, typed=1.0, seam=1.0, strip=1.0)
    assert all(images.rows[sample.index].true_label == sample.label for sample in (*plain, *changed))
    assert any((sample.part.pixels != images.pixels[sample.index]).any() for sample in changed)


def test_a_set_without_tumors_of_other_hospitals_is_enough(data):
    split = make_split(read_data(data), protocol="patient")
    samples = Draws(load_images(split.train, size=96, outlines=True)).draw(16, rng=np.random.default_rng(0))
    assert len(samples) == 16
