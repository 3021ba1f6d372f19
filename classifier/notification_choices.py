"""Which notifications a person wants, and where."""

from classifier.models import Notification, User

PAGE, EMAIL = "page", "email"
DESCRIPTIONS: dict[str, str] = {
    Notification.Kind.BATCH_DONE: "An upload of several files is analyzed",
    Notification.Kind.RETRY_DONE: "The retry of an upload is finished",
    Notification.Kind.FAILED: "An analysis failed",
    Notification.Kind.REVIEWED: "Someone reviewed one of my scans",
    Notification.Kind.DIAGNOSIS: "Someone recorded a diagnosis for one of my scans",
    Notification.Kind.ARCHIVE_DONE: "A file of reports is ready",
    Notification.Kind.MODEL_CHANGED: "The model changed",
}


def wants(user: User, kind: str, place: str) -> bool:
    """Return whether a person wants notifications of a kind at a place: `PAGE` or `EMAIL`."""
    return place in user.notification_choices.get(kind, [PAGE])


def wants_any(user: User, kind: str) -> bool:
    """Return whether a person wants notifications of a kind at all."""
    return wants(user, kind, PAGE) or wants(user, kind, EMAIL)
