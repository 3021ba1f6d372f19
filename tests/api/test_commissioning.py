"""Commissionings over the API."""

import json

import pytest

from classifier.acceptance.signature import read_signed
from classifier.models import CommissioningCase
from tests.factories import make_scan, make_shadow_case

pytestmark = pytest.mark.django_db
BASE = "/api/v1/commissionings/"


def codes(response) -> list[str]:
    return [error["code"] for error in response.json()["errors"]]


@pytest.fixture
def body(team):
    return {"team": team.pk, "model": "compact", "limits": {"sensitivity": 0.9}, "least_cases": 2, "prevalence": 0.1}


@pytest.fixture
def started(two_models, api, owner, body) -> str:
    response = api(owner).post(BASE, body, format="json")
    assert response.status_code == 201
    return f"{BASE}{response.json()['id']}/"


def test_it_is_started_filled_and_closed(started, api, owner, teammate, team) -> None:
    client = api(owner)
    scans = [make_scan(owner, team=team) for _ in range(2)]
    cases = [{"scan": str(scans[0].pk), "finding": "glioma"}, {"scan": str(scans[1].pk)}, {"scan": str(team_uuid())}]
    added = client.post(f"{started}cases/", {"cases": cases}, format="json").json()
    assert added["added"] == 2
    assert added["problems"] == [f"{team_uuid()}: there is no such scan."]
    assert client.get(started).json()["progress"]["waiting"] == 2
    assert client.post(f"{started}close/").status_code == 409
    for case in CommissioningCase.objects.all():
        commissioning, scan = case.commissioning, case.scan
        case.analysis.delete()
        make_shadow_case(commissioning, scan, answer="glioma", truth="glioma")
    shown = api(teammate).get(started).json()
    assert (shown["verdict"], shown["report"], shown["progress"]["succeeded"]) == (None, None, 2)
    assert api(teammate).get(f"{started}acceptance/").status_code == 404
    closed = client.post(f"{started}close/")
    assert closed.status_code == 200
    assert closed.json()["verdict"] == "too_few"
    assert closed.json()["site_calibration"] is None
    signed = api(teammate).get(f"{started}acceptance/")
    assert read_signed(signed.content).report == closed.json()["report"]
    assert codes(client.post(f"{started}close/")) == ["closed"]
    assert codes(client.post(f"{started}calibration/", {"active": True}, format="json")) == ["no_calibration"]


def team_uuid() -> str:
    return "6f9619ff-8b86-4d01-b42d-00c04fc964ff"


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"limits": {}}, 400, "invalid_limits"),
        ({"limits": {"sensitivity": 2}}, 400, "max_value"),
        ({"limits": {"sensitivity": 0.9, "sensitivity_of_all": 0.9}}, 400, "unknown_limit"),
        ({"limits": {"false_omission": 0.1}, "prevalence": None}, 400, "invalid_limits"),
        ({"prevalence": 1}, 400, "invalid_limits"),
        ({"model": "none"}, 400, "unknown_model"),
        ({"team": 999999}, 404, "not_found"),
    ],
)
def test_an_invalid_start_is_refused(changes, status, code, two_models, api, owner, body) -> None:
    response = api(owner).post(BASE, body | changes, format="json")
    assert (response.status_code, codes(response)) == (status, [code])


def test_members_read_and_outsiders_find_nothing(started, api, teammate, outsider, body, team_scan) -> None:
    client = api(teammate)
    assert [row["id"] for row in client.get(BASE).json()] == [started.split("/")[-2]]
    cases = {"cases": [{"scan": str(team_scan.pk)}]}
    for address, sent in ((BASE, body), (f"{started}cases/", cases), (f"{started}calibration/", {"active": True})):
        assert client.post(address, sent, format="json").status_code == 403
    assert api(outsider).get(BASE).json() == []
    for address in (started, f"{started}acceptance/"):
        assert api(outsider).get(address).status_code == 404


@pytest.fixture
def signed(started, api, owner, team) -> dict:
    """The signed report of a closed commissioning with one case."""
    client = api(owner)
    scan = make_scan(owner, team=team)
    client.post(f"{started}cases/", {"cases": [{"scan": str(scan.pk), "finding": "glioma"}]}, format="json")
    case = CommissioningCase.objects.get()
    commissioning = case.commissioning
    case.analysis.delete()
    make_shadow_case(commissioning, scan, answer="glioma", truth="glioma")
    client.post(f"{started}close/")
    return client.get(f"{started}acceptance/").json()


def test_signed_reports_of_several_sites_are_compared(signed, api, outsider) -> None:
    changed = json.loads(json.dumps(signed))
    changed["report"]["counts"]["with_truth"] = 1000
    response = api(outsider).post(f"{BASE}compare/", {"reports": [signed, changed, {}, signed]}, format="json")
    assert response.status_code == 200
    body = response.json()
    assert body["compared"] == [1, 4]
    figures = {row["label"]: row["values"] for row in body["figures"]}
    assert figures["Cases with truth"] == ["1", "1"]
    assert any(label.startswith("Sensitivity") for label in figures)
    assert body["problems"] == [
        "Report 2: The signature does not match: the file was changed after it was signed.",
        "Report 3: The file is not a signed acceptance report.",
    ]


@pytest.mark.parametrize("reports", [None, [], [{}] * 11, ["text"]])
def test_a_comparison_needs_one_to_ten_reports(reports, api, owner) -> None:
    assert api(owner).post(f"{BASE}compare/", {"reports": reports}, format="json").status_code == 400
