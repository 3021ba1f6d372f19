"""What the worker does at its start, and the tasks that are more than a call."""

import os
from pathlib import Path

import pytest

from classifier import tasks, worker
from classifier.inference.registry import ModelError
from tests.factories import make_scan


def test_a_worker_without_its_network_does_not_start(monkeypatch):
    """It would claim scans and fail each of them."""

    def unusable(name: str) -> None:
        raise ModelError("The weights are not those of the card.")

    monkeypatch.setattr(worker, "load_analyser", unusable)
    with pytest.raises(SystemExit) as stop:
        tasks.prepare()
    assert stop.value.code == 1


@pytest.mark.django_db
def test_pictures_without_a_scan_are_removed_by_beat(owner, settings):
    kept = make_scan(owner)
    orphan = Path(settings.MEDIA_ROOT) / "scans" / "00" / "00000000-0000-4000-8000-000000000000"
    orphan.mkdir(parents=True)
    os.utime(orphan, (0, 0))
    os.utime(Path(kept.image.path).parent, (0, 0))
    tasks.remove_orphaned_files()
    assert not orphan.exists()
    assert Path(kept.image.path).exists()
    names = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert names == {tasks.sweep.name, tasks.remove_orphaned_files.name}
