"""Statistics in the API."""

import pytest

from classifier.api.statistics import StatisticsSerializer
from classifier.api.statistics_data import statistics_data
from classifier.selectors.statistics import StatisticsFilter, statistics
from classifier.services.review import record_impression
from tests.selectors.test_statistics import analyzed, diagnose, review, sealed

pytestmark = pytest.mark.django_db
URL = "/api/v1/statistics/"
__all__ = ["sealed"]  # a fixture


def test_the_figures_are_those_of_the_page(api, owner, teammate, sealed):
    scan = analyzed(owner, sealed)
    for reader in (owner, teammate):
        record_impression(scan, by=reader, finding="glioma", certainty="low")
        review(scan, reader)
    diagnose(scan, owner, "meningioma")
    body = api(owner).get(URL, {"team": sealed.pk}).json()
    assert body["models"] == ["xception:test"]
    share = body["own"]["reviews"]["share"]
    assert (share["count"], share["total"], share["value"]) == (1, 1, 1.0)
    assert share["low"] == pytest.approx(0.2065, abs=5e-5)
    assert body["own"]["reviews"]["kappa"] is None
    assert body["team"]["flips"] == {"stayed_right": 0, "stayed_wrong": 0, "to_right": 2, "to_wrong": 0, "open": 0}
    assert body["accuracy"] == {"diagnoses": 1, "without_finding": 0, "findings": []}


def test_the_body_is_what_the_schema_describes(owner, teammate, sealed):
    for number in range(21):
        scan = analyzed(owner, sealed, finding=("glioma", "meningioma", "notumor")[number % 3])
        for reader in (owner, teammate)[: 1 + number % 2]:
            record_impression(scan, by=reader, finding="glioma", certainty="low")
            review(scan, reader)
        diagnose(scan, owner, "glioma" if number % 4 else "meningioma")
    for user in (owner, teammate):
        figures = statistics(user, StatisticsFilter())
        assert bool(figures.accuracy.findings) is (user == owner)
        assert statistics_data(figures) == StatisticsSerializer(figures).data


def test_without_a_team_there_is_no_sum(api, owner, scan):
    assert api(owner).get(URL).json()["team"] is None


@pytest.mark.parametrize(
    "query", [{"team": 99999}, {"uploaded_after": "yesterday"}, {"reader": "teammate"}, {"model": "x" * 130}]
)
def test_filters_are_checked(api, owner, team, query):
    assert api(owner).get(URL, query).status_code == 400


def test_another_teams_sum_does_not_exist(api, outsider, team):
    assert api(outsider).get(URL, {"team": team.pk}).status_code == 400
