"""The life of a worker process: its report, its rings, its end."""

import pytest

from classifier import tasks
from classifier.inference.registry import ModelError
from classifier.models import Analysis, WorkerProcess
from classifier.worker import process
from tests.factories import make_analysis, make_scan


@pytest.fixture
def tiny_models(settings, tmp_path):
    from tests.inference.conftest import make_tiny_model

    make_tiny_model(tmp_path / "models" / "tiny")
    settings.MODELS_DIR, settings.MODEL, settings.ENGINE = tmp_path / "models", "tiny", "keras"


@pytest.mark.django_db(transaction=True)
def test_from_start_to_end(tiny_models, owner, monkeypatch):
    monkeypatch.setattr(process, "_analyzers", {})
    monkeypatch.setattr(tasks, "_worker", None)
    make_analysis(make_scan(owner), model_name="tiny")
    tasks.start()
    try:
        tasks.process_queue.apply()
        pipeline = tasks._worker.pipeline
        for _ in range(200):
            if Analysis.objects.get().is_finished and WorkerProcess.objects.exists():
                break
            pipeline.wait_until_idle(seconds=1)
        row = Analysis.objects.select_related("class_maps").get()
        assert (row.state, row.model_version, row.attempts) == ("succeeded", "1", 1)
        reported = WorkerProcess.objects.get()
        assert (reported.model_name, reported.engine) == ("tiny", "keras")
        assert set(reported.measurements) >= {"batch_size", "queued_seconds", "decode_seconds", "finished"}
    finally:
        tasks.stop_claiming()
        tasks.stop()
    assert not WorkerProcess.objects.exists()


def test_a_worker_without_its_network_does_not_start(monkeypatch):
    """It would claim scans and fail each of them."""

    def unusable(name: str) -> None:
        raise ModelError("The weights are not those of the card.")

    monkeypatch.setattr(process, "load_analyzer", unusable)
    with pytest.raises(SystemExit) as stop:
        tasks.start()
    assert stop.value.code == 1
