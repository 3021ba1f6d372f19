"""Accepting, turning and blanking images that the input check warned of."""

import pytest

from classifier import wording
from classifier.events import Kind
from classifier.models import Event, Scan
from classifier.selectors.scan import get_scan, visible_scans
from classifier.services import mending
from classifier.services.errors import Conflict, NotAllowed
from tests.factories import make_analysis, make_scan, png_bytes

pytestmark = pytest.mark.django_db
TURNED = {"code": "turned", "detail": "1"}
MARKED = {"code": "marked", "detail": "", "cells": [[0, 0], [0, 1]]}


@pytest.fixture
def turned_scan(owner, team):
    scan = make_scan(owner, team=team, patient_reference="P-1", input_problems=[TURNED])
    make_analysis(scan, state="succeeded")
    return get_scan(owner, scan.pk)


def test_a_confident_answer_is_withheld_until_somebody_accepts_the_image(turned_scan, owner, teammate):
    assert wording.sentence(turned_scan.current_analysis) == "Check the image first: it looks turned"
    assert wording.mark(turned_scan.current_analysis) == "withheld"
    mending.accept_input(turned_scan, by=teammate)
    mending.accept_input(turned_scan, by=owner)
    shown = get_scan(owner, turned_scan.pk)
    assert wording.sentence(shown.current_analysis).startswith("Probably")
    assert Event.objects.filter(kind=Kind.INPUT_ACCEPTED).count() == 1


def test_lists_say_the_same_as_the_page(turned_scan, owner, browse):
    page = browse(owner).get("/scans/").content.decode()
    assert "Check the image first" in page
    assert [wording.withheld(scan.current_analysis) for scan in visible_scans(owner)] == [True]


def test_outsiders_accept_nothing(turned_scan, outsider):
    with pytest.raises(NotAllowed):
        mending.accept_input(turned_scan, by=outsider)
    assert Scan.objects.get().input_accepted_at is None


def test_turning_submits_a_copy_and_keeps_the_original(turned_scan, owner):
    copy = mending.turn_scan(turned_scan, by=owner).scan
    assert (copy.width, copy.height) == (turned_scan.height, turned_scan.width)
    assert (copy.mended_from, copy.team, copy.patient_reference) == (turned_scan.pk, turned_scan.team, "P-1")
    assert Scan.objects.count() == 2
    assert copy.current_analysis.state == "queued"


def test_only_the_owner_mends(turned_scan, teammate):
    with pytest.raises(NotAllowed):
        mending.turn_scan(turned_scan, by=teammate)


def test_blanking_replaces_the_image(owner):
    scan = make_scan(owner, content=png_bytes(), input_problems=[MARKED])
    make_analysis(scan, state="succeeded")
    copy = mending.blank_scan(get_scan(owner, scan.pk), by=owner).scan
    assert [row.pk for row in Scan.objects.all()] == [copy.pk]
    assert copy.mended_from == scan.pk


def test_a_reviewed_image_is_not_replaced(owner):
    from django.utils import timezone

    from classifier.services.review import record_diagnosis

    scan = make_scan(owner, input_problems=[MARKED])
    make_analysis(scan, state="succeeded")
    record_diagnosis(scan, by=owner, finding="glioma", source="histology", confirmed_on=timezone.now().date())
    with pytest.raises(Conflict, match="was not replaced"):
        mending.blank_scan(get_scan(owner, scan.pk), by=owner)
    assert Scan.objects.filter(pk=scan.pk).exists()


def test_nothing_to_mend_is_said(owner, scan):
    with pytest.raises(Conflict, match="nothing to mend"):
        mending.turn_scan(scan, by=owner)
