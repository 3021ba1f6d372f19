"""The periodic tasks that Celery beat asks for."""

from typing import Any

# Often enough for notifications, seldom enough to cost nothing.
NOTIFY_SECONDS = 10
# Orphaned files only take space.
ORPHANS_SECONDS = 3600


def beat_schedule(*, sweep_seconds: int) -> dict[str, dict[str, Any]]:
    """Return the schedule of every periodic task.

    Args:
        sweep_seconds: Time between sweeps, from the setting `SWEEP_SECONDS`.
    """
    return {
        "sweep": _every(sweep_seconds, "classifier.sweep"),
        "notify-people": _every(NOTIFY_SECONDS, "classifier.notify_people"),
        "deliver-webhooks": _every(NOTIFY_SECONDS, "classifier.deliver_webhooks"),
        "remove-orphaned-files": _every(ORPHANS_SECONDS, "classifier.remove_orphaned_files"),
    }


def _every(seconds: int, task: str) -> dict[str, Any]:
    # A message expires when the next is due, so that none pile up while no worker runs.
    return {"task": task, "schedule": seconds, "options": {"expires": seconds}}
