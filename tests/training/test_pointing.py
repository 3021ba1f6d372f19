import numpy as np
import pytest

from classifier.training.manifest import Row
from classifier.training.pointing import box_iou, box_mask, points_at


def row(label="glioma", box=(0.25, 0.75, 0.2, 0.2)):
    return Row("a", "a", False, label, label, "", "a", "g", "t", 0, box)


@pytest.fixture
def maps():
    maps = np.zeros((10, 10, 4))
    maps[7, 2, 0] = 10
    return maps


def test_evidence_in_the_box_is_a_hit(maps):
    assert points_at(row(), maps) is True
    assert points_at(row(box=(0.75, 0.25, 0.2, 0.2)), maps) is False


def test_only_the_findings_own_map_counts(maps):
    maps[1, 8, 3] = 99
    assert points_at(row(), maps) is True


def test_overlap_is_high_for_a_map_of_the_boxs_size(maps):
    maps[7:9, 2:4, 0] = 10
    assert box_iou(row(box=(0.3, 0.8, 0.2, 0.2)), maps) > 0.5
    assert box_iou(row(box=(0.8, 0.2, 0.2, 0.2)), maps) == 0


@pytest.mark.parametrize("other", [row(box=None), row(label="notumor")])
def test_images_without_a_box_do_not_count(maps, other):
    assert points_at(other, maps) is None
    assert box_iou(other, maps) is None


def test_masks_have_the_boxs_area():
    assert box_mask((0.5, 0.5, 0.5, 0.25), side=100).mean() == pytest.approx(0.125, abs=0.01)
