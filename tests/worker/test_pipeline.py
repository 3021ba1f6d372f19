"""The pipeline in its real threads on a real database; only the network's answers are made up."""

import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from django.db import OperationalError, connection

from classifier.findings import Outcome
from classifier.inference.analyzer import ModelInput, ModelOutput
from classifier.inference.decision import Decision
from classifier.intake import read_canonical
from classifier.models import Analysis, ClassMaps
from classifier.worker import pipeline as module
from classifier.worker import result_writer
from classifier.worker.pipeline import Pipeline
from tests.factories import make_analysis, make_scan

pytestmark = pytest.mark.django_db(transaction=True)
DECISION = Decision(Outcome.CLASSIFIED, "glioma", (0.9, 0.05, 0.03, 0.02), 0.9, 0.1)
LOGITS = np.array([3.0, 1.0, 0.5, 0.0], np.float32)


class Analyzer:
    """Answers for every image. Batches with an image of `poison`'s mean brightness break; `gate` holds all up."""

    card = SimpleNamespace(name="xception", version="9", weights=SimpleNamespace(sha256="0" * 64))

    def __init__(self) -> None:
        self.poison: set[float] = set()
        self.batches: list[int] = []
        self.gate = threading.Event()
        self.gate.set()

    def prepare(self, images):
        means = np.array([[image.mean()] for image in images], np.float32)
        return ModelInput(means, means, 0.001)

    def forward(self, prepared, *, cards=None):
        assert self.gate.wait(20)
        self.batches.append(len(prepared.inputs))
        if self.poison & {float(value) for value in prepared.inputs.ravel()}:
            raise RuntimeError("the engine broke")
        return ModelOutput(prepared.inputs, prepared.appearance, 0.001)

    def decide(self, model_output, *, cards=None):
        maps = np.zeros((10, 10, 4), np.float16)
        return [
            SimpleNamespace(decision=DECISION, class_maps=maps, milliseconds=1.0, appearance=row, logits=LOGITS)
            for row in model_output.appearance
        ]


@pytest.fixture
def analyzer() -> Analyzer:
    return Analyzer()


@pytest.fixture
def start(analyzer, monkeypatch):
    """Return a function that starts a pipeline; it is stopped at the end of the test."""
    monkeypatch.setattr(module, "POLL_SECONDS", 0.2)
    for part in (module, result_writer):
        monkeypatch.setattr(part, "DATABASE_PAUSE_SECONDS", 0.05)
    started = []

    def make(**options) -> Pipeline:
        settings = {"batch_size": 4, "lease_seconds": 30, "stuck_seconds": 60} | options
        pipeline = Pipeline(load=lambda name: analyzer, **settings)
        pipeline.start()
        started.append(pipeline)
        return pipeline

    yield make
    analyzer.gate.set()
    for pipeline in started:
        assert pipeline.stop(seconds=20)
        for thread in pipeline._threads:
            thread.join(20)
            assert not thread.is_alive()


def states() -> list[str]:
    return sorted(Analysis.objects.values_list("state", flat=True))


