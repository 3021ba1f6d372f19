"""The webhooks of the signed-in user."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from classifier.integrations.webhooks.messages import KEPT
from classifier.models import Webhook
from classifier.selectors.webhook import deliveries_of, get_webhook, webhooks_of
from classifier.services.errors import ServiceError
from classifier.services.webhook import (
    EVENTS,
    PING,
    create_webhook,
    delete_webhook,
    retry_deliveries,
    secret_of,
    send_ping,
    switch_webhook,
)
from classifier.web.confirm import ask, is_confirmed
from classifier.web.http import SignedInRequest
from classifier.web.pagination import TEXT_PAGE_LENGTH, numbered_page
from classifier.web.profile_forms import WebhookForm

NAMES = EVENTS | {PING: "Test message"}


@require_http_methods(["GET", "HEAD", "POST"])
def webhooks(request: SignedInRequest) -> HttpResponse:
    """List the webhooks and create one, whose secret is in this response and nowhere else."""
    form = WebhookForm(request.POST or None)
    created = None
    if form.is_valid():
        try:
            created = create_webhook(request.user, **form.cleaned_data)
        except ServiceError as error:
            form.add_error("url", str(error))
    context = {
        "heading": "Webhooks",
        "form": WebhookForm() if created else form,
        "rows": webhooks_of(request.user),
        "created": created,
        "secret": secret_of(created) if created else "",
    }
    return render(request, "web/webhooks.html", context, status=400 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def webhook(request: SignedInRequest, webhook_id: UUID) -> HttpResponse:
    """Show a webhook with its newest messages; test it, switch it, or send failed messages again."""
    row = _webhook(request, webhook_id)
    if request.method == "POST":
        _apply(request, row)
        return redirect("web:webhook", row.pk)
    page = numbered_page(deliveries_of(row), request, length=TEXT_PAGE_LENGTH)
    shown = [{"row": delivery, "name": NAMES.get(delivery.event, delivery.event)} for delivery in page.object_list]
    names = [EVENTS.get(kind, kind) for kind in row.events]
    context = {"webhook": row, "names": names, "page": page, "rows": shown, "kept_days": KEPT.days}
    return render(request, "web/webhook.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def webhook_delete(request: SignedInRequest, webhook_id: UUID) -> HttpResponse:
    """Ask, then delete a webhook."""
    row = _webhook(request, webhook_id)
    if not is_confirmed(request):
        return ask(
            request,
            heading="Delete this webhook?",
            text=f"{row.url} will get no more messages. The list of its messages is deleted. This cannot be undone.",
            button="Delete webhook",
            back=reverse("web:webhook", args=[row.pk]),
        )
    delete_webhook(row)
    messages.success(request, "The webhook was deleted.")
    return redirect("web:webhooks")


def _apply(request: SignedInRequest, row: Webhook) -> None:
    action = request.POST.get("action")
    try:
        if action == "ping":
            send_ping(row)
            messages.success(request, "A test message will be sent. Reload this page to see the answer.")
        elif action == "retry":
            number = retry_deliveries(row)
            messages.success(request, f"Will be sent again: {number} message{'' if number == 1 else 's'}.")
        elif action in ("on", "off"):
            switch_webhook(row, on=action == "on")
            messages.success(request, f"The webhook is {action}.")
    except ServiceError as error:
        messages.error(request, str(error))


def _webhook(request: SignedInRequest, webhook_id: UUID) -> Webhook:
    try:
        return get_webhook(request.user, webhook_id)
    except Webhook.DoesNotExist as error:
        raise Http404("There is no such webhook.") from error
