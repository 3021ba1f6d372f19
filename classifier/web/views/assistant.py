"""Explanations by language models on the page of a scan, and the providers that staff configure."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from classifier.assistant.allowlist import CHECK_LABEL, FIELDS, IMAGE_LABEL, NEVER
from classifier.assistant.look_words import look_of
from classifier.assistant.requests import request_explanation
from classifier.models import AssistantProvider, Explanation
from classifier.queue.waiting import check_waiter, explanation_waiter
from classifier.selectors.assistant import scores
from classifier.selectors.explanation import all_providers, enabled_providers, get_explanation
from classifier.services.account import remember_assistant
from classifier.services.assistant import adopt_environment, delete_provider, request_test, save_provider
from classifier.services.errors import ServiceError
from classifier.web.assistant_forms import ExplainForm, ProviderForm
from classifier.web.confirm import ask, is_confirmed
from classifier.web.http import SignedInRequest, scan_or_404
from classifier.web.progress import MAX_WAIT_SECONDS, wait_for


@require_POST
def explanation_create(request: SignedInRequest, scan_id: UUID) -> HttpResponse:
    """Send the request for an explanation by a language model."""
    scan = scan_or_404(request, scan_id)
    providers = list(enabled_providers())
    if not providers:
        messages.error(request, "No language model is enabled on this installation.")
        return redirect(scan)
    form = ExplainForm(request.POST, providers=providers, chosen="", image=False)
    if not form.is_valid():
        messages.error(request, "Choose one of the language models that the page lists.")
        return redirect(scan)
    name, with_image = form.cleaned_data["provider"], form.cleaned_data.get("with_image", False)
    # The choice of the image applies to providers that may get it.
    allowed = any(provider.name == name and provider.image_allowed for provider in providers)
    try:
        request_explanation(scan, by=request.user, provider=name, with_image=with_image and allowed)
    except ServiceError as error:
        messages.error(request, str(error))
    else:
        remember_assistant(request.user, provider=name, with_image=with_image)
    return redirect(f"{scan.get_absolute_url()}#assistant-heading")


@require_safe
def explanation_status(request: SignedInRequest, scan_id: UUID, explanation_id: UUID) -> HttpResponse:
    """Show the progress of an explanation: a fragment of the scan's page, sent when something changes."""
    scan, seen = scan_or_404(request, scan_id), request.GET.get("seen")
    row = _explanation_or_404(request, scan, explanation_id)
    headers: dict[str, str] = {}
    if seen == row.seen and not row.is_settled:
        headers = wait_for(request, check_waiter if row.is_finished else explanation_waiter, [row.pk])
        row = _explanation_or_404(request, scan, explanation_id)
    if seen == row.seen:
        return HttpResponse(status=204, headers=headers)
    context = {"scan": scan, "written": row, "look": look_of(row), "wait": MAX_WAIT_SECONDS, "is_poll": True}
    return render(request, "web/_written.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def providers(request: SignedInRequest) -> HttpResponse:
    """List the providers, and create one."""
    _require_staff(request)
    adopt_environment()
    return _provider_page(request, None)


@require_http_methods(["GET", "HEAD", "POST"])
def provider(request: SignedInRequest, provider_id: int) -> HttpResponse:
    """Change a provider."""
    return _provider_page(request, _provider_or_404(request, provider_id))


@require_POST
def provider_test(request: SignedInRequest, provider_id: int) -> HttpResponse:
    """Ask a worker to test the connection."""
    request_test(_provider_or_404(request, provider_id), by=request.user)
    return redirect("web:assistant_providers")


@require_POST
def provider_delete(request: SignedInRequest, provider_id: int) -> HttpResponse:
    """Delete a provider, after a question."""
    row = _provider_or_404(request, provider_id)
    if not is_confirmed(request):
        return ask(
            request,
            heading=f"Delete the provider {row.name}?",
            text="Its key is deleted with it. Explanations that it wrote stay with their scans.",
            button="Delete",
            back=reverse("web:assistant_providers"),
        )
    delete_provider(row, by=request.user)
    messages.success(request, f"The provider {row.name} has been deleted.")
    return redirect("web:assistant_providers")


def _provider_page(request: SignedInRequest, row: AssistantProvider | None) -> HttpResponse:
    form = ProviderForm(request.POST or None, instance=row)
    if request.method == "POST" and form.is_valid():
        try:
            saved = save_provider(row, by=request.user, key=form.new_key, **form.values)
        except ServiceError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"The provider {saved.name} has been saved.")
            return redirect("web:assistant_providers")
    rows = list(all_providers())
    context: dict[str, Any] = {
        "providers": rows,
        "form": form,
        "changed": row,
        "fields": FIELDS,
        "image_label": IMAGE_LABEL,
        "check_label": CHECK_LABEL,
        "never": NEVER,
        "scores": scores(),
        "is_testing": any(each.test_state in AssistantProvider.TESTING for each in rows),
    }
    return render(request, "web/assistant_providers.html", context, status=400 if form.errors else 200)


def _explanation_or_404(request: SignedInRequest, scan: Any, explanation_id: UUID) -> Explanation:
    try:
        return get_explanation(request.user, scan, explanation_id)
    except Explanation.DoesNotExist as error:
        raise Http404("There is no such explanation.") from error


def _provider_or_404(request: SignedInRequest, provider_id: int) -> AssistantProvider:
    _require_staff(request)
    try:
        return all_providers().get(pk=provider_id)
    except AssistantProvider.DoesNotExist as error:
        raise Http404("There is no such provider.") from error


def _require_staff(request: SignedInRequest) -> None:
    if not request.user.is_staff:
        raise PermissionDenied("Only administrators can change the providers of language models.")