def wait_for(condition, *, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s; states: {states()}"
        time.sleep(0.02)


def brightness_of(scan) -> float:
    with scan.image.open("rb") as file:
        return float(np.float32(read_canonical(file.read()).mean()))


def test_the_queue_is_processed_in_batches(start, analyzer, owner):
    for _ in range(6):
        make_analysis(make_scan(owner))
    pipeline = start()
    wait_for(lambda: states() == ["succeeded"] * 6)
    assert analyzer.batches == [4, 2]
    assert ClassMaps.objects.count() == 6
    figures = pipeline.measurements.as_dict()
    assert figures["batch_size"]["count"] == 2
    assert figures["queued_seconds"]["count"] == 6
    assert figures["finished"]["succeeded"] == 6


def test_a_notification_is_handled_before_the_next_poll(start, owner, monkeypatch):
    monkeypatch.setattr(module, "POLL_SECONDS", 60)
    pipeline = start()
    time.sleep(0.3)
    make_analysis(make_scan(owner))
    pipeline.wake()
    wait_for(lambda: states() == ["succeeded"], seconds=10)


def test_without_any_message_the_queue_is_still_found(start, owner):
    start()
    time.sleep(0.3)
    make_analysis(make_scan(owner))
    wait_for(lambda: states() == ["succeeded"])


def test_one_bad_image_fails_no_other(start, analyzer, owner):
    scans = [make_scan(owner) for _ in range(5)]
    for scan in scans:
        make_analysis(scan)
    analyzer.poison = {brightness_of(scans[2])}
    start(batch_size=8)
    wait_for(lambda: states() == ["queued", *["succeeded"] * 4])
    assert Analysis.objects.get(scan=scans[2]).attempts == 1
    assert set(Analysis.objects.exclude(scan=scans[2]).values_list("attempts", flat=True)) == {1}


@pytest.mark.parametrize("damage", ["missing", "garbage"])
def test_an_unreadable_file_fails_at_once_with_a_sentence(start, owner, damage):
    scan = make_scan(owner)
    make_analysis(scan)
    make_analysis(make_scan(owner))
    if damage == "missing":
        scan.image.storage.delete(scan.image.name)
    else:
        with scan.image.storage.open(scan.image.name, "wb") as file:
            file.write(b"garbage")
    pipeline = start()
    wait_for(lambda: states() == ["failed", "succeeded"])
    row = Analysis.objects.get(scan=scan)
    assert (row.state, row.failure_code) == ("failed", "image_unreadable")
    assert "Upload the file again" in row.failure_message
    assert pipeline.wait_until_idle(seconds=5)
    assert pipeline.measurements.as_dict()["finished"]["failed"] == 1


def test_stopping_finishes_what_is_in_the_network_and_gives_the_rest_back(start, analyzer, owner):
    for _ in range(6):
        make_analysis(make_scan(owner))
    analyzer.gate.clear()
    pipeline = start(batch_size=2)
    # One batch in the network, one read, one held back by the full queue.
    wait_for(lambda: states().count("running") == 6)
    pipeline.stop_claiming()
    analyzer.gate.set()
    assert pipeline.stop(seconds=20)
    assert states() == [*["queued"] * 4, *["succeeded"] * 2]
    assert set(Analysis.objects.filter(state="queued").values_list("attempts", flat=True)) == {0}


def test_a_long_batch_keeps_its_lease(start, analyzer, owner, settings):
    settings.LEASE_SECONDS = 1
    make_analysis(make_scan(owner))
    analyzer.gate.clear()
    start(lease_seconds=1)
    wait_for(lambda: states() == ["running"])
    first = Analysis.objects.get().lease_expires_at
    wait_for(lambda: Analysis.objects.get().lease_expires_at > first)
    analyzer.gate.set()
    wait_for(lambda: states() == ["succeeded"])
    assert Analysis.objects.get().attempts == 1


def test_a_repeated_attempt_runs_with_nothing_else_in_flight(start, analyzer, owner):
    suspect = make_analysis(make_scan(owner), attempts=1)
    Analysis.objects.filter(pk=suspect.pk).update(fair_turn=1)
    for _ in range(3):
        make_analysis(make_scan(owner))
    analyzer.gate.clear()
    start(batch_size=2)
    # The first two are in the network; the suspect behind them waits, and so does the last.
    wait_for(lambda: Analysis.objects.filter(state="running").count() >= 2)
    time.sleep(0.3)
    assert analyzer.batches == []
    analyzer.gate.set()
    wait_for(lambda: states() == ["succeeded"] * 4)
    assert analyzer.batches == [2, 1, 1]


def test_a_result_is_kept_while_the_database_is_unavailable(start, owner, monkeypatch):
    away = {"left": 5}
    real = result_writer.finish_analyses

    def finish(results):
        if away["left"]:
            away["left"] -= 1
            raise OperationalError("server closed the connection")
        return real(results)

    monkeypatch.setattr(result_writer, "finish_analyses", finish)
    make_analysis(make_scan(owner))
    start()
    wait_for(lambda: states() == ["succeeded"])
    assert (away["left"], Analysis.objects.get().attempts) == (0, 1)


def test_a_claim_that_fails_is_tried_again(start, owner, monkeypatch):
    calls = []
    real = module.claim_analyses

    def claim(*, limit):
        calls.append(limit)
        if len(calls) < 4:
            raise OperationalError("no connection")
        return real(limit=limit)

    monkeypatch.setattr(module, "claim_analyses", claim)
    make_analysis(make_scan(owner))
    start()
    wait_for(lambda: states() == ["succeeded"])


def test_a_scan_deleted_in_flight_fails_no_other(start, analyzer, owner):
    gone, kept = make_scan(owner), make_scan(owner)
    make_analysis(gone)
    make_analysis(kept)
    analyzer.gate.clear()
    pipeline = start()
    wait_for(lambda: states() == ["running", "running"])
    gone.delete()
    analyzer.gate.set()
    wait_for(lambda: states() == ["succeeded"])
    assert pipeline.wait_until_idle(seconds=5)
    assert pipeline.measurements.as_dict()["finished"]["late"] == 1


def test_an_unusable_model_fails_its_own_analyses_only(start, analyzer, owner, monkeypatch):
    make_analysis(make_scan(owner), model_name="broken", attempts=2)
    make_analysis(make_scan(owner))

    def load(name):
        if name == "broken":
            raise LookupError("no such model")
        return analyzer

    pipeline = Pipeline(load=load, batch_size=4, lease_seconds=30, stuck_seconds=60)
    pipeline.start()
    wait_for(lambda: states() == ["failed", "succeeded"])
    assert pipeline.stop(seconds=10)
    assert Analysis.objects.get(state="failed").failure_code == "internal_error"


def test_threads_give_their_connections_back(start, owner):
    make_analysis(make_scan(owner))
    pipeline = start()
    wait_for(lambda: states() == ["succeeded"])
    assert pipeline.stop(seconds=10)
    assert connection.in_atomic_block is False


def test_a_claim_on_its_way_while_the_worker_stops_is_given_back(start, owner, monkeypatch):
    make_analysis(make_scan(owner))
    asked, answer, whole = threading.Event(), threading.Event(), module.claim_analyses

    def slow(**options):
        asked.set()
        answer.wait(20)
        return whole(**options)

    monkeypatch.setattr(module, "claim_analyses", slow)
    pipeline = start()
    assert asked.wait(20)
    stopping = threading.Thread(target=pipeline.stop, kwargs={"seconds": 20})
    stopping.start()
    stopping.join(0.2)
    assert stopping.is_alive()
    answer.set()
    stopping.join(20)
    row = Analysis.objects.get()
    assert (row.state, row.attempts, row.lease_token) == ("queued", 0, None)
