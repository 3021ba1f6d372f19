"""How the API represents the result of an analysis."""

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.factories import make_analysis, make_scan

pytestmark = pytest.mark.django_db
FIELDS = ("outcome", "finding", "probabilities", "tumor_probability", "confidence")


@pytest.fixture
def result(api, owner):
    """Return a function that gives the representation of an analysis made with some fields."""

    def result(**fields) -> dict:
        scan = make_scan(owner)
        make_analysis(scan, **fields)
        return api(owner).get(f"/api/v1/scans/{scan.pk}/").json()["analysis"]

    return result


@pytest.mark.parametrize(
    "fields",
    [
        {"finding": "glioma"},
        {"finding": "notumor"},
        {"finding": "tumor"},
        {"finding": "", "outcome": "uncertain"},
        {"finding": "notumor", "probabilities": [0.0, 0.0, 1.0, 0.0]},
    ],
    ids=str,
)
def test_tumor_probability_is_one_minus_that_of_no_tumor(result, fields):
    analysis = result(state="succeeded", **fields)
    assert list(analysis["probabilities"]) == ["glioma", "meningioma", "notumor", "pituitary"]
    assert sum(analysis["probabilities"].values()) == pytest.approx(1)
    assert analysis["tumor_probability"] == pytest.approx(1 - analysis["probabilities"]["notumor"])
    assert 0 <= analysis["tumor_probability"] <= 1


def test_a_tumor_of_unknown_kind_names_the_kinds_that_remain(result):
    analysis = result(state="succeeded", finding="tumor")
    assert (analysis["outcome"], analysis["finding"]) == ("classified", "tumor")
    assert analysis["possible_findings"][0] == "glioma"
    assert analysis["saliency"] is not None


@pytest.mark.parametrize(
    "fields",
    [
        {"state": "queued"},
        {"state": "running"},
        {"state": "failed"},
        {
            "state": "succeeded", "outcome": "not_brain_mri", "finding": "", "probabilities": None, "confidence": None,
        },
    ],
    ids=lambda fields: fields.get("outcome", fields["state"]),
)  # fmt: skip
def test_without_probabilities_there_is_no_tumor_probability(result, fields):
    analysis = result(**fields)
    assert (analysis["probabilities"], analysis["tumor_probability"], analysis["saliency"]) == (None, None, None)
    assert analysis["finding"] == ""


def test_a_result_has_the_words_of_the_pages(result):
    assert result(state="succeeded", finding="glioma")["sentence"] == "Probably glioma (91%)"
    assert result(state="succeeded", finding="tumor")["sentence"].startswith("Probably a tumor (91%), kind uncertain: ")
    assert result(state="queued")["sentence"] == "Waiting for analysis"


def test_a_sealed_result_has_no_words(api, owner):
    owner.sealed_reading_since = timezone.now() - timedelta(hours=1)
    owner.save()
    make_analysis(make_scan(owner), state="succeeded", finding="glioma")
    [row] = api(owner).get("/api/v1/scans/").json()["results"]
    assert row["analysis"]["sentence"] == "Ready for your first read"
