"""Query parameters are validated strictly: a misspelled filter must not return every scan."""

import pytest

from classifier.api.queries import ScanQuery
from classifier.selectors.history import ScanFilter
from tests.factories import make_analysis, make_scan

pytestmark = pytest.mark.django_db
SCANS = "/api/v1/scans/"


def error_of(response) -> tuple[str, str]:
    assert response.status_code == 400
    error = response.json()["errors"][0]
    assert error["detail"].endswith(".")
    return error["attr"], error["code"]


def test_every_filter_is_a_documented_query_parameter():
    assert set(ScanQuery().fields) == {*ScanFilter.base_filters, "cursor", "page_size"}


def test_an_unknown_parameter_is_refused(api, owner, scan):
    assert error_of(api(owner).get(SCANS, {"patient": "P-1"})) == ("patient", "unknown_parameter")
    saliency = api(owner).get(f"{SCANS}{scan.pk}/saliency", {"findings": "glioma"})
    assert error_of(saliency) == ("findings", "unknown_parameter")


def test_a_repeated_parameter_is_refused(api, owner):
    response = api(owner).get(f"{SCANS}?finding=glioma&finding=pituitary")
    assert error_of(response) == ("finding", "repeated_parameter")


@pytest.mark.parametrize("size", ["0", "-1", "201", "9" * 30, "ten", "5.0", " 5", ""])
def test_a_page_size_out_of_range_is_refused(api, owner, size):
    assert error_of(api(owner).get(SCANS, {"page_size": size}))[0] == "page_size"


@pytest.mark.parametrize(
    "query",
    [
        *({name: ""} for name in ("finding", "outcome", "state", "uploaded_after", "team", "mine")),
        {"uploaded_before": "1/2/2026"},
        {"uploaded_before": "2026-1-2"},
        {"uploaded_before": "2026-02-30"},
        {"team": "0"},
        {"mine": "perhaps"},
        {"mine": "1"},
        {"text": "x" * 201},
        {"patient_reference": "a\x00b"},
    ],
    ids=str,
)
def test_an_invalid_value_is_refused(api, owner, query):
    assert error_of(api(owner).get(SCANS, query))[0] == next(iter(query))


@pytest.mark.parametrize("name", ["patient_reference", "model", "text", "cursor"])
def test_a_null_character_is_reported_once(api, owner, name):
    [error] = api(owner).get(SCANS, {name: "a\x00b"}).json()["errors"]
    assert error == {
        "code": "null_characters_not_allowed", "detail": "Null characters are not allowed.", "attr": name,
    }  # fmt: skip


@pytest.mark.parametrize("name", ["patient_reference", "model", "text", "cursor"])
def test_an_empty_text_filter_is_the_same_as_none(api, owner, scan, name):
    assert len(api(owner).get(SCANS, {name: ""}).json()["results"]) == 1


@pytest.mark.parametrize(("value", "count"), [("true", 1), ("false", 2), ("True", 1)])
def test_mine_leaves_out_teammates(api, owner, teammate, team, value, count):
    make_scan(owner, team=team)
    make_scan(teammate, team=team)
    assert len(api(owner).get(SCANS, {"mine": value}).json()["results"]) == count


def test_scans_of_one_team(api, owner, team, team_scan, scan):
    results = api(owner).get(SCANS, {"team": team.pk}).json()["results"]
    assert [row["id"] for row in results] == [str(team_scan.pk)]


def test_a_tumor_of_unknown_kind_is_a_finding_of_its_own(api, owner, scan):
    unknown = make_scan(owner)
    make_analysis(unknown, state="succeeded", finding="tumor")
    results = api(owner).get(SCANS, {"finding": "tumor"}).json()["results"]
    assert [row["id"] for row in results] == [str(unknown.pk)]
