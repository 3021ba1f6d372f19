"""Every end of an analysis records one event in the same transaction and notifies the waiters."""

import time
import uuid
from datetime import timedelta
from uuid import UUID

import numpy as np
import pytest
from django.db import transaction
from django.utils import timezone
from kombu import Exchange, Queue

from classifier.events import Kind, record_events
from classifier.findings import Outcome
from classifier.inference.decision import Decision
from classifier.models import Analysis, Event
from classifier.queue import claim as queue
from classifier.queue import finished
from classifier.services.analysis import cancel_analysis
from classifier.services.errors import Conflict
from classifier.services.scan import delete_scan, submit_scan
from tests.factories import make_analysis, make_scan, png_bytes

DECISION = Decision(Outcome.CLASSIFIED, "glioma", (0.9, 0.05, 0.03, 0.02), 0.9, 0.1)


def result_of(claim: queue.Claim) -> queue.Result:
    maps = np.ones((10, 10, 4), np.float16)
    return queue.Result(claim, decision=DECISION, class_maps=maps, model_version="1", milliseconds=200.0)


def claimed(analysis: Analysis, *, attempts: int = 0) -> queue.Claim:
    Analysis.objects.filter(pk=analysis.pk).update(attempts=attempts)
    [claim] = queue.claim_analyses(limit=1)
    return claim


def succeed(analysis: Analysis) -> None:
    queue.finish_analyses([result_of(claimed(analysis))])


def fail(analysis: Analysis) -> None:
    queue.fail_analysis(claimed(analysis), code="image_unreadable", message="It cannot be read.")


def fail_after_the_last_attempt(analysis: Analysis) -> None:
    queue.release_analysis(claimed(analysis, attempts=2), error=RuntimeError("broken"))


def lose_the_last_worker(analysis: Analysis) -> None:
    claimed(analysis, attempts=2)
    queue.sweep(now=timezone.now() + timedelta(minutes=5))


def cancel(analysis: Analysis) -> None:
    cancel_analysis(analysis, by=analysis.requested_by)


ENDS = [
    (succeed, Kind.ANALYSIS_SUCCEEDED),
    (fail, Kind.ANALYSIS_FAILED),
    (fail_after_the_last_attempt, Kind.ANALYSIS_FAILED),
    (lose_the_last_worker, Kind.ANALYSIS_FAILED),
    (cancel, Kind.ANALYSIS_CANCELLED),
]


@pytest.fixture
def announced(monkeypatch) -> set[UUID]:
    """The ids that a listener has received over the in-memory broker."""
    exchange = Exchange(f"finished-{uuid.uuid4()}", type="fanout")
    monkeypatch.setattr(finished, "FINISHED_EXCHANGE", exchange)
    monkeypatch.setattr(finished, "FINISHED_QUEUE", Queue(exchange.name, exchange))
    ids: set[UUID] = set()
    listener = finished.FinishedListener(ids.update)
    listener.start()
    wait_for(lambda: listener.is_listening)
    return ids


def wait_for(condition, *, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("end", "kind"), ENDS, ids=lambda value: getattr(value, "__name__", value))
def test_every_end_has_one_event_and_notifies_the_waiters(owner, announced, end, kind):
    analysis = make_analysis(make_scan(owner))
    end(analysis)
    event = Event.objects.get()
    assert (event.kind, event.analysis_id, event.scan_id) == (kind, analysis.pk, analysis.scan_id)
    assert event.actor == (owner if end is cancel else None)
    analysis.refresh_from_db()
    assert kind == f"analysis.{analysis.state}"
    assert event.at == analysis.finished_at
    wait_for(lambda: announced == {analysis.pk})


@pytest.mark.django_db
def test_an_end_that_comes_too_late_leaves_no_event(owner, django_capture_on_commit_callbacks):
    analysis = make_analysis(make_scan(owner))
    late = claimed(analysis)
    queue.finish_analyses([result_of(late)])
    with django_capture_on_commit_callbacks() as callbacks:
        assert not queue.fail_analysis(late, code="x", message="It stopped.")
        assert not queue.finish_analyses([result_of(late)])
        with pytest.raises(Conflict):
            cancel_analysis(analysis, by=owner)
    assert callbacks == []
    assert Event.objects.count() == 1


@pytest.mark.django_db
def test_a_released_analysis_has_not_ended(owner):
    queue.release_analysis(claimed(make_analysis(make_scan(owner))), error=OSError("disk"))
    assert not Event.objects.exists()


@pytest.mark.django_db
def test_an_end_that_is_rolled_back_leaves_no_event(owner):
    analysis = make_analysis(make_scan(owner))
    with transaction.atomic():
        cancel(analysis)
        transaction.set_rollback(True)
    assert not Event.objects.exists()
    assert Analysis.objects.get().state == "queued"


@pytest.mark.django_db
def test_the_events_of_a_scan_outlive_it(owner):
    scan = submit_scan(owner=owner, file=png_bytes(), patient_reference="P-77", notes="left temporal").scan
    scan_id = scan.pk
    delete_scan(scan, by=owner)
    events = Event.objects.filter(scan_id=scan_id)
    assert [(event.kind, event.actor) for event in events] == [("scan.created", owner), ("scan.deleted", owner)]
    assert not any("P-77" in str(event.payload) for event in events)


@pytest.mark.django_db(transaction=True)
def test_deleting_a_scan_notifies_the_waiters_of_its_analysis(owner, announced):
    analysis = make_analysis(make_scan(owner))
    delete_scan(analysis.scan, by=owner)
    wait_for(lambda: announced == {analysis.pk})


@pytest.mark.django_db
def test_an_event_is_never_changed_or_deleted(owner):
    cancel(make_analysis(make_scan(owner)))
    event = Event.objects.get()
    for change in (event.save, event.delete, Event.objects.all().delete, lambda: Event.objects.update(kind="x")):
        with pytest.raises(TypeError, match="append-only"):
            change()


@pytest.mark.django_db(transaction=True)
def test_an_event_without_a_transaction_is_refused():
    with pytest.raises(transaction.TransactionManagementError):
        record_events([Event(kind=Kind.SCAN_CREATED)])
