"""Random samples of scans, and the figures that count them."""

import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from classifier.models import Impression, Scan
from classifier.selectors import in_use, statistics
from classifier.selectors.in_use import models_in_use
from classifier.selectors.lists.sample import sample_of_statements, sample_scans
from classifier.selectors.lists.scope import scope_of
from classifier.selectors.scan import visible_scans
from classifier.selectors.statistics import StatisticsFilter
from classifier.services.review import submit_review
from tests.factories import TeamFactory, make_analysis, make_scan

pytestmark = pytest.mark.django_db


@pytest.fixture
def scans(owner, teammate, outsider, team) -> list[Scan]:
    """Forty scans of three people, every second one the team's."""
    made = []
    for number in range(40):
        by = (owner, teammate, outsider)[number % 3]
        made.append(make_scan(by, team=team if number % 2 and by != outsider else None))
        at = timezone.now() - timedelta(days=number)
        Scan.objects.filter(pk=made[-1].pk).update(created_at=at)
    return made


def keys(scans) -> frozenset[uuid.UUID]:
    return frozenset(scan.pk for scan in scans)


def drawn(sample) -> frozenset[uuid.UUID]:
    return frozenset(uuid.UUID(key) for key in sample.keys)


def smallest(scans, number: int) -> frozenset[uuid.UUID]:
    return frozenset(sorted(keys(scans))[:number])


def test_a_small_selection_is_complete(owner, outsider, scans):
    for user in (owner, outsider):
        sample = sample_scans(scope_of(user), size=50)
        assert sample.complete
        assert drawn(sample) == keys(visible_scans(user))


@pytest.mark.parametrize("size", [1, 5, 10])
def test_a_large_one_is_the_scans_with_the_smallest_keys(owner, scans, size):
    sample = sample_scans(scope_of(owner), size=size)
    assert not sample.complete
    assert drawn(sample) == smallest(visible_scans(owner), size)


def test_a_sample_keeps_to_a_team_and_a_period(owner, team, scans):
    since, until = timezone.now() - timedelta(days=30), timezone.now() - timedelta(days=10)
    wanted = visible_scans(owner).filter(created_at__gte=since, created_at__lt=until)
    assert drawn(sample_scans(scope_of(owner), size=50, since=since, until=until)) == keys(wanted)
    assert drawn(sample_scans(scope_of(owner), size=50, team=team.pk)) == keys(visible_scans(owner).filter(team=team))
    other = TeamFactory()
    make_scan(owner, team=other)
    assert sample_scans(scope_of(owner), size=50, team=other.pk).keys == frozenset()


def test_the_indexes_of_samples_are_used(owner, scans):
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL reads a table of a few rows without its indexes.")
    with connection.cursor() as cursor:
        cursor.execute(
            "EXPLAIN QUERY PLAN SELECT s.id FROM classifier_scan s WHERE s.team_id = 1 "
            f"AND s.id < '{uuid.UUID(int=2**128 // 4096).hex}'"
        )
        assert "scan_team_sample_4096" in str(cursor.fetchall())


def test_statements_are_drawn_of_those_of_the_person(owner, teammate, team):
    said = []
    for number in range(12):
        scan = make_scan(owner, team=team)
        reader = owner if number % 2 else teammate
        Impression.objects.create(
            scan=scan, reader=reader, number=number + 1, finding="glioma", certainty="low", hash="0"
        )
        said += [scan] if number % 2 else []

    def sample(user, size: int):
        return sample_of_statements(
            "classifier_impression", "reader_id", scope_of(user), size=size, team=None, since=None, until=None
        )

    assert drawn(sample(owner, 50)) == keys(said)
    assert drawn(sample(owner, 4)) == smallest(said, 4)
    assert (sample(owner, 50).complete, sample(owner, 4).complete) == (True, False)


def test_statistics_of_a_sample_count_only_its_scans(owner, team, monkeypatch):
    for number in range(20):
        scan = make_scan(owner, team=team)
        analysis = make_analysis(scan, state="succeeded")
        if number % 2:
            submit_review(analysis, by=owner, verdict="agree", finding="", certainty="high")
    monkeypatch.setattr(statistics, "MAX_SCANS", 8)
    monkeypatch.setattr(statistics, "MAX_OWN_SCANS", 6)
    figures = statistics.statistics(owner, StatisticsFilter())
    assert (figures.sampled_scans, figures.sampled_own_scans) == (8, 6)
    assert figures.own.reviews.share.total == 6
    monkeypatch.setattr(statistics, "MAX_OWN_SCANS", 50)
    figures = statistics.statistics(owner, StatisticsFilter())
    assert (figures.sampled_own_scans, figures.own.reviews.share.total) == (None, 10)


def test_pages_and_api_say_that_they_count_a_sample(browse, api, owner, monkeypatch):
    for _ in range(5):
        scan = make_scan(owner)
        submit_review(make_analysis(scan, state="succeeded"), by=owner, verdict="agree", finding="", certainty="high")
    assert "random sample" not in browse(owner).get("/statistics/").content.decode()
    assert api(owner).get("/api/v1/statistics/").json()["sampled_scans"] is None
    monkeypatch.setattr(statistics, "MAX_SCANS", 3)
    monkeypatch.setattr(in_use, "MAX_SCANS", 4)
    assert "random sample of 3" in browse(owner).get("/statistics/").content.decode()
    assert "random sample of 4" in browse(owner).get("/models/in-use/").content.decode()
    assert api(owner).get("/api/v1/statistics/").json()["sampled_scans"] == 3
    (version,) = models_in_use(owner)
    assert (version.sampled_scans, version.total.analyses) == (4, 4)
