"""Conversations with a language model about a scan."""

from typing import Any
from uuid import UUID

from django.contrib import messages as notices
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from classifier.assistant.allowlist import FIELDS, IMAGE_LABEL, NEVER, QUESTION_LABEL
from classifier.assistant.chat import ask as ask_question
from classifier.assistant.chat import start_conversation, suggested_questions
from classifier.assistant.facts import facts_of
from classifier.models import Conversation, Message, Scan
from classifier.models.conversation import MAX_QUESTION, MAX_TITLE
from classifier.queue.waiting import message_waiter
from classifier.selectors.conversation import get_conversation, get_message, messages_of
from classifier.selectors.explanation import enabled_providers
from classifier.services.account import remember_assistant
from classifier.services.conversation import (
    MAX_QUESTIONS,
    delete_conversation,
    rename_conversation,
    stop_answer,
)
from classifier.services.errors import ServiceError
from classifier.web.assistant_forms import ExplainForm
from classifier.web.confirm import ask as ask_first
from classifier.web.confirm import is_confirmed
from classifier.web.http import SignedInRequest, scan_or_404
from classifier.web.progress import MAX_WAIT_SECONDS, wait_for


@require_POST
def conversation_create(request: SignedInRequest, scan_id: UUID) -> HttpResponse:
    """Start a conversation with the chosen provider."""
    scan = scan_or_404(request, scan_id)
    providers = list(enabled_providers())
    form = ExplainForm(request.POST, providers=providers, chosen="", image=False) if providers else None
    if form is None or not form.is_valid():
        notices.error(request, "Choose one of the language models that the page lists.")
        return redirect(scan)
    name, with_image = form.cleaned_data["provider"], form.cleaned_data.get("with_image", False)
    allowed = any(provider.name == name and provider.image_allowed for provider in providers)
    try:
        made = start_conversation(scan, by=request.user, provider=name, with_image=with_image and allowed)
    except ServiceError as error:
        notices.error(request, str(error))
        return redirect(scan)
    remember_assistant(request.user, provider=name, with_image=with_image)
    return redirect(made)


@require_safe
def conversation(request: SignedInRequest, scan_id: UUID, conversation_id: UUID) -> HttpResponse:
    """Show a conversation."""
    scan, shown = _conversation_or_404(request, scan_id, conversation_id)
    return conversation_page(request, scan, shown)


def conversation_page(
    request: SignedInRequest, scan: Scan, shown: Conversation, *, error: str = "", typed: str = ""
) -> HttpResponse:
    """Return the page of a conversation; with an error, the text that was typed stays in the field."""
    rows = messages_of(shown)
    analysis = scan.analyses.for_reader(request.user).get(pk=shown.analysis_id)
    edited = next((row for row in rows if str(row.pk) == request.GET.get("edit")), None)
    context: dict[str, Any] = {
        "scan": scan,
        "analysis": analysis,
        "conversation": shown,
        "rows": rows,
        "edited": edited,
        "is_writing": bool(rows) and not rows[-1].is_finished,
        "suggested": [] if rows else suggested_questions(facts_of(analysis)),
        "can_ask": len(rows) < MAX_QUESTIONS and enabled_providers().filter(name=shown.provider).exists(),
        "max_question": MAX_QUESTION,
        "max_title": MAX_TITLE,
        "wait": MAX_WAIT_SECONDS,
        "error": error,
        "typed": typed or (edited.question if edited is not None else ""),
        "sent_fields": FIELDS,
        "question_label": QUESTION_LABEL,
        "image_label": IMAGE_LABEL if shown.with_image else "",
        "never_sent": NEVER,
    }
    return render(request, "web/conversation.html", context, status=400 if error else 200)


@require_POST
def message_create(request: SignedInRequest, scan_id: UUID, conversation_id: UUID) -> HttpResponse:
    """Ask a question; with `replaces`, in place of an earlier one and of everything after it."""
    scan, shown = _conversation_or_404(request, scan_id, conversation_id)
    question = request.POST.get("question", "")
    replaced = _replaced(shown, request.POST.get("replaces", ""))
    try:
        ask_question(
            scan, shown, question=replaced.question if replaced and not question else question, replaces=replaced
        )
    except ServiceError as error:
        return conversation_page(request, scan, shown, error=str(error), typed=question)
    return redirect(f"{shown.get_absolute_url()}#last")


@require_safe
def message_status(request: SignedInRequest, scan_id: UUID, conversation_id: UUID, message_id: UUID) -> HttpResponse:
    """Show an answer as far as it is written: a fragment of the page, sent when something changes."""
    scan, shown = _conversation_or_404(request, scan_id, conversation_id)
    row, seen = _message_or_404(shown, message_id), request.GET.get("seen")
    headers: dict[str, str] = {}
    if seen == row.seen and not row.is_finished:
        headers = wait_for(request, message_waiter, [row.pk])
        row = _message_or_404(shown, message_id)
    if seen == row.seen:
        return HttpResponse(status=204, headers=headers)
    context = {"scan": scan, "conversation": shown, "row": row, "wait": MAX_WAIT_SECONDS, "is_last": True}
    return render(request, "web/_answer.html", context)


@require_POST
def message_stop(request: SignedInRequest, scan_id: UUID, conversation_id: UUID, message_id: UUID) -> HttpResponse:
    """Stop an answer."""
    _, shown = _conversation_or_404(request, scan_id, conversation_id)
    stop_answer(_message_or_404(shown, message_id))
    return redirect(f"{shown.get_absolute_url()}#last")


@require_POST
def conversation_rename(request: SignedInRequest, scan_id: UUID, conversation_id: UUID) -> HttpResponse:
    """Give the conversation another title."""
    scan, shown = _conversation_or_404(request, scan_id, conversation_id)
    try:
        rename_conversation(shown, title=request.POST.get("title", ""))
    except ServiceError as error:
        return conversation_page(request, scan, shown, error=str(error))
    return redirect(shown)


@require_POST
def conversation_delete(request: SignedInRequest, scan_id: UUID, conversation_id: UUID) -> HttpResponse:
    """Delete the conversation, after a question."""
    scan, shown = _conversation_or_404(request, scan_id, conversation_id)
    if not is_confirmed(request):
        return ask_first(
            request,
            heading="Delete this conversation?",
            text=f"“{shown.title}” is deleted with all questions and answers.",
            button="Delete",
            back=shown.get_absolute_url(),
        )
    delete_conversation(shown)
    notices.success(request, "The conversation has been deleted.")
    return redirect(scan)


def _conversation_or_404(request: SignedInRequest, scan_id: UUID, conversation_id: UUID) -> tuple[Scan, Conversation]:
    scan = scan_or_404(request, scan_id)
    try:
        return scan, get_conversation(request.user, scan, conversation_id)
    except Conversation.DoesNotExist as error:
        raise Http404("There is no such conversation.") from error


def _message_or_404(shown: Conversation, message_id: UUID) -> Message:
    try:
        return get_message(shown, message_id)
    except Message.DoesNotExist as error:
        raise Http404("There is no such message.") from error


def _replaced(shown: Conversation, text: str) -> Message | None:
    if not text:
        return None
    try:
        return _message_or_404(shown, UUID(text))
    except ValueError as error:
        raise Http404("There is no such message.") from error
