"""Conversations about results: what people do, and what workers do to the rows."""

from collections.abc import Sequence
from datetime import datetime

import structlog
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from classifier.events import Kind, record_events
from classifier.models import Analysis, AssistantProvider, Conversation, Event, Message, User
from classifier.models.conversation import MAX_QUESTION, MAX_TITLE
from classifier.queue.finished import publish_finished
from classifier.queue.notify import notify_assistant_workers
from classifier.services.errors import Conflict, Invalid
from classifier.services.explanation import check_provider, check_rate
from classifier.services.leases import Claim, Leases
from classifier.services.limits import GIVEN_UP, LEASE, MAX_ATTEMPTS, NO_WORKER

logger = structlog.get_logger(__name__)

MAX_QUESTIONS = 20
"""Questions of a conversation. All of them are sent with each new one, so the cost grows with their number."""
MAX_CONVERSATIONS = 10
"""Conversations of a person about a scan."""
LOST = "The answer was interrupted. Try again."


MessageClaim = Claim[Message]
leases = Leases(Message, length=LEASE, max_attempts=MAX_ATTEMPTS)


def start_conversation(analysis: Analysis, *, by: User, provider: AssistantProvider, with_image: bool) -> Conversation:
    """Start a conversation about a result that is open to a person. Nothing is sent before the first question.

    Raises:
        Invalid: if the provider is not enabled, or may not get the image.
        Conflict: if the person has too many conversations about the scan, or the scan was deleted.
    """
    check_provider(provider, with_image=with_image)
    count = Conversation.objects.filter(scan=analysis.scan_id, owner=by).count()
    if count >= MAX_CONVERSATIONS:
        raise Conflict(
            f"You have {count} conversations about this scan, which is the limit. Delete one of them first.",
            code="too_many_conversations",
        )
    try:
        with transaction.atomic():
            return Conversation.objects.create(
                scan_id=analysis.scan_id,
                analysis=analysis,
                owner=by,
                title=f"Conversation {count + 1}",
                provider=provider.name,
                model=provider.model,
                with_image=with_image,
            )
    except IntegrityError as error:
        raise Conflict("This scan was deleted. Nothing was sent.", code="scan_deleted") from error


def rename_conversation(conversation: Conversation, *, title: str) -> None:
    """Give a conversation another title. Raise `Invalid` for an empty or long one."""
    title = " ".join(title.replace("\x00", "").split())
    if not title or len(title) > MAX_TITLE:
        raise Invalid(f"A title has 1 to {MAX_TITLE} characters.", code="invalid_title")
    Conversation.objects.filter(pk=conversation.pk).update(title=title)
    conversation.title = title


def delete_conversation(conversation: Conversation) -> None:
    """Delete a conversation with its messages. A worker that still writes an answer loses its claim."""
    conversation.delete()


def ask(
    conversation: Conversation,
    *,
    question: str,
    provider: AssistantProvider | None,
    fields: Sequence[str],
    refusal: str = "",
    replaces: Message | None = None,
) -> Message:
    """Ask a question, and record what will be sent.

    Args:
        conversation: of the person who asks.
        question: text of the person.
        provider: the provider of the conversation; None if it is no longer enabled.
        fields: keys of the fields that are sent.
        refusal: a fixed answer. With one, nothing is sent.
        replaces: an earlier question that this one replaces, with everything after it.

    Raises:
        Invalid: if the question is empty or too long, or the provider may not be used.
        Conflict: if an answer is being written, the person has used up a limit, or the conversation was deleted.
    """
    question = question.replace("\x00", "").replace("\r\n", "\n").strip()
    if not question or len(question) > MAX_QUESTION:
        raise Invalid(f"A question has 1 to {MAX_QUESTION:,} characters.", code="invalid_question")
    if provider is None:
        raise Invalid(
            "The language model of this conversation is no longer enabled. Start another conversation.",
            code="unknown_provider",
        )
    check_provider(provider, with_image=conversation.with_image)
    if not refusal:
        check_rate(provider, by=conversation.owner)
    try:
        with transaction.atomic():
            message = _add(conversation, question, refusal=refusal, replaces=replaces)
            if not refusal:
                _record(conversation, fields)
                transaction.on_commit(notify_assistant_workers)
    except IntegrityError as error:
        if not Conversation.objects.filter(pk=conversation.pk).exists():
            raise Conflict("This conversation was deleted. Nothing was sent.", code="deleted") from error
        raise Conflict("Wait for the answer, or stop it, before you ask again.", code="already_asked") from error
    logger.info("question_asked", conversation=str(conversation.pk), number=message.number, refused=bool(refusal))
    return message


