"""Where evidence lies, in the picture's own terms."""

import numpy as np
import pytest

from classifier.assistant.place import evidence_place

# (row, column) of a map of 10 x 10 cells, and the words.
POSITIONS = {
    (0, 0): ("left", "upper"),
    (0, 5): ("middle", "upper"),
    (0, 9): ("right", "upper"),
    (5, 0): ("left", "middle"),
    (5, 5): ("middle", "middle"),
    (5, 9): ("right", "middle"),
    (9, 0): ("left", "lower"),
    (9, 5): ("middle", "lower"),
    (9, 9): ("right", "lower"),
}


def evidence(*cells, side: int = 10) -> np.ndarray:
    values = np.zeros((side, side), np.float32)
    for row, column, value in cells:
        values[row, column] = value
    return values


@pytest.mark.parametrize(("cell", "words"), POSITIONS.items())
def test_every_position_has_its_words(cell, words):
    place = evidence_place(evidence((*cell, 0.9)))
    (area,) = place.areas
    assert (area.side, area.height) == words
    assert place.names_side is (words[0] != "middle")
    assert place.extent == pytest.approx(0.01)


@pytest.mark.parametrize("values", [evidence(), evidence((4, 4, 0.1))])
def test_faint_evidence_has_no_place(values):
    assert evidence_place(values) is None


@pytest.mark.parametrize(("peak", "strength"), [(0.2, "weak"), (0.5, "of medium strength"), (1.0, "strong")])
def test_strength_follows_the_peak(peak, strength):
    assert evidence_place(evidence((1, 1, peak))).strength == strength


def test_areas_are_connected_at_corners_and_the_strongest_comes_first():
    place = evidence_place(evidence((9, 9, 0.6), (0, 0, 0.9), (1, 1, 0.8), (2, 0, 0.7)))
    assert [(area.side, area.height) for area in place.areas] == [("left", "upper"), ("right", "lower")]
    assert place.extent == pytest.approx(0.04)


def test_a_mirrored_map_names_the_other_side():
    values = evidence((3, 1, 0.9), (4, 1, 0.8))
    (area,), (mirrored,) = evidence_place(values).areas, evidence_place(values[:, ::-1]).areas
    assert (area.side, mirrored.side) == ("left", "right")
    assert area.height == mirrored.height


def test_cells_much_weaker_than_the_strongest_belong_to_no_area():
    assert len(evidence_place(evidence((0, 0, 1.0), (9, 9, 0.3))).areas) == 1
