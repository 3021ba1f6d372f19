"""The queue's life: claims, leases, late writers, attempts, cancelling, sweeping."""

import threading
from datetime import timedelta

import numpy as np
import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from classifier.findings import Outcome
from classifier.inference.decision import Decision
from classifier.models import Analysis, ClassMaps
from classifier.services import analysis as service
from classifier.services.errors import Conflict, Invalid
from tests.factories import UserFactory, make_analysis, make_scan

pytestmark = pytest.mark.django_db

DECISION = Decision(
    outcome=Outcome.CLASSIFIED,
    finding="glioma",
    probabilities=(0.9, 0.05, 0.03, 0.02),
    confidence=0.9,
    ood_score=0.1,
)
MAPS = np.ones((10, 10, 4), dtype=np.float16)


def finish(claim: service.Claim) -> bool:
    return service.finish_analysis(claim, decision=DECISION, class_maps=MAPS, model_version="1", milliseconds=200.0)


def queued(owner, *, count: int = 1) -> list[Analysis]:
    return [make_analysis(make_scan(owner)) for _ in range(count)]


def expire(claim: service.Claim) -> None:
    Analysis.objects.filter(pk=claim.analysis.pk).update(lease_expires_at=timezone.now() - timedelta(seconds=1))


def test_oldest_are_claimed_first_and_once(owner):
    first, second, third = queued(owner, count=3)
    assert [c.analysis for c in service.claim_analyses(limit=2)] == [first, second]
    assert [c.analysis for c in service.claim_analyses(limit=2)] == [third]
    assert service.claim_analyses(limit=2) == []


def test_a_claim_starts_the_attempt_under_a_lease(owner):
    queued(owner)
    claim = service.claim_analyses(limit=1)[0]
    row = Analysis.objects.get()
    assert (row.state, row.attempts, row.lease_token) == ("running", 1, claim.token)
    assert row.lease_expires_at > timezone.now()


def test_finish_stores_the_result_and_its_maps(owner):
    queued(owner)
    claim = service.claim_analyses(limit=1)[0]
    assert finish(claim)
    row = Analysis.objects.get()
    assert (row.state, row.outcome, row.finding) == ("succeeded", "classified", "glioma")
    assert row.probabilities == pytest.approx([0.9, 0.05, 0.03, 0.02])
    assert (row.class_maps.rows, row.class_maps.columns) == (10, 10)


def test_a_result_is_written_once(owner):
    queued(owner)
    claim = service.claim_analyses(limit=1)[0]
    assert finish(claim)
    assert not finish(claim)
    assert ClassMaps.objects.count() == 1


def test_a_late_writer_loses(owner):
    queued(owner)
    late = service.claim_analyses(limit=1)[0]
    expire(late)
    current = service.claim_analyses(limit=1)[0]
    assert current.token != late.token
    assert not finish(late)
    assert Analysis.objects.get().state == "running"
    assert finish(current)


def test_a_lease_that_still_runs_is_not_robbed(owner):
    queued(owner)
    service.claim_analyses(limit=1)
    assert service.claim_analyses(limit=1) == []


def test_after_three_lost_workers_it_fails_with_a_reason(owner):
    queued(owner)
    for _ in range(3):
        expire(service.claim_analyses(limit=1)[0])
    assert service.claim_analyses(limit=1) == []
    assert service.sweep().failed == 1
    row = Analysis.objects.get()
    assert (row.state, row.failure_code) == ("failed", "worker_lost")
    assert row.failure_message.endswith("Try again later.")


def test_an_error_that_may_pass_rests_before_the_next_attempt(owner):
    queued(owner)
    service.release_analysis(service.claim_analyses(limit=1)[0], error=OSError("disk away"))
    assert service.claim_analyses(limit=1) == []
    later = timezone.now() + timedelta(seconds=60)
    assert service.claim_analyses(limit=1, now=later)[0].analysis.attempts == 2


def test_the_third_error_is_final_and_names_a_reference(owner):
    queued(owner)
    for attempt in range(3):
        now = timezone.now() + timedelta(minutes=attempt)
        service.release_analysis(service.claim_analyses(limit=1, now=now)[0], error=RuntimeError("secret detail"))
    row = Analysis.objects.get()
    assert row.state == "failed"
    assert str(row.pk)[:8] in row.failure_message
    assert "secret detail" not in row.failure_message


def test_unstarted_claims_go_back_without_costing_an_attempt(owner):
    queued(owner)
    service.return_unstarted(service.claim_analyses(limit=1))
    row = Analysis.objects.get()
    assert (row.state, row.attempts, row.lease_token) == ("queued", 0, None)


def test_cancel_only_while_queued(owner):
    analysis = queued(owner)[0]
    service.cancel_analysis(analysis, by=owner)
    assert Analysis.objects.get().state == "cancelled"
    with pytest.raises(Conflict):
        service.cancel_analysis(analysis, by=owner)


def test_a_cancelled_analysis_is_never_claimed(owner):
    service.cancel_analysis(queued(owner)[0], by=owner)
    assert service.claim_analyses(limit=1) == []


def test_a_deleted_scan_takes_its_running_analysis_along(owner):
    analysis = queued(owner)[0]
    claim = service.claim_analyses(limit=1)[0]
    analysis.scan.delete()
    assert not finish(claim)


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


def test_an_unknown_model_is_refused_by_name(owner):
    with pytest.raises(Invalid, match="no model “resnet”"):
        service.request_analysis(make_scan(owner), by=owner, model="resnet")


def test_sweep_counts_what_waits(owner):
    queued(owner, count=2)
    assert service.sweep() == service.Sweep(failed=0, waiting=2)


@pytest.mark.parametrize(
    "broken",
    [
        {"state": "running"},
        {"state": "succeeded"},
        {"state": "failed"},
        {"state": "queued", "outcome": "classified"},
        {"state": "queued", "lease_token": "0" * 32},
    ],
)
def test_the_database_refuses_impossible_states(owner, broken):
    analysis = queued(owner)[0]
    with pytest.raises(IntegrityError), transaction.atomic():
        Analysis.objects.filter(pk=analysis.pk).update(**broken)


@pytest.mark.django_db(transaction=True)
def test_many_workers_never_share_a_row():
    queued(UserFactory(), count=24)
    taken: list = []
    errors: list = []
    lock = threading.Lock()

    def work() -> None:
        try:
            while claims := service.claim_analyses(limit=3):
                with lock:
                    taken.extend(claim.analysis.pk for claim in claims)
        except Exception as error:  # reported by the main thread
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(taken) == len(set(taken)) == 24
