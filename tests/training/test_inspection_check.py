"""Measuring the input check, on the sample images."""

from pathlib import Path

import matplotlib
import pytest

from classifier.services.sample import list_samples
from classifier.training.inspection_check import check_inspection
from classifier.training.manifest import Row

FONTS = (Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"),)


@pytest.fixture(scope="module")
def figures():
    samples = [entry for entry in list_samples() if entry.path.suffix == ".jpg"]
    rows = [
        Row(s.name, s.path.name, False, "glioma", "glioma", "", "samples", s.name, s.name, 0, folder=s.path.parent)
        for s in samples
    ]
    return check_inspection(rows, fonts=FONTS, count=9)


def test_every_kind_of_change_is_counted(figures):
    assert figures["images"] == 9
    assert figures["fonts"] == ["DejaVuSans"]
    for change in ("turned", "cropped", "marked"):
        assert sum(kind["images"] for kind in figures[change]["by_kind"].values()) == 9
    assert set(figures["turned"]["by_kind"]) == {"90 degrees", "180 degrees", "270 degrees"}


def test_changes_are_found_and_unchanged_samples_mostly_pass(figures):
    assert figures["turned"]["named"] > 0.8
    assert figures["marked"]["by_kind"]["text"]["named"] == 1
    assert figures["clean"]["warned"] < 0.3
    assert figures["processor_milliseconds_median"] > 0
