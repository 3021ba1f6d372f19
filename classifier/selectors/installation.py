"""Records about the whole installation. They name no patient, so they are not scoped to a user."""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from classifier.models import Installation

NO_MAIL_SERVER = ("django.core.mail.backends.console.EmailBackend", "django.core.mail.backends.dummy.EmailBackend")


@dataclass(frozen=True, slots=True)
class LastBackup:
    """The newest backup.

    Attributes:
        at: When it was made.
        path: Where, on the host that made it.
        scans: Number of scans in it.
        missing: Number of image files that the storage did not have.
    """

    at: datetime
    path: str
    scans: int
    missing: int


def sends_email() -> bool:
    """Return whether e-mails reach people. Without `EMAIL_URL` they are written to the server's log."""
    return settings.EMAIL_BACKEND not in NO_MAIL_SERVER


def last_backup() -> LastBackup | None:
    """Return the newest backup; None if there was none."""
    facts = Installation.objects.values_list("last_backup", flat=True).first()
    if not facts:
        return None
    return LastBackup(
        at=datetime.fromisoformat(facts["at"]), path=facts["path"], scans=facts["scans"], missing=facts["missing"]
    )
