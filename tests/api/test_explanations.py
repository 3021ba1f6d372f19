"""Explanations over the API."""

from datetime import timedelta

import pytest
from django.utils import timezone

from classifier.findings import Outcome
from classifier.models import Explanation
from tests.factories import make_analysis, make_scan

pytestmark = pytest.mark.django_db

REFUSED = {"outcome": Outcome.NOT_BRAIN_MRI, "finding": "", "probabilities": None, "confidence": None}
UNCERTAIN = {"outcome": Outcome.UNCERTAIN, "finding": "", "probabilities": [0.5, 0.46, 0.02, 0.02], "confidence": 0.5}


def url(scan) -> str:
    return f"/api/v1/scans/{scan.pk}/explanations/"


def codes(response) -> list[str]:
    return [error["code"] for error in response.json()["errors"]]


@pytest.mark.parametrize("body", [{"provider": "built-in"}, {}])
def test_the_built_in_explanation_is_ready_at_once(api, owner, teammate, team_scan, body):
    response = api(owner).post(url(team_scan), body, format="json")

    assert response.status_code == 201
    made = response.json()
    assert (made["provider"], made["model"], made["scan"]) == ("built-in", "", str(team_scan.pk))
    assert made["analysis"] == str(team_scan.current_analysis_id)
    assert made["text"].startswith("## Result\n\nProbably meningioma (91%). ")
    assert made["created_at"]
    assert api(teammate).get(url(team_scan)).json() == [made]


def test_an_equal_explanation_is_stored_once(api, owner, scan):
    first, second = (api(owner).post(url(scan), {}, format="json").json() for _ in range(2))
    assert first == second
    assert Explanation.objects.count() == 1


def test_a_new_analysis_gets_a_new_explanation_and_the_list_begins_with_it(api, owner, scan):
    client = api(owner)
    old = client.post(url(scan), {}, format="json").json()
    make_analysis(scan, state="succeeded", finding="glioma")
    new = client.post(url(scan), {}, format="json").json()
    assert "Probably glioma" in new["text"]
    assert client.get(url(scan)).json() == [new, old]


@pytest.mark.parametrize(
    ("fields", "said"),
    [(REFUSED, "does not look like a brain MR image"), (UNCERTAIN, "Uncertain: glioma or meningioma")],
)
def test_every_outcome_is_explained(api, owner, fields, said):
    scan = make_scan(owner)
    make_analysis(scan, state="succeeded", **fields)
    assert said in api(owner).post(url(scan), {}, format="json").json()["text"]


@pytest.mark.parametrize("state", ["queued", "running", "failed", "cancelled", None])
def test_without_a_result_there_is_nothing_to_explain(api, owner, state):
    scan = make_scan(owner)
    if state:
        make_analysis(scan, state=state)
    response = api(owner).post(url(scan), {}, format="json")
    assert (response.status_code, codes(response)) == (409, ["no_result"])
    assert not Explanation.objects.exists()


@pytest.mark.parametrize("provider", ["gemini", "", "Built-in"])
def test_an_unknown_provider_is_refused(api, owner, scan, provider):
    response = api(owner).post(url(scan), {"provider": provider}, format="json")
    assert (response.status_code, codes(response)) == (400, ["unknown_provider"])


@pytest.mark.parametrize("provider", [3, None, ["built-in"], "x" * 65])
def test_a_provider_that_is_no_name_is_refused(api, owner, scan, provider):
    response = api(owner).post(url(scan), {"provider": provider}, format="json")
    assert response.status_code == 400
    assert response.json()["errors"][0]["attr"] == "provider"


def test_a_sealed_result_is_neither_explained_nor_its_explanations_listed(api, owner, teammate, team_scan):
    api(owner).post(url(team_scan), {}, format="json")
    teammate.sealed_reading_since = timezone.now() - timedelta(hours=1)
    teammate.save()
    client = api(teammate)
    for response in (client.get(url(team_scan)), client.post(url(team_scan), {}, format="json")):
        assert (response.status_code, codes(response)) == (409, ["sealed"])
        assert "meningioma" not in response.content.decode()


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_an_explanation_is_not_changed(api, owner, scan, method):
    assert getattr(api(owner), method)(url(scan), {}, format="json").status_code == 405


def test_explanations_are_deleted_with_their_scan(api, owner, scan):
    api(owner).post(url(scan), {}, format="json")
    assert api(owner).delete(f"/api/v1/scans/{scan.pk}/").status_code == 204
    assert not Explanation.objects.exists()