def stop_answer(message: Message) -> None:
    """Stop an answer. What is written stays; the request to the provider ends with the next piece."""
    stopped = Message.objects.filter(pk=message.pk, state__in=Message.ACTIVE).update(
        state=Message.State.STOPPED, finished_at=timezone.now(), lease_token=None, lease_expires_at=None
    )
    if stopped:
        publish_finished([message.pk])


def claim_message(*, now: datetime | None = None) -> MessageClaim | None:
    """Claim the oldest question that waits, or whose worker died; None if there is none."""
    return leases.claim(now=now, answer="")


def write_answer(claim: MessageClaim, text: str) -> bool:
    """Store what is written so far. Return True if the claim still holds; a stopped answer is written no further."""
    return _published(claim, changed=leases.change(claim, answer=text, chunk=F("chunk") + 1))


def finish_answer(claim: MessageClaim, text: str, *, blocked: Sequence[str]) -> bool:
    """Store the whole answer. Return True if the claim still held."""
    ended = leases.end(claim, state=Message.State.SUCCEEDED, answer=text, blocked=list(blocked), chunk=F("chunk") + 1)
    return _published(claim, changed=ended)


def fail_answer(claim: MessageClaim, reason: str) -> bool:
    """End an answer with a sentence for people. Return True if the claim still held."""
    return _published(claim, changed=leases.fail(claim, reason, chunk=F("chunk") + 1))


def sweep_messages(*, now: datetime | None = None) -> None:
    """Fail answers that were interrupted too often or never taken, and notify the workers if any wait."""
    leases.fail_lost(LOST, now=now)
    leases.fail_unclaimed(NO_WORKER, after=GIVEN_UP, now=now)
    if leases.due(now=now).exists():
        notify_assistant_workers()


def _add(conversation: Conversation, question: str, *, refusal: str, replaces: Message | None) -> Message:
    """Store the question. The row of the conversation is locked, so that two of them get two numbers."""
    if not Conversation.objects.select_for_update().filter(pk=conversation.pk).exists():
        raise Conflict("This conversation was deleted. Nothing was sent.", code="deleted")
    if replaces is not None:
        later = Message.objects.filter(conversation=conversation, number__gte=replaces.number)
        if later.filter(state__in=Message.ACTIVE).exists():
            raise Conflict("Wait for the answer, or stop it, before you ask again.", code="already_asked")
        later.delete()
    last = Message.objects.filter(conversation=conversation).order_by("-number").first()
    number = 1 if last is None else last.number + 1
    if number > MAX_QUESTIONS:
        raise Conflict(
            f"A conversation has at most {MAX_QUESTIONS} questions. Start another one.", code="too_many_questions"
        )
    if number == 1:
        title = question.splitlines()[0][:MAX_TITLE]
        Conversation.objects.filter(pk=conversation.pk, title__startswith="Conversation ").update(title=title)
    refused: dict[str, object] = {"state": Message.State.SUCCEEDED, "answer": refusal, "finished_at": timezone.now()}
    return Message.objects.create(
        conversation=conversation, number=number, question=question, **(refused if refusal else {})
    )


def _record(conversation: Conversation, fields: Sequence[str]) -> None:
    payload = {"provider": conversation.provider, "model": conversation.model, "fields": list(fields)}
    event = Event(
        kind=Kind.ASSISTANT_REQUESTED,
        scan_id=conversation.scan_id,
        analysis_id=conversation.analysis_id,
        actor=conversation.owner,
        payload=payload | {"conversation": str(conversation.pk)},
    )
    record_events([event])


def _published(claim: MessageClaim, *, changed: bool) -> bool:
    """Notify the waiting clients that an answer has grown or ended. Return `changed`."""
    if changed:
        publish_finished([claim.row.pk])
    return changed
