"""Reads of conversations: each person sees their own, while the result is open to them."""

from uuid import UUID

from django.db.models import QuerySet

from classifier.models import Conversation, Message, Scan, User
from classifier.queue.waiting import message_waiter
from classifier.selectors.scan import open_scans


def conversations_of(user: User, scan: Scan) -> QuerySet[Conversation]:
    """Return the person's conversations about a visible scan, newest first; none while its result is closed."""
    visible = open_scans(user).order_by().filter(pk=scan.pk).values("pk")
    return Conversation.objects.filter(scan__in=visible, owner=user).select_related("owner")


def get_conversation(user: User, scan: Scan, conversation_id: UUID) -> Conversation:
    """Return one of the person's conversations. Raise `Conversation.DoesNotExist` for any other."""
    return conversations_of(user, scan).get(pk=conversation_id)


def messages_of(conversation: Conversation) -> list[Message]:
    """Return the questions of a conversation with their answers, in order."""
    return list(conversation.messages.all())


def get_message(conversation: Conversation, message_id: UUID) -> Message:
    """Return a message of a conversation. Raise `Message.DoesNotExist` for any other."""
    return conversation.messages.get(pk=message_id)


def wait_until_answered(message: Message, *, seconds: float) -> Message:
    """Return the message as soon as its answer grows or ends, or as it is after `seconds`.

    Raises:
        Message.DoesNotExist: If it is deleted in the meantime.
    """
    if not message.is_finished:
        message_waiter.wait(message.pk, seconds=seconds)
    message.refresh_from_db()
    return message
