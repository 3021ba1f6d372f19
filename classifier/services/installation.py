"""Records about the whole installation."""

from typing import Any

from classifier.models import Installation


def record_backup(facts: dict[str, Any]) -> None:
    """Record the newest backup, for administrators."""
    Installation.objects.update_or_create(pk=Installation.ONLY, defaults={"last_backup": facts})
