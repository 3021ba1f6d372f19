import numpy as np
import pytest

from classifier.findings import FINDINGS
from classifier.inference.calibration import Calibration
from classifier.inference.registry import Thresholds
from classifier.training.hospital_check import HospitalCheck, originals_of
from classifier.training.manifest import ManifestError, Row
from classifier.training.outputs import Outputs


class Card:
    """The part of a card that decides."""

    calibration = Calibration()
    thresholds = Thresholds(0.7, notumor=0.7, tumor=0.9)
    ood = None


def row(source, patient, label, *, sequence="FLAIR", file="x.png"):
    true_label = "notumor" if label == "other_disease" else label
    return Row(file, file, False, label, true_label, "", source, patient, file, 5, sequence=sequence, use="check")


def outputs(*items):
    """Rows with the probability of a tumor that the network gives them, all of it to glioma."""
    rows = tuple(item for item, _ in items)
    logits = np.full((len(rows), len(FINDINGS)), -9.0, np.float32)
    for index, (_, p) in enumerate(items):
        logits[index, 0], logits[index, 2] = np.log(p), np.log(1 - p)
    blank = np.zeros((len(rows), 3), np.float32)
    return Outputs(rows, logits, blank, np.zeros((len(rows), 2, 2, 4), np.float16), blank)


@pytest.fixture
def check():
    items = [
        # Within each patient the tumor scores higher, but not between them.
        (row("lgg", "a", "glioma"), 0.4),
        (row("lgg", "a", "notumor"), 0.1),
        (row("lgg", "b", "glioma"), 0.95),
        (row("lgg", "b", "notumor"), 0.6),
        (row("volunteers", "c", "notumor"), 0.05),
        (row("volunteers", "d", "notumor"), 0.8),
        (row("sclerosis", "e", "other_disease"), 0.3),
        (row("erased", "f", "notumor", file="erased/7.png"), 0.2),
        (row("erased", "g", "notumor", file="erased/8.png"), 0.7),
    ]
    originals = outputs(
        (row("figshare", "f", "glioma", file="i/7.png"), 0.9), (row("figshare", "g", "glioma", file="i/8.png"), 0.6)
    )
    return HospitalCheck(Card, outputs(*items), originals=originals).figures()


def test_areas_within_patients_are_not_pooled_ones(check):
    [part] = check["sets"]
    assert (part["set"], part["images"], part["patients"], part["tumors"]) == ("lgg", 4, 2, 2)
    assert part["area_within"] == 1.0
    assert part["area"] == 0.75
    assert part["area_low"] <= part["area"] <= part["area_high"]
    assert (part["sensitivity"], part["specificity"]) == (0.5, 0.5)
    assert part["said_no_tumor_without"] == 0.5


def test_healthy_people_and_other_diseases_are_rows_of_their_own(check):
    rows = {part["set"]: part for part in check["without_tumor"]}
    assert set(rows) == {"volunteers", "sclerosis"}
    assert (rows["volunteers"]["label"], rows["volunteers"]["called_tumor"]) == ("healthy", 0.5)
    assert rows["sclerosis"]["label"] == "other_disease"


def test_erased_slices_are_compared_with_their_originals(check):
    erased = check["erased"]
    assert erased["pairs"] == 2
    assert erased["still_called_tumor"] == 0.5
    assert erased["original_called_tumor"] == 1.0
    assert erased["area"] == 0.75
    assert erased["lower_without"] == 0.5
    assert erased["probabilities"][0] == pytest.approx({"file": "erased/7.png", "with": 0.9, "without": 0.2}, abs=1e-3)


def test_erased_slices_count_in_no_other_figure(check):
    assert check["all"]["images"] == 7


def test_originals_are_found_by_name_and_never_mirrored():
    check = [row("erased", "f", "notumor", file="erased/7.png"), row("lgg", "a", "glioma")]
    original = Row("a", "i/7.jpg", True, "glioma", "glioma", "", "figshare", "g", "t", 0)
    [found] = originals_of(check, [original])
    assert (found.file, found.mirrored) == ("i/7.jpg", False)


def test_an_erased_slice_without_an_original_is_named():
    with pytest.raises(ManifestError, match=r"erased/7\.png has no original"):
        originals_of([row("erased", "f", "notumor", file="erased/7.png")], [])
