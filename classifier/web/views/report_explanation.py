"""The explanation in the draft of a report: choose, edit, and remove it."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from classifier.assistant.builtin import PROVIDER
from classifier.assistant.report_section import choose, choose_builtin, edit
from classifier.models import Explanation, Scan
from classifier.selectors.explanation import get_explanation
from classifier.selectors.report import draft_of
from classifier.services.errors import Conflict, Invalid, Sealed, ServiceError
from classifier.services.report_explanation import remove_explanation
from classifier.web.http import SignedInRequest, scan_or_404
from classifier.web.views.reports import compose_page, initial_form


@require_POST
def report_explanation(request: SignedInRequest, scan_id: UUID) -> HttpResponse:
    """Choose, edit, or remove the explanation in the user's draft about a scan."""
    scan = scan_or_404(request, scan_id)
    if scan.sealed:
        messages.warning(request, str(Sealed()))
        return redirect(scan)
    try:
        said = _change(request, scan)
    except Invalid as error:
        # The text that was typed stays on the page.
        draft = draft_of(request.user, scan)
        typed = {"error": str(error), "typed": request.POST.get("text", "")}
        return compose_page(request, scan, draft, initial_form(request, scan, draft), status=400, section=typed)
    except ServiceError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, said)
    return redirect("web:report_compose", scan.pk)


def _change(request: SignedInRequest, scan: Scan) -> str:
    action, draft = request.POST.get("action", ""), draft_of(request.user, scan)
    if action in ("edit", "remove"):
        if draft is None:
            raise Conflict("There is no draft. Choose an explanation first.", code="no_draft")
        if action == "edit":
            edit(scan, draft, by=request.user, text=request.POST.get("text", ""))
            return "The explanation is saved."
        remove_explanation(draft, by=request.user)
        return "The explanation is no longer in the report."
    chosen = request.POST.get("explanation", "")
    if chosen == PROVIDER:
        choose_builtin(scan, by=request.user)
    else:
        choose(scan, by=request.user, explanation=_explanation(request, scan, chosen))
    return "The explanation is in the report."


def _explanation(request: SignedInRequest, scan: Scan, chosen: str) -> Explanation:
    try:
        return get_explanation(request.user, scan, UUID(chosen))
    except (ValueError, Explanation.DoesNotExist) as error:
        raise Conflict("Choose one of the explanations that the page lists.", code="unknown_explanation") from error
