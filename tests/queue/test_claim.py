"""The worker's writes: claims, leases, late writers, attempts, sweeping."""

import threading
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from classifier.findings import Outcome
from classifier.inference.decision import Decision
from classifier.models import Analysis, ClassMaps, Scan
from classifier.queue import claim as service
from classifier.services.scan import delete_scan
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


def result_of(claim: service.Claim) -> service.Result:
    return service.Result(claim, decision=DECISION, class_maps=MAPS, model_version="1", milliseconds=200.0)


def finish(claim: service.Claim) -> bool:
    return service.finish_analyses([result_of(claim)]) == 1


def queued(owner, *, count: int = 1) -> list[Analysis]:
    return [make_analysis(make_scan(owner)) for _ in range(count)]


def expire(claim: service.Claim) -> None:
    Analysis.objects.filter(pk=claim.analysis.pk).update(lease_expires_at=timezone.now() - timedelta(seconds=1))


def test_oldest_are_claimed_first_and_once(owner):
    first, second, third = queued(owner, count=3)
    assert [c.analysis for c in service.claim_analyses(limit=2)] == [first, second]
    assert [c.analysis for c in service.claim_analyses(limit=2)] == [third]
    assert service.claim_analyses(limit=2) == []


def test_the_confidence_is_stored_as_exactly_as_the_probability_that_it_is(owner):
    queued(owner)
    decision = replace(DECISION, probabilities=(0.9123456789, 0.05, 0.03, 0.0076543211), confidence=0.9123456789)
    [claim] = service.claim_analyses(limit=1)
    assert service.finish_analyses([replace(result_of(claim), decision=decision)]) == 1
    row = Analysis.objects.get()
    assert row.confidence == row.probabilities[0] == 0.912346


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


def test_a_result_with_an_outdated_token_is_not_stored(owner):
    queued(owner)
    late = service.claim_analyses(limit=1)[0]
    expire(late)
    current = service.claim_analyses(limit=1)[0]
    assert current.token != late.token
    assert not finish(late)
    assert Analysis.objects.get().state == "running"
    assert finish(current)


def test_a_valid_lease_is_not_claimed_by_another_worker(owner):
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


def test_a_transient_error_delays_the_next_attempt(owner):
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


def test_a_renewed_lease_outlives_its_first_end(owner):
    queued(owner, count=2)
    claims = service.claim_analyses(limit=2)
    later = timezone.now() + timedelta(seconds=25)
    assert service.renew_leases({claims[0].token}, now=later) == 2
    assert service.claim_analyses(limit=2, now=later + timedelta(seconds=20)) == []


def test_a_lease_that_another_took_is_not_renewed(owner):
    queued(owner)
    late = service.claim_analyses(limit=1)[0]
    expire(late)
    service.claim_analyses(limit=1)
    assert service.renew_leases({late.token}) == 0
    assert service.renew_leases(set()) == 0


def test_results_of_a_batch_are_stored_together_without_the_late_ones(owner, django_assert_max_num_queries):
    queued(owner, count=3)
    claims = service.claim_analyses(limit=3)
    service.fail_analysis(claims[1], code="x", message="It stopped.")
    with django_assert_max_num_queries(8):
        assert service.finish_analyses([result_of(claim) for claim in claims]) == 2
    assert sorted(Analysis.objects.values_list("state", flat=True)) == ["failed", "succeeded", "succeeded"]
    assert ClassMaps.objects.count() == 2
    assert len(set(Analysis.objects.filter(state="succeeded").values_list("finished_at", flat=True))) == 1


def test_what_was_tried_before_is_claimed_alone(owner):
    """An image that ended its first worker must not fail others at the second attempt."""
    queued(owner, count=4)
    for claim in service.claim_analyses(limit=2):
        expire(claim)
    sizes = []
    while claims := service.claim_analyses(limit=4):
        sizes.append((len(claims), claims[0].analysis.attempts))
    assert sizes == [(1, 2), (1, 2), (2, 1)]


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL plans by statistics, which a test has none of.")
def test_the_queue_is_read_through_its_own_index(owner):
    """Among a million finished rows, reading them all at each look would be what the worker mostly does."""
    sql, params = service._due(timezone.now()).order_by(*Analysis.QUEUE_ORDER)[:4].query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}", params)
        plan = " ".join(str(row[3]) for row in cursor.fetchall())
    assert "USING INDEX analysis_queue_order" in plan
    assert "TEMP B-TREE" not in plan


def test_an_empty_queue_costs_one_read(owner, django_assert_num_queries):
    make_analysis(make_scan(owner), state="succeeded")
    with django_assert_num_queries(1):
        assert service.claim_analyses(limit=4) == []


def test_unstarted_claims_go_back_without_costing_an_attempt(owner):
    queued(owner)
    service.return_unstarted(service.claim_analyses(limit=1))
    row = Analysis.objects.get()
    assert (row.state, row.attempts, row.lease_token) == ("queued", 0, None)


def test_a_deleted_scan_takes_its_running_analysis_along(owner):
    analysis = queued(owner)[0]
    claim = service.claim_analyses(limit=1)[0]
    analysis.scan.delete()
    assert not finish(claim)


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


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite lets one transaction write at a time.")
@pytest.mark.django_db(transaction=True)
def test_a_result_that_comes_while_its_scan_is_deleted_is_late():
    owner = UserFactory()
    scan = make_scan(owner)
    make_analysis(scan)
    [claim] = service.claim_analyses(limit=1)
    written = []

    def finish():
        written.append(service.finish_analyses([result_of(claim)]))
        connection.close()

    worker = threading.Thread(target=finish)

    def finish_after_the_class_maps(execute, sql, params, many, context):
        done = execute(sql, params, many, context)
        if sql.startswith('DELETE FROM "classifier_classmaps"'):
            worker.start()
            worker.join(1)
        return done

    with connection.execute_wrapper(finish_after_the_class_maps):
        delete_scan(scan, by=owner)
    worker.join(20)
    assert written == [0]
    assert not Scan.objects.exists()
