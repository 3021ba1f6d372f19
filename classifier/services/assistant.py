"""Configure the providers of language models. Staff only; none is enabled unless staff enable it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from classifier.events import Kind, record_events
from classifier.models import AssistantProvider, AssistantTrial, Event, User, lengths
from classifier.queue.notify import notify_assistant_workers
from classifier.services.errors import Conflict, Invalid, NotAllowed
from classifier.services.secrets import decrypt, encrypt

logger = structlog.get_logger(__name__)

EDITABLE = (
    "name",
    "kind",
    "model",
    "url",
    "enabled",
    "image_allowed",
    "picture_check",
    "requests_per_hour",
    "max_tokens",
    "timeout_seconds",
)
ENVIRONMENT_NAME = "environment"
# Fields of a provider that the environment gives.
FROM_ENVIRONMENT = ("name", "kind", "model", "url")
MAX_TEST = timedelta(minutes=6)
"""A connection test that began earlier has no worker any more: an answer may take five minutes."""
KEY_LOST = "The stored key cannot be read, because SECRET_KEY has changed. Enter the key again."


@dataclass(frozen=True, slots=True)
class Connection:
    """The data that a request to a provider needs.

    Attributes:
        key: the API key in clear text. It is left out of `repr`, so that no log shows it.
    """

    name: str
    kind: str
    model: str
    url: str
    max_tokens: int
    timeout_seconds: int
    key: str = field(repr=False)


def connection_of(provider: AssistantProvider) -> Connection:
    """Return the connection of a provider, with its key decrypted.

    Raises:
        Conflict: if the key cannot be read.
    """
    key = settings.ASSISTANT_KEY if provider.from_environment else decrypt(provider.key)
    if key is None:
        raise Conflict(KEY_LOST, code="key_lost")
    return Connection(
        name=provider.name,
        kind=provider.kind,
        model=provider.model,
        url=provider.url,
        max_tokens=provider.max_tokens,
        timeout_seconds=provider.timeout_seconds,
        key=key,
    )


def save_provider(
    provider: AssistantProvider | None, *, by: User, key: str | None = None, **fields: object
) -> AssistantProvider:
    """Create or change a provider.

    Args:
        provider: the provider to change; None creates one.
        by: The person who asks.
        key: a new API key; None keeps the stored one, "" removes it.
        **fields: values of `EDITABLE`.

    Raises:
        NotAllowed: if `by` is not a member of staff.
        Invalid: if a value is invalid.
    """
    _require_staff(by)
    row = provider or AssistantProvider()
    old_url, was_enabled = row.url, row.enabled
    for name, value in fields.items():
        if name in EDITABLE and not (row.from_environment and name in FROM_ENVIRONMENT):
            setattr(row, name, value)
    if key is not None and not row.from_environment:
        row.key = encrypt(key.strip())
    elif row.url != old_url and not row.from_environment and row.pk:
        # Otherwise a changed URL would receive a key that was entered for another one.
        row.key = ""
    _check(row)
    row.changed_by = by
    row.test_state, row.test_message = "", ""
    with transaction.atomic():
        row.save()
        record_events(
            [
                Event(
                    kind=Kind.ASSISTANT_CONFIGURED,
                    actor=by,
                    payload={"provider": row.name, "enabled": row.enabled, "image_allowed": row.image_allowed},
                )
            ]
        )
    logger.info("assistant_provider_saved", provider=row.name, by=by.pk, enabled=row.enabled, was_enabled=was_enabled)
    return row


def delete_provider(provider: AssistantProvider, *, by: User) -> None:
    """Delete a provider with its key. Explanations that it wrote stay. Raise `NotAllowed` for others than staff."""
    _require_staff(by)
    with transaction.atomic():
        record_events(
            [Event(kind=Kind.ASSISTANT_CONFIGURED, actor=by, payload={"provider": provider.name, "deleted": True})]
        )
        provider.delete()
    logger.info("assistant_provider_deleted", provider=provider.name, by=by.pk)


def request_test(provider: AssistantProvider, *, by: User) -> None:
    """Ask a worker to test the connection of a provider. Raise `NotAllowed` for others than staff."""
    _require_staff(by)
    with transaction.atomic():
        AssistantProvider.objects.filter(pk=provider.pk).update(
            test_state=AssistantProvider.Test.WAITING, test_message="", tested_at=timezone.now()
        )
        transaction.on_commit(notify_assistant_workers)


def claim_test() -> AssistantProvider | None:
    """Take a provider whose connection is to be tested; None if there is none."""
    with transaction.atomic():
        waiting = AssistantProvider.objects.filter(test_state=AssistantProvider.Test.WAITING)
        row = waiting.select_for_update(skip_locked=True).first()
        if row is None:
            return None
        AssistantProvider.objects.filter(pk=row.pk).update(
            test_state=AssistantProvider.Test.RUNNING, tested_at=timezone.now()
        )
        return row


def fail_interrupted_tests(*, now: datetime | None = None) -> None:
    """End connection tests whose worker died."""
    begun_before = (now or timezone.now()) - MAX_TEST
    AssistantProvider.objects.filter(test_state=AssistantProvider.Test.RUNNING, tested_at__lt=begun_before).update(
        test_state=AssistantProvider.Test.FAILED, test_message="The test was interrupted. Test again."
    )


def finish_test(provider: AssistantProvider, *, succeeded: bool, message: str) -> None:
    """Store the result of a connection test."""
    state = AssistantProvider.Test.SUCCEEDED if succeeded else AssistantProvider.Test.FAILED
    AssistantProvider.objects.filter(pk=provider.pk).update(
        test_state=state, test_message=message[: lengths.SENTENCE], tested_at=timezone.now()
    )


def adopt_environment() -> None:
    """Create or update the provider that the environment names. It stays off until staff enable it."""
    if not settings.ASSISTANT_KIND:
        return
    values = {
        "name": settings.ASSISTANT_NAME or ENVIRONMENT_NAME,
        "kind": settings.ASSISTANT_KIND,
        "model": settings.ASSISTANT_MODEL,
        "url": settings.ASSISTANT_URL,
    }
    row = AssistantProvider.objects.filter(from_environment=True).first()
    if row is None:
        row = AssistantProvider(from_environment=True)
    elif all(getattr(row, name) == value for name, value in values.items()):
        return
    else:
        # Another place to send data to is a new decision of staff.
        row.enabled = row.image_allowed = False
    for name, value in values.items():
        setattr(row, name, value)
    _check(row)
    row.save()


def _check(row: AssistantProvider) -> None:
    if not re.fullmatch(AssistantProvider.NAME, row.name) or row.name == "built-in":
        raise Invalid(
            f"A name has lower-case letters, digits, and hyphens, {lengths.PROVIDER_NAME} at most.", code="invalid_name"
        )
    if row.kind == AssistantProvider.Kind.COMPATIBLE and not row.url:
        raise Invalid("Enter the URL of the server, for example http://127.0.0.1:11434/v1.", code="invalid_url")
    parts = urlsplit(row.url)
    if row.url and (parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query):
        raise Invalid("A URL begins with https:// or http:// and holds no password.", code="invalid_url")
    needs_key = row.kind != AssistantProvider.Kind.COMPATIBLE
    if row.enabled and needs_key and not row.key and not row.from_environment:
        raise Invalid("Enter the API key before you enable this provider.", code="no_key")
    try:
        row.full_clean(exclude=["changed_by", "key"])
    except ValidationError as error:
        raise Invalid(" ".join(error.messages), code="invalid_provider") from error


def _require_staff(by: User) -> None:
    if not by.is_staff:
        raise NotAllowed("Only administrators can change the providers of language models.")


def store_trial(
    provider: AssistantProvider, *, started_at: datetime, figures: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]
) -> AssistantTrial:
    """Store the figures of a provider on the sample images.

    Args:
        provider: the provider.
        started_at: when the trial began.
        figures: `classifier.assistant_figures.Figures` as a mapping.
        rows: what it did with each image.
    """
    return AssistantTrial.objects.create(
        provider=provider.name,
        model=provider.model,
        started_at=started_at,
        images=len(rows),
        figures=dict(figures),
        rows=[dict(row) for row in rows],
    )
