"""Reviews, impressions, and diagnoses over the API, and the sealed first read route by route."""

from datetime import timedelta

import pytest
from django.utils import timezone

from classifier.services.scan import submit_scan
from tests.factories import make_analysis, png_bytes

pytestmark = pytest.mark.django_db

REVIEW = {"verdict": "correct", "finding": "glioma", "certainty": "high", "comment": "See slice 12"}
IMPRESSION = {"finding": "glioma", "certainty": "low", "comment": ""}
DIAGNOSIS = {"finding": "glioma", "source": "histology", "confirmed_on": "2026-01-02"}


@pytest.fixture
def sealed(teammate):
    """A teammate whose first reads are sealed."""
    teammate.sealed_reading_since = timezone.now() - timedelta(hours=1)
    teammate.save()
    return teammate


def reviews_url(scan) -> str:
    return f"/api/v1/analyses/{scan.current_analysis_id}/reviews/"


def scan_url(scan, end: str = "") -> str:
    return f"/api/v1/scans/{scan.pk}/{end}"


def codes(response) -> list[str]:
    return [error["code"] for error in response.json()["errors"]]


def test_a_review_is_created_and_listed(api, teammate, owner, team_scan):
    response = api(teammate).post(reviews_url(team_scan), REVIEW, format="json")

    assert response.status_code == 201
    body = response.json()
    assert (body["verdict"], body["finding"], body["reviewer"], body["number"]) == ("correct", "glioma", "teammate", 1)
    assert api(owner).get(reviews_url(team_scan)).json() == [body]
    found = api(owner).get("/api/v1/scans/", {"finding": "glioma"}).json()["results"]
    assert [scan["id"] for scan in found] == [str(team_scan.pk)]
    assert api(owner).get("/api/v1/scans/", {"finding": "meningioma"}).json()["results"] == found


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
@pytest.mark.parametrize("address", [reviews_url, lambda s: scan_url(s, "impressions/")])
def test_what_was_said_cannot_be_changed(api, owner, team_scan, method, address):
    assert getattr(api(owner), method)(address(team_scan), REVIEW, format="json").status_code == 405


@pytest.mark.parametrize(
    ("change", "attr"),
    [({"verdict": "maybe"}, "verdict"), ({"finding": ""}, "finding"), ({"certainty": None}, "certainty")],
)
def test_a_wrong_field_is_named(api, owner, team_scan, change, attr):
    response = api(owner).post(reviews_url(team_scan), REVIEW | change, format="json")
    assert response.status_code == 400
    assert [error["attr"] for error in response.json()["errors"]] == [attr]


@pytest.mark.parametrize("body", [[], "agree", None])
def test_a_body_that_is_no_object_is_refused(api, owner, team_scan, body):
    assert api(owner).post(reviews_url(team_scan), body, format="json").status_code == 400


def test_a_diagnosis_is_created_and_listed(api, owner, team_scan):
    response = api(owner).post(scan_url(team_scan, "diagnoses/"), DIAGNOSIS, format="json")
    assert response.status_code == 201
    assert api(owner).get(scan_url(team_scan, "diagnoses/")).json() == [response.json()]
    future = (timezone.localdate() + timedelta(days=1)).isoformat()
    late = api(owner).post(scan_url(team_scan, "diagnoses/"), DIAGNOSIS | {"confirmed_on": future}, format="json")
    assert (late.status_code, codes(late)) == (400, ["invalid_date"])


def test_an_impression_of_an_open_result_is_refused(api, owner, team_scan):
    response = api(owner).post(scan_url(team_scan, "impressions/"), IMPRESSION, format="json")
    assert (response.status_code, codes(response)) == (409, ["not_sealed"])


SEALED_ROUTES = {
    "scan": lambda s: scan_url(s),
    "analyses": lambda s: scan_url(s, "analyses/"),
    "saliency": lambda s: scan_url(s, "saliency"),
    "saliency of an analysis": lambda s: scan_url(s, f"saliency?analysis={s.current_analysis_id}"),
    "impressions": lambda s: scan_url(s, "impressions/"),
    "diagnoses": lambda s: scan_url(s, "diagnoses/"),
    "reviews": reviews_url,
}


@pytest.mark.parametrize("route", SEALED_ROUTES)
def test_a_sealed_result_is_refused_with_the_reason(api, sealed, owner, team_scan, route):
    address = SEALED_ROUTES[route](team_scan)
    response = api(sealed).get(address)
    assert (response.status_code, codes(response)) == (409, ["sealed"])
    assert "impression" in response.json()["errors"][0]["detail"]
    assert api(owner).get(address).status_code == 200


@pytest.mark.parametrize("route", ["saliency of an analysis", "analyses", "reviews"])
def test_a_new_analysis_opens_no_earlier_one(api, sealed, team_scan, route):
    address = SEALED_ROUTES[route](team_scan)
    make_analysis(team_scan, state="queued")
    assert api(sealed).get(address).status_code == 409


@pytest.mark.parametrize("end", ["image", "thumbnail"])
def test_the_image_of_a_sealed_scan_is_open(api, sealed, team_scan, end):
    assert api(sealed).get(scan_url(team_scan, end)).status_code == 200


@pytest.mark.parametrize(("address", "body"), [(reviews_url, REVIEW), (lambda s: scan_url(s, "diagnoses/"), DIAGNOSIS)])
def test_nothing_but_an_impression_is_taken_for_a_sealed_scan(api, sealed, team_scan, address, body):
    response = api(sealed).post(address(team_scan), body, format="json")
    assert (response.status_code, codes(response)) == (409, ["sealed"])


def test_lists_show_a_sealed_row_without_its_result(api, sealed, team_scan):
    (row,) = api(sealed).get("/api/v1/scans/").json()["results"]
    assert row["sealed"] is True
    analysis = row["analysis"]
    assert (analysis["state"], analysis["outcome"], analysis["finding"]) == ("succeeded", "", "")
    assert (analysis["probabilities"], analysis["confidence"], analysis["saliency"]) == (None, None, None)
    for query in ({"finding": "meningioma"}, {"outcome": "classified"}):
        assert api(sealed).get("/api/v1/scans/", query).json()["results"] == []


def test_the_impression_opens_the_result(api, sealed, team_scan):
    client = api(sealed)
    response = client.post(scan_url(team_scan, "impressions/"), IMPRESSION, format="json")

    assert response.status_code == 201
    assert len(response.json()["hash"]) == 64
    opened = client.get(scan_url(team_scan)).json()
    assert (opened["sealed"], opened["analysis"]["finding"]) == (False, "meningioma")
    assert client.get(scan_url(team_scan, "impressions/")).json() == [response.json()]
    again = client.post(scan_url(team_scan, "impressions/"), IMPRESSION, format="json")
    assert (again.status_code, codes(again)) == (409, ["already_recorded"])


def test_the_replay_of_an_upload_tells_no_sealed_result(api, sealed):
    content = png_bytes()
    scan = submit_scan(owner=sealed, file=content, idempotency_key="k").scan
    scan.analyses.all().delete()
    make_analysis(scan, state="succeeded")

    replay = submit_scan(owner=sealed, file=content, idempotency_key="k")

    assert replay.replayed
    assert (replay.scan.sealed, replay.analysis.finding) == (True, "")
