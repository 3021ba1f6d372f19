"""Images that differ from real ones in one thing."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from classifier.training.counterfactuals import Slice, insert_tumor, replace_by_mirrored, replace_elsewhere
from classifier.training.fold_check import erase_tumors
from classifier.training.heads import MirrorAxis, mirror_axis
from classifier.training.images import ImageSet
from classifier.training.manifest import read_manifest
from classifier.training.masks import radius_of
from classifier.training.skulls import add_skull, strip_skull

SIZE = 200


def disk(x, y, radius):
    picture = Image.new("L", (SIZE, SIZE))
    ImageDraw.Draw(picture).ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return np.asarray(picture)


def head(*, tumor=None, skull=True):
    picture = Image.new("L", (SIZE, SIZE))
    pen = ImageDraw.Draw(picture)
    if skull:
        pen.ellipse((30, 15, 170, 185), fill=220)
    pen.ellipse((42, 27, 158, 173), fill=90)
    for x in (80, 108):
        pen.ellipse((x, 85, x + 12, 115), fill=40)
    pixels = np.asarray(picture, np.float32) + np.random.default_rng(0).normal(0, 3, (SIZE, SIZE))
    if tumor is not None:
        pixels[disk(*tumor) > 0] = 200
    return np.clip(pixels, 0, 255).astype(np.uint8)


TUMOR = (65, 80, 12)


@pytest.fixture
def rng():
    return np.random.default_rng(3)


@pytest.fixture
def tumor():
    return Slice(head(tumor=TUMOR), disk(*TUMOR))


def test_a_tumor_is_replaced_by_the_tissue_of_the_other_half(tumor, rng):
    result = replace_by_mirrored(tumor.pixels, tumor.outline, axis=mirror_axis(tumor.pixels), rng=rng)
    inside = disk(*TUMOR) > 0
    assert tumor.pixels[inside].mean() > 190
    assert result[inside].mean() == pytest.approx(90, abs=8)
    far = disk(TUMOR[0], TUMOR[1], 30) == 0
    assert (result[far] == tumor.pixels[far]).mean() > 0.99


def test_a_tumor_on_the_midline_has_no_other_half(rng):
    pixels = head(tumor=(100, 120, 12))
    assert replace_by_mirrored(pixels, disk(100, 120, 12), axis=mirror_axis(pixels), rng=rng) is None


def test_a_head_that_is_not_symmetric_is_not_changed(tumor, rng):
    assert replace_by_mirrored(tumor.pixels, tumor.outline, axis=MirrorAxis(0, 0, 0.5), rng=rng) is None


def test_a_seam_elsewhere_leaves_the_tumor(tumor):
    axis, shape = mirror_axis(tumor.pixels), disk(100, 100, 8)
    made = [replace_elsewhere(tumor, shape=shape, axis=axis, rng=np.random.default_rng(seed)) for seed in range(12)]
    made = [pixels for pixels in made if pixels is not None]
    assert made
    for pixels in made:
        assert (pixels[disk(*TUMOR) > 0] == tumor.pixels[disk(*TUMOR) > 0]).all()
        assert (pixels != tumor.pixels).any()


def test_an_inserted_tumor_can_be_seen_where_its_outline_says(tumor):
    host = head()
    for seed in range(20):
        part = insert_tumor(host, tumor, rng=np.random.default_rng(seed))
        if part is None:
            continue
        inside = part.outline > 0
        assert 0 < inside.mean() < 0.2
        change = np.abs(part.pixels.astype(int) - host)
        assert change[inside].mean() > 3 * change[~inside].mean()
        assert radius_of(part.outline) > 2


def test_nothing_is_inserted_without_an_outline(rng):
    assert insert_tumor(head(), Slice(head(tumor=TUMOR)), rng=rng) is None


def test_a_stripped_skull_leaves_the_brain_and_the_tumor(tumor, rng):
    part = strip_skull(tumor, rng=rng)
    assert part.pixels[100, 34] < 60 < tumor.pixels[100, 34]
    assert (part.pixels[disk(*TUMOR) > 0] > 150).all()
    assert part.outline.sum() == tumor.outline.sum()


def test_a_skull_is_not_stripped_with_a_tumor_on_it(rng):
    edge = (38, 100, 8)
    assert strip_skull(Slice(head(tumor=edge), disk(*edge)), rng=rng) is None


def test_a_stripped_brain_gets_the_skull_of_another_head(rng):
    brain = Slice(head(tumor=TUMOR, skull=False), disk(*TUMOR))
    part = add_skull(brain, host=head(), rng=rng)
    assert part.pixels[100, 34] == head()[100, 34]
    moved = part.outline > 0
    assert part.pixels[moved].mean() > part.pixels[~moved & (part.pixels > 20)].mean()


def test_tumors_of_a_test_fold_are_taken_out_of_slices_with_an_outline_only(tumor, data):
    outlined, boxed = [
        replace(row, outline=outline, use="")
        for row, outline in zip(read_manifest(data)[:2], (Path("outline.png"), None), strict=True)
    ]
    pixels = np.stack([tumor.pixels, tumor.pixels])
    images = ImageSet((outlined, boxed), pixels, outlines={0: tumor.outline, 1: tumor.outline})
    originals, erased = erase_tumors(images)
    inside = disk(*TUMOR) > 0
    assert [row.image for row in originals.rows] == [row.image for row in erased.rows] == [outlined.image]
    assert {(row.true_label, row.source, row.use) for row in erased.rows} == {("notumor", "erased", "check")}
    assert originals.pixels[0][inside].mean() > 190
    assert erased.pixels[0][inside].mean() == pytest.approx(90, abs=8)
