"""The About page: what the card of the model says."""

import json
import shutil

import pytest


@pytest.fixture
def models(tmp_path, settings):
    """A folder of models with the shipped card alone."""
    folder = tmp_path / "models"
    (folder / "xception").mkdir(parents=True)
    shutil.copy(settings.MODELS_DIR / "xception" / "card.json", folder / "xception")
    settings.MODELS_DIR = folder
    return folder


def change(models, **fields) -> None:
    path = models / "xception" / "card.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


@pytest.mark.django_db
def test_about_says_what_the_card_says(browse, owner, models):
    card = json.loads((models / "xception" / "card.json").read_text())
    page = browse(owner).get("/about/").content.decode()
    assert 'id="model-xception"' in page
    assert card["version"] in page
    assert "not for diagnosis" in page
    assert "CC0" in page


@pytest.mark.django_db
def test_about_shows_each_evaluation_with_its_protocol(browse, owner, models):
    change(models, metrics=[{"protocol": "patient", "accuracy": 0.9512, "accuracy_low": 0.94, "accuracy_high": 0.96}])
    page = browse(owner).get("/about/").content.decode()
    assert "Protocol patient" in page
    assert "95.1% (95% CI 94.0–96.0)" in page


@pytest.mark.django_db
def test_about_names_the_images_of_each_figure(browse, owner, models):
    entry = {"protocol": "patient", "accuracy": 0.9, "images": 1379, "brain_mri_refused": 0.0109, "ece": 0.0434}
    refused = '<th scope="row">Brain MR images wrongly refused</th> <td class="end">1.1%</td>'
    change(models, metrics=[entry])
    assert refused in " ".join(browse(owner).get("/about/").content.decode().split())
    # `evaluate` also counts the images of other scanners, which are none of the 1,379.
    change(models, metrics=[entry | {"other_scanner_tumor_sensitivity": 0.9}])
    page = " ".join(browse(owner).get("/about/").content.decode().split())
    assert refused.replace("refused</th>", "refused, tumors of other scanners included</th>") in page
    assert '<th scope="row">Expected calibration error</th> <td class="end">0.043</td>' in page


HOSPITALS = {
    "all": {
        "images": 200, "patients": 9, "sensitivity": 0.9, "specificity": 0.8, "said_no_tumor_of_tumors": 0.02,
        "said_tumor_of_tumors": 0.8, "refused": 0.01, "uncertain": 0.2,
    },
    "sets": [
        {
            "set": "lgg", "sequence": "FLAIR", "images": 100, "patients": 5, "tumors": 50, "refused": 0.01,
            "area": 0.9, "area_within": 0.95, "area_within_low": 0.9, "area_within_high": 0.98,
        }
    ],
    "without_tumor": [
        {"set": "volunteers", "label": "healthy", "stripped": True, "images": 40, "called_tumor": 0.05,
         "said_tumor": 0.02, "refused": 0.0}
    ],
    "erased": {"pairs": 10, "original_called_tumor": 0.9, "still_called_tumor": 0.1},
}  # fmt: skip


@pytest.mark.django_db
def test_about_tells_what_happens_at_other_hospitals(browse, owner, models):
    change(models, metrics=[{"protocol": "patient", "accuracy": 0.9, "hospitals": HOSPITALS}])
    client = browse(owner)
    page = client.get("/about/").content.decode()
    assert "0.95 (0.90–0.98)" in page
    words = " ".join(page.split())
    assert "Of 100 images with a tumor, 2 are missed" in words
    # What is called a tumor is measured by the probability, whatever is answered.
    assert "an image is called a tumor if the probability of a tumor is at least 50%, even if" in words
    assert "Of 100 images without a tumor, 20 are called a tumor." in words
    assert "as a tumor" not in words
    assert "Of the images not called a tumor, 1.4% have one." in words
    assert "volunteers, healthy, skull stripped" in page
    assert "10.0% of the slices without their tumor" in page
    # At 10% prevalence 0.01 / 0.73 of the negatives have a tumor.
    assert "1.4% have one" in page
    half = client.get("/about/?prevalence=50").content.decode()
    assert "11.1% have one" in half


@pytest.mark.django_db
@pytest.mark.parametrize("prevalence", ["0", "100", "-5", "many", "٣", "9999999999"])
def test_a_prevalence_that_cannot_be_is_ignored(browse, owner, models, prevalence):
    change(models, metrics=[{"protocol": "patient", "accuracy": 0.9, "hospitals": HOSPITALS}])
    page = browse(owner).get("/about/", {"prevalence": prevalence})
    assert page.status_code == 200
    assert b'value="10"' in page.content


@pytest.mark.django_db
def test_about_counts_each_finding(browse, owner, models):
    assert "was not measured for each finding" in browse(owner).get("/about/").content.decode()
    card = json.loads((models / "xception" / "card.json").read_text())
    table = [[8, 1, 1, 0], [0, 5, 5, 0], [1, 0, 19, 0], [0, 0, 0, 10]]
    groups = [
        {"confidence": 0.6, "accuracy": 0.5, "images": 20},
        {"confidence": 0.9, "accuracy": 0.95, "images": 40},
        {"confidence": 0.3, "accuracy": 0.0, "images": 1},
    ]
    evaluation = {"version": card["version"], "per_class": {}, "confusion": table}
    evaluation["probabilities"] = {"reliability": groups}
    (models / "xception" / "evaluation").mkdir()
    (models / "xception" / "evaluation" / "patient.json").write_text(json.dumps(evaluation))
    page = " ".join(browse(owner).get("/about/").content.decode().split())
    assert "Of 100 images with a meningioma, the network ranks another finding first in 50." in page
    assert "8 of 10" in page
    assert "1 of 40" in page
    assert "97.5%" in page
    assert "Technical details" in page
    assert '"points": [[0.6, 0.5], [0.9, 0.95]]' in page
    assert '<th scope="row">60%</th> <td class="end">50%</td> <td class="end">20</td>' in page
    assert page.count("Accuracy where a finding is reported") == 1


@pytest.mark.django_db
def test_about_admits_that_nothing_was_measured(browse, owner, models):
    change(models, metrics=[])
    assert b"Treat the model as not evaluated" in browse(owner).get("/about/").content


@pytest.mark.django_db
def test_about_survives_a_damaged_card_and_a_missing_model(browse, owner, models):
    (models / "xception" / "card.json").write_text("{")
    assert b"cannot be used" in browse(owner).get("/about/").content
    shutil.rmtree(models / "xception")
    assert b"No model is installed" in browse(owner).get("/about/").content
