"""Requests for analyses and their cancellation."""

import pytest

from classifier.models import Analysis, Scan
from classifier.queue.claim import claim_analyses
from classifier.services import analysis as service
from classifier.services.errors import Conflict, Invalid
from tests.factories import UserFactory, make_analysis, make_scan

pytestmark = pytest.mark.django_db


def ask(user, *, count: int = 1) -> list[Analysis]:
    return [service.request_analysis(make_scan(user), by=user) for _ in range(count)]


def test_cancel_only_while_queued(owner):
    analysis = ask(owner)[0]
    service.cancel_analysis(analysis, by=owner)
    assert Analysis.objects.get().state == "cancelled"
    with pytest.raises(Conflict):
        service.cancel_analysis(analysis, by=owner)


def test_a_cancelled_analysis_is_never_claimed(owner):
    service.cancel_analysis(ask(owner)[0], by=owner)
    assert claim_analyses(limit=1) == []


def test_trying_again_makes_a_new_current_analysis(owner):
    scan = make_scan(owner)
    failed = make_analysis(scan, state="failed")
    again = service.request_analysis(scan, by=owner)
    scan.refresh_from_db()
    assert scan.current_analysis == again
    assert set(scan.analyses.all()) == {failed, again}


def test_a_double_click_asks_once(owner):
    scan = make_scan(owner)
    service.request_analysis(scan, by=owner)
    with pytest.raises(Conflict):
        service.request_analysis(scan, by=owner)
    assert scan.analyses.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_scan_that_was_deleted_meanwhile_is_reported():
    owner = UserFactory()
    scan = make_scan(owner)
    Scan.objects.filter(pk=scan.pk).delete()
    with pytest.raises(Conflict, match="was deleted"):
        service.request_analysis(scan, by=owner)
    assert not Analysis.objects.exists()


def test_an_unknown_model_is_refused_by_name(owner):
    with pytest.raises(Invalid, match="no model “resnet”"):
        service.request_analysis(make_scan(owner), by=owner, model="resnet")
