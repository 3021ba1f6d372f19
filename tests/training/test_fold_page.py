import math

from classifier.training.fold_page import fold_page

HOSPITALS = {
    "sets": [{"set": "gliomas", "sequence": "FLAIR", "area_within": 0.91}],
    "without_tumor": [{"set": "volunteers", "label": "healthy", "called_tumor": 0.02}],
    "all": {"sensitivity": 0.6, "specificity": 0.95},
    "erased": {"pairs": 90, "still_called_tumor": 0.1, "area": 0.96},
}
FIGURES = dict.fromkeys(
    (
        "glioma_recall",
        "meningioma_recall",
        "pituitary_recall",
        "notumor_recall",
        "other_scanner_tumor_sensitivity",
        "ece",
        "coverage",
        "selective_accuracy",
    ),
    0.5,
)


def fold(number, *, accuracy=0.9, elsewhere=HOSPITALS):
    own = {"fold": number, "images": 1200, "groups": 140, "accuracy": accuracy, "other_hospitals": elsewhere}
    return FIGURES | own


def page(*folds):
    together = {"images": 2400, "accuracy": 0.85, "accuracy_low": 0.8, "accuracy_high": 0.9}
    return fold_page({"folds": list(folds), "together": together})


def row(text, name):
    [line] = [line for line in text.splitlines() if line.startswith(f"| {name} |")]
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


def test_each_figure_has_its_folds_their_mean_and_their_range():
    text = page(fold(0, accuracy=0.8), fold(3, accuracy=0.9))
    assert text.startswith("|  | fold 0 | fold 3 | mean | range |\n")
    assert row(text, "images, patient groups")[:2] == ["1,200, 140", "1,200, 140"]
    assert row(text, "accuracy") == ["80.0%", "90.0%", "85.0%", "80.0% to 90.0%"]
    assert row(text, "area within patients, `gliomas` FLAIR") == ["0.910", "0.910", "0.910", "0.910 to 0.910"]
    assert row(text, "`volunteers`, healthy, called a tumor")[0] == "2.0%"
    assert row(text, "slices whose tumor was taken out")[0] == "90"
    assert row(text, "of them still called a tumor")[0] == "10.0%"
    assert text.endswith("All 2,400 test images together: accuracy 85.0% (80.0–90.0), resampled by patient group.\n")


def test_what_a_fold_did_not_measure_is_left_out_of_the_mean():
    sets = [{"set": "gliomas", "sequence": "FLAIR", "area_within": math.nan}]
    text = page(fold(0), fold(1, elsewhere=HOSPITALS | {"sets": sets, "erased": {}}), fold(2, elsewhere={}))
    assert row(text, "area within patients, `gliomas` FLAIR") == ["0.910", "–", "–", "0.910", "0.910 to 0.910"]
    assert row(text, "area of with against without") == ["0.960", "–", "–", "0.960", "0.960 to 0.960"]


def test_a_single_fold_without_images_of_other_hospitals_has_only_its_own_figures():
    text = page(fold(0, elsewhere={}))
    assert text.startswith("|  | fold 0 |\n|---|---|\n| images, patient groups | 1,200, 140 |\n")
    assert row(text, "tumors of other scanners called a tumor") == ["50.0%"]
    assert "other hospitals" not in text
    assert "taken out" not in text
