"""Checks of statements about pictures: what workers do to the rows."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from classifier.events import Kind, record_events
from classifier.models import AssistantProvider, Event, Explanation, PictureCheck, lengths
from classifier.queue.finished import publish_finished
from classifier.queue.notify import notify_assistant_workers
from classifier.services.leases import Claim, Leases
from classifier.services.limits import GIVEN_UP, LEASE, MAX_ATTEMPTS, NO_WORKER

LOST = "The check against the picture was interrupted."
FIELDS = ("statements", "image_blank", "image_mirrored")
"""What the two further requests send besides the fields of the first, for the audit."""

CheckClaim = Claim[PictureCheck]
leases = Leases(PictureCheck, length=LEASE, max_attempts=MAX_ATTEMPTS)


def queue_check(explanation: Explanation, *, provider: AssistantProvider, statements: Sequence[str]) -> None:
    """Queue the check of an explanation's statements about the picture, and record what will be sent.

    Call it in the transaction that stores the explanation.
    """
    PictureCheck.objects.create(explanation=explanation, statements=[{"text": text} for text in statements])
    fields = [*explanation.fields, *FIELDS]
    event = Event(
        kind=Kind.ASSISTANT_CHECKED,
        scan_id=explanation.scan_id,
        analysis_id=explanation.analysis_id,
        actor=explanation.requested_by,
        payload={"provider": provider.name, "model": provider.model, "fields": fields, "requests": 2},
    )
    record_events([event])
    transaction.on_commit(notify_assistant_workers)


def claim_check(*, now: datetime | None = None) -> CheckClaim | None:
    """Claim the oldest check that waits, or whose worker died; None if there is none."""
    return leases.claim(now=now)


def finish_check(
    claim: CheckClaim,
    *,
    text: str,
    statements: Sequence[Mapping[str, Any]],
    failure: str,
    input_tokens: int,
    output_tokens: int,
    seconds: float,
) -> bool:
    """Store the marks with the marked text of the explanation. Return True if the claim still held.

    Args:
        claim: the claim.
        text: the explanation with its marks.
        statements: each statement with its mark and answers.
        failure: a sentence if one of the two requests failed; else "".
        input_tokens: of both requests.
        output_tokens: of both requests.
        seconds: of both requests.
    """
    with transaction.atomic():
        ended = leases.end(
            claim,
            state=PictureCheck.State.SUCCEEDED,
            statements=list(statements),
            failure_message=failure[: lengths.SENTENCE],
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            seconds=seconds,
        )
        if ended:
            Explanation.objects.filter(pk=claim.row.explanation_id).update(text=text)
    return _published(claim, ended=ended)


def fail_check(claim: CheckClaim, message: str) -> bool:
    """End a check without marks. The statements stay marked as not checked. Return True if the claim still held."""
    return _published(claim, ended=leases.fail(claim, message))


def sweep_checks(*, now: datetime | None = None) -> None:
    """Fail checks that were interrupted too often or never taken, and notify the workers if any wait."""
    leases.fail_lost(LOST, now=now)
    leases.fail_unclaimed(NO_WORKER, after=GIVEN_UP, now=now)
    if leases.due(now=now).exists():
        notify_assistant_workers()


def _published(claim: CheckClaim, *, ended: bool) -> bool:
    """Notify the waiting clients that a check has ended. Return `ended`."""
    if ended:
        publish_finished([claim.row.explanation_id])
    return ended
