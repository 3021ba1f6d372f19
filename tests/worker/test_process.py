"""A worker process from start to end: heartbeats, notifications, shutdown."""

import shutil

import pytest

from classifier import tasks
from classifier.inference.appearance import FEATURES
from classifier.inference.registry import ModelError
from classifier.models import Analysis, WorkerProcess
from classifier.services.model import set_installation_model
from classifier.worker import process
from tests.factories import make_analysis, make_scan


@pytest.fixture
def tiny_models(settings, tmp_path):
    from tests.inference.conftest import make_tiny_model

    folder = make_tiny_model(tmp_path / "models" / "tiny")
    for name in ("other", "damaged"):
        shutil.copytree(folder, folder.parent / name)
    (folder.parent / "damaged" / "tiny.weights.h5").write_bytes(b"")
    settings.MODELS_DIR, settings.MODEL, settings.ENGINE = tmp_path / "models", "tiny", "keras"


@pytest.mark.django_db(transaction=True)
def test_from_start_to_end(tiny_models, owner, monkeypatch):
    """One worker runs analyses of several models, and fails those of models that are unknown or damaged."""
    monkeypatch.setattr(tasks, "_worker", None)
    for model in ("tiny", "other", "unknown", "damaged"):
        make_analysis(make_scan(owner), model_name=model)
    tasks.start()
    try:
        tasks.process_queue.apply()
        pipeline = tasks._worker.pipeline
        for _ in range(200):
            if all(row.is_finished for row in Analysis.objects.all()) and WorkerProcess.objects.exists():
                break
            pipeline.wait_until_idle(seconds=1)
        rows = {row.model_name: row for row in Analysis.objects.select_related("class_maps")}
        for model in ("tiny", "other"):
            row = rows[model]
            assert (row.state, row.model_version, row.attempts) == ("succeeded", "1", 1)
            assert row.class_maps.data
            assert len(row.appearance) == len(FEATURES)
        for model in ("unknown", "damaged"):
            row = rows[model]
            assert (row.state, row.failure_code, row.attempts) == ("failed", "model_unusable", 1)
            assert row.failure_message.startswith(f"The model “{model}” cannot be used on this server")
        reported = WorkerProcess.objects.get()
        assert (reported.model_name, reported.engine) == ("tiny", "keras")
        assert set(reported.measurements) >= {"batch_size", "queued_seconds", "decode_seconds", "finished"}
    finally:
        tasks.stop_claiming()
        tasks.stop()
    assert not WorkerProcess.objects.exists()


@pytest.mark.django_db
def test_a_worker_without_its_network_does_not_start(monkeypatch):
    """It would claim scans and fail each of them."""

    monkeypatch.setattr(process, "load_analyzer", unusable)
    with pytest.raises(SystemExit) as stop:
        tasks.start()
    assert stop.value.code == 1


@pytest.mark.django_db
def test_a_damaged_choice_of_staff_leaves_the_model_of_the_environment(monkeypatch, two_models, staff):
    """Uploads that name no model fail with a sentence; the others are analyzed."""
    set_installation_model(by=staff, model="compact")
    tried = []

    class Worker:
        def __init__(self, model: str) -> None:
            tried.append(model)
            self.model = (model, "1.0")
            if model == "compact":
                unusable(model)

    monkeypatch.setattr(process, "Worker", Worker)
    monkeypatch.setattr(tasks, "_worker", None)
    tasks.start()
    assert tried == ["compact", "xception"]


def unusable(name: str) -> None:
    raise ModelError("The weights are not those of the card.")
