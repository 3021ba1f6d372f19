"""Explanations of results: requests by people, and what workers do to the rows."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from classifier.events import Kind, record_events
from classifier.models import Analysis, AssistantProvider, Event, Explanation, Scan, User
from classifier.permissions import can_view
from classifier.queue.finished import publish_finished
from classifier.queue.notify import notify_assistant_workers
from classifier.services.errors import Conflict, Invalid, NotAllowed, Sealed, Withheld
from classifier.services.leases import Claim, ClaimLost, Leases
from classifier.services.limits import GIVEN_UP, LEASE, MAX_ATTEMPTS, NO_WORKER
from classifier.services.picture_check import queue_check
from classifier.wording import withheld

logger = structlog.get_logger(__name__)

REFUSED = "You don't have permission to explain this scan."
LOST = "The explanation was interrupted. Try again."
HOUR = timedelta(hours=1)


ExplanationClaim = Claim[Explanation]
leases = Leases(Explanation, length=LEASE, max_attempts=MAX_ATTEMPTS)


def explainable_analysis(scan: Scan, *, by: User) -> Analysis:
    """Return the analysis of a scan that an explanation is about.

    Args:
        scan: as loaded by a selector for `by`.
        by: the person who asks.

    Raises:
        NotAllowed: if the person cannot see the scan.
        Sealed: if the result is closed to the person.
        Withheld: if the input check withholds the answer.
        Conflict: if the current analysis has no result.
    """
    if not can_view(by, scan):
        raise NotAllowed(REFUSED)
    if scan.closed:
        raise Sealed
    analysis = scan.current_analysis
    if withheld(analysis):
        raise Withheld
    if analysis is None or not analysis.outcome:
        raise Conflict(
            "The current analysis of this scan has no result to explain. Ask again when it has succeeded.",
            code="no_result",
        )
    return analysis


def store_explanation(analysis: Analysis, *, by: User, provider: str, text: str) -> Explanation:
    """Store a finished explanation. An equal one of the same analysis is returned instead of stored again.

    Raises:
        Conflict: if the scan was deleted.
    """
    try:
        with transaction.atomic():
            same = Explanation.objects.filter(analysis=analysis, provider=provider, text=text).first()
            return same or Explanation.objects.create(
                scan_id=analysis.scan_id,
                analysis=analysis,
                requested_by=by,
                provider=provider,
                text=text,
                finished_at=timezone.now(),
            )
    except IntegrityError as error:
        raise Conflict("This scan was deleted. Nothing was stored.", code="scan_deleted") from error


def queue_explanation(
    analysis: Analysis, *, by: User, provider: AssistantProvider, with_image: bool, fields: Sequence[str]
) -> Explanation:
    """Queue the request for an explanation by a language model, and record what will be sent.

    Args:
        analysis: with a result that is open to `by`.
        by: the person who asks.
        provider: an enabled provider.
        with_image: whether the person wants the image to be sent.
        fields: keys of the fields that are sent.

    Raises:
        Invalid: if the provider is not enabled, or may not get the image.
        Conflict: if the person waits for another one of this analysis, has used up the limit, or the scan was deleted.
    """
    check_provider(provider, with_image=with_image)
    check_rate(provider, by=by)
    try:
        with transaction.atomic():
            row = Explanation.objects.create(
                scan_id=analysis.scan_id,
                analysis=analysis,
                requested_by=by,
                provider=provider.name,
                model=provider.model,
                state=Explanation.State.QUEUED,
                with_image=with_image,
                fields=list(fields),
            )
            payload = {"provider": provider.name, "model": provider.model, "fields": list(fields)}
            record_events(
                [
                    Event(
                        kind=Kind.ASSISTANT_REQUESTED,
                        scan_id=analysis.scan_id,
                        analysis_id=analysis.pk,
                        actor=by,
                        payload=payload,
                    )
                ]
            )
            transaction.on_commit(notify_assistant_workers)
    except IntegrityError as error:
        if not Scan.objects.filter(pk=analysis.scan_id).exists():
            raise Conflict("This scan was deleted. Nothing was sent.", code="scan_deleted") from error
        raise Conflict(
            "You are already waiting for an explanation of this result. It appears here when it is ready.",
            code="already_requested",
        ) from error
    logger.info("explanation_requested", explanation=str(row.pk), provider=provider.name, by=by.pk, image=with_image)
    return row


def check_rate(provider: AssistantProvider, *, by: User) -> None:
    """Raise `Conflict` if a person has used up the requests to a provider of the last hour."""
    since = timezone.now() - HOUR
    used = Event.objects.filter(
        kind=Kind.ASSISTANT_REQUESTED, actor=by, at__gte=since, payload__provider=provider.name
    ).count()
    if used >= provider.requests_per_hour:
        raise Conflict(
            f"You have sent {used} request{'' if used == 1 else 's'} to {provider.name} within an hour, which is the "
            "limit. Try again later. "
            "The built-in explanation is always there.",
            code="rate_limit",
        )


def claim_explanation(*, now: datetime | None = None) -> ExplanationClaim | None:
    """Claim the oldest explanation that waits, or whose worker died; None if there is none."""
    return leases.claim(now=now, partial="")


def write_explanation(claim: ExplanationClaim, text: str) -> None:
    """Store the finished and checked sentences of an answer that is still being written.

    Raises:
        ClaimLost: if the claim no longer holds. Nothing is stored.
    """
    if not _published(claim, changed=leases.change(claim, partial=text, chunk=F("chunk") + 1)):
        raise ClaimLost


def finish_explanation(
    claim: ExplanationClaim,
    *,
    text: str,
    blocked: Sequence[str],
    input_tokens: int,
    output_tokens: int,
    seconds: float,
    parts: Sequence[Mapping[str, Any]] = (),
    statements: Sequence[str] = (),
    provider: AssistantProvider | None = None,
) -> bool:
    """Store a checked explanation, and queue the check of its statements about the picture.

    Args:
        claim: the claim.
        text: the explanation, its statements about the picture marked as not checked.
        blocked: reason of each sentence that was removed.
        input_tokens: as the provider counted them.
        output_tokens: as the provider counted them.
        seconds: time of the request.
        parts: the text in parts.
        statements: its statements about the picture.
        provider: the provider; None queues no check.

    Returns:
        True if the claim still held.
    """
    with transaction.atomic():
        ended = leases.end(
            claim,
            state=Explanation.State.SUCCEEDED,
            text=text,
            partial="",
            parts=list(parts),
            blocked=list(blocked),
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            seconds=seconds,
        )
        if ended and statements and provider is not None and provider.picture_check:
            queue_check(claim.row, provider=provider, statements=statements)
    return _published(claim, changed=ended)


def fail_explanation(claim: ExplanationClaim, message: str, *, blocked: Sequence[str] = ()) -> bool:
    """End an explanation with a sentence for people; nothing of its text stays. Return True if the claim still held."""
    return _published(claim, changed=leases.fail(claim, message, partial="", blocked=list(blocked)))


def sweep_explanations(*, now: datetime | None = None) -> None:
    """Fail explanations that were interrupted too often or never taken, and notify the workers if any wait."""
    leases.fail_lost(LOST, now=now, partial="")
    leases.fail_unclaimed(NO_WORKER, after=GIVEN_UP, now=now)
    waits = AssistantProvider.objects.filter(test_state=AssistantProvider.Test.WAITING).exists()
    if waits or leases.due(now=now).exists():
        notify_assistant_workers()


def check_provider(provider: AssistantProvider, *, with_image: bool) -> None:
    """Raise `Invalid` if a provider is not enabled, or may not get the image."""
    if not provider.enabled:
        raise Invalid("This provider is not enabled.", code="unknown_provider")
    if with_image and not provider.image_allowed:
        raise Invalid(f"The image may not be sent to {provider.name}.", code="image_not_allowed")


def _published(claim: ExplanationClaim, *, changed: bool) -> bool:
    """Notify the waiting clients that an explanation has grown or ended. Return `changed`."""
    if changed:
        publish_finished([claim.row.pk])
    return changed
