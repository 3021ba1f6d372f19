import io

import numpy as np
import pytest
from PIL import Image

from classifier.inference.registry import SaliencyScale
from classifier.inference.saliency import MAX_SIDE, class_evidence, overlay_png

SCALE = SaliencyScale(floor=1.0, ceiling=5.0)


@pytest.fixture
def maps():
    """Evidence for a glioma at one place, upper right."""
    maps = np.zeros((10, 10, 4), np.float16)
    maps[2, 7, 0] = 20
    return maps


def opened(png):
    picture = Image.open(io.BytesIO(png))
    assert picture.mode == "RGBA"
    return np.asarray(picture)


def test_evidence_is_where_it_was_seen(maps):
    evidence = class_evidence(maps, 0, scale=SCALE)
    assert np.unravel_index(evidence.argmax(), evidence.shape) == (2, 7)
    assert evidence.max() == 1.0
    assert evidence.sum() == 1.0


def test_weak_evidence_is_drawn_weakly(maps):
    strong, weak = class_evidence(maps, 0, scale=SCALE), class_evidence(maps / 8, 0, scale=SCALE)
    assert 0 < weak.max() < 0.5 < strong.max()


def test_what_speaks_for_all_findings_alike_is_no_evidence(maps):
    lifted = maps + np.random.default_rng(0).normal(size=(10, 10, 1)) * 10
    assert class_evidence(lifted, 0, scale=SCALE) == pytest.approx(class_evidence(maps, 0, scale=SCALE), abs=1e-2)


@pytest.mark.parametrize(("width", "height"), [(299, 299), (640, 480), (50, 200), (1, 1)])
def test_the_overlay_has_the_size_of_the_image(maps, width, height):
    png = overlay_png(maps, finding="glioma", width=width, height=height, scale=SCALE)
    assert opened(png).shape == (height, width, 4)


def test_large_images_get_a_capped_overlay_of_the_same_proportions(maps):
    png = overlay_png(maps, finding="glioma", width=4000, height=2000, scale=SCALE)
    assert opened(png).shape == (MAX_SIDE // 2, MAX_SIDE, 4)


def test_opacity_follows_the_evidence(maps):
    alpha = opened(overlay_png(maps, finding="glioma", width=300, height=300, scale=SCALE))[..., 3]
    assert alpha[75, 225] > 100
    assert alpha[250, 50] == 0
    assert alpha.max() < 255


def test_a_map_without_evidence_is_transparent():
    png = overlay_png(np.ones((10, 10, 4)), finding="meningioma", width=64, height=64, scale=SCALE)
    assert opened(png)[..., 3].max() == 0


@pytest.mark.parametrize("finding", ["notumor", "stroke", ""])
def test_nothing_is_drawn_for_no_tumor(maps, finding):
    with pytest.raises(ValueError, match="Received"):
        overlay_png(maps, finding=finding, width=64, height=64)


def test_maps_of_another_shape_are_an_error():
    with pytest.raises(ValueError, match="Received"):
        class_evidence(np.zeros((10, 10, 3)), 0)
