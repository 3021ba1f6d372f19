"""Own scans on which two models disagree."""

from datetime import timedelta

import pytest
from django.utils import timezone

from classifier.models import Diagnosis, Review, Scan, User
from classifier.selectors import disagreements
from classifier.selectors.disagreements import read_disagreements
from tests.factories import TeamFactory, join, make_analysis, make_scan

pytestmark = pytest.mark.django_db


def read(owner: User, *, hours: int, said: tuple[str, str] = ("glioma", "meningioma"), **fields) -> Scan:
    """A scan with answers of two models, reviewed some hours ago."""
    scan = make_scan(owner, **fields)
    for model, finding in zip(("other", "xception"), said, strict=True):
        analysis = make_analysis(scan, state="succeeded", model_name=model, finding=finding)
    at = timezone.now() - timedelta(hours=hours)
    Review.objects.create(
        scan=scan, analysis=analysis, reviewer=owner, number=1, verdict="agree", finding=said[1], certainty="low",
        created_at=at,
    )  # fmt: skip
    Scan.objects.filter(pk=scan.pk).update(reviewed_finding=said[1])
    return scan


def listed(user: User) -> list[tuple[Scan, str, str, str]]:
    return [
        (row.scan, row.truth, row.first.finding, row.second.finding)
        for row in read_disagreements(user, "xception", "other")
    ]


def test_read_scans_with_two_answers_are_listed_by_their_newest_reading(owner, teammate, team, outsider):
    early = read(owner, hours=1)
    late = read(owner, hours=3, team=team)
    read(owner, hours=2, said=("glioma", "glioma"))
    make_analysis(make_scan(owner), state="succeeded", model_name="other")
    answers = ("meningioma", "meningioma", "glioma")
    assert listed(owner) == [(early, *answers), (late, *answers)]
    assert listed(teammate) == [(late, *answers)]
    assert listed(outsider) == []
    Diagnosis.objects.create(
        scan=late, recorded_by=owner, finding="meningioma", source="histology", confirmed_on=timezone.localdate()
    )
    assert [row[0] for row in listed(owner)] == [late, early]


def test_only_open_scans_are_listed(owner, teammate):
    sealed = TeamFactory(sealed_reading_since=timezone.now() - timedelta(days=1))
    join(sealed, owner, teammate)
    read(owner, hours=1, team=sealed)
    assert listed(teammate) == []


def test_the_newest_of_the_read_scans_are_searched(owner, monkeypatch):
    monkeypatch.setattr(disagreements, "NEWEST", 2)
    scans = [read(owner, hours=number) for number in range(4)]
    assert [row[0] for row in listed(owner)] == [scans[2], scans[3]]
