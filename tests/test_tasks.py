"""The tasks that are more than a call."""

import os
from pathlib import Path

import pytest

from classifier import tasks
from tests.factories import make_scan


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
    periodic = (tasks.sweep, tasks.notify_people, tasks.deliver_webhooks, tasks.remove_orphaned_files)
    assert names == {task.name for task in periodic}
