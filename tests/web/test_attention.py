"""The page of what needs attention."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from classifier.findings import Outcome
from classifier.models import Analysis
from classifier.selectors import attention, review
from classifier.services.installation import record_backup
from tests.factories import make_analysis, make_scan

pytestmark = pytest.mark.django_db

PAGE = "/attention/"
REFUSED = {"outcome": Outcome.NOT_BRAIN_MRI, "finding": "", "probabilities": None, "confidence": None}


@pytest.fixture
def troubled(owner):
    """A failed, a refused, and a waiting scan, by kind."""
    scans = {kind: make_scan(owner, patient_reference=kind) for kind in ("failed", "refused", "waiting")}
    make_analysis(scans["failed"], state="failed")
    make_analysis(scans["refused"], state="succeeded", **REFUSED)
    waiting = make_analysis(scans["waiting"])
    Analysis.objects.filter(pk=waiting.pk).update(queued_at=timezone.now() - timedelta(minutes=6))
    return scans


def test_it_lists_what_failed_was_refused_or_waits_long(browse, owner, troubled, scan):
    page = browse(owner).get(PAGE).content.decode()
    for shown in troubled.values():
        assert str(shown.pk) in page
    assert str(scan.pk) not in page
    assert "Needs attention (3)" in browse(owner).get("/scans/").content.decode()


def test_counts_that_end_early_say_so(browse, owner, teammate, team_scan, troubled, monkeypatch):
    def shown(user, most):
        monkeypatch.setattr(attention, "MAX_ROWS", most)
        monkeypatch.setattr(review, "MAX_UNREAD", most)
        return browse(user).get("/scans/").content.decode()

    assert "Needs attention (3)" in shown(owner, 3)
    assert "Needs attention (2+)" in shown(owner, 2)
    assert "1 unread" in shown(teammate, 1)
    assert "0+ unread" in shown(teammate, 0)


def test_a_list_that_is_cut_says_so_and_goes_on(browse, owner, troubled, monkeypatch):
    sentence = "These are the newest 2 scans."
    assert sentence not in browse(owner).get(PAGE).content.decode()
    monkeypatch.setattr(attention, "MAX_ROWS", 2)
    page = browse(owner).get(PAGE).content.decode()
    assert sentence in page
    assert str(troubled["failed"].pk) not in page
    browse(owner).post(PAGE, {"action": "dismiss", "scan": [troubled["refused"].pk]})
    page = browse(owner).get(PAGE).content.decode()
    assert sentence not in page
    assert str(troubled["failed"].pk) in page


@pytest.mark.parametrize("path", [PAGE, "/scans/", "/batches/", "/notifications/"])
def test_lists_that_refresh_themselves_load_the_script_that_does_it(browse, owner, troubled, path):
    page = browse(owner).get(path).content.decode()
    assert 'hx-trigger="every' in page
    assert re.search(r'<script src="[^"]*htmx[^"]*" defer>', page)


def test_it_is_empty_for_others(browse, teammate, outsider, troubled):
    for user in (teammate, outsider):
        assert "Nothing needs attention" in browse(user).get(PAGE).content.decode()


def test_a_sealed_refusal_is_not_told(browse, owner, troubled):
    owner.sealed_reading_since = timezone.now() - timedelta(days=1)
    owner.save()
    page = browse(owner).get(PAGE).content.decode()
    assert str(troubled["refused"].pk) not in page
    assert str(troubled["failed"].pk) in page


def test_many_are_retried_at_once(browse, owner, troubled):
    ids = [str(scan.pk) for scan in troubled.values()]
    page = browse(owner).post(PAGE, {"action": "retry", "scan": ids}, follow=True).content.decode()
    assert "Queued again: 1. Skipped: 2" in page
    assert troubled["failed"].analyses.count() == 2
    assert troubled["refused"].analyses.count() == 1


def test_dismissed_scans_come_back_with_a_further_failure(browse, owner, troubled):
    client = browse(owner)
    client.post(PAGE, {"action": "dismiss", "scan": [str(scan.pk) for scan in troubled.values()]})
    assert "Nothing needs attention" in client.get(PAGE).content.decode()
    make_analysis(troubled["failed"], state="failed")
    assert str(troubled["failed"].pk) in client.get(PAGE).content.decode()


def test_nobody_dismisses_for_another(browse, owner, outsider, troubled):
    browse(outsider).post(PAGE, {"action": "dismiss", "scan": [str(troubled["failed"].pk), "x"]})
    assert str(troubled["failed"].pk) in browse(owner).get(PAGE).content.decode()


def test_administrators_see_the_last_backup(browse, staff, owner):
    assert re.search(r"Last backup</dt>\s*<dd>\s*<strong>None", browse(staff).get(PAGE).content.decode())
    record_backup({"at": "2026-11-02T03:04:05+00:00", "path": "/srv/b.tar", "scans": 7, "missing": 1})
    page = browse(staff).get(PAGE).content.decode()
    assert "2 Nov 2026, 03:04, 7 scans" in page
    assert "1 image file missing from the storage" in page
    assert "Last backup" not in browse(owner).get(PAGE).content.decode()


def test_the_system_is_shown_to_administrators_only(browse, owner, staff):
    assert "Free disk space" not in browse(owner).get(PAGE).content.decode()
    assert "Free disk space" in browse(staff).get(PAGE).content.decode()
