"""Commissionings of a team: start one, add cases, follow its progress."""

from collections.abc import Callable
from urllib.parse import quote
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from classifier.acceptance.case_files import MAX_BYTES, problem_file
from classifier.acceptance.limits import BY_KEY
from classifier.models import Commissioning
from classifier.reports.acceptance import acceptance_fragment
from classifier.selectors.acceptance import acceptance_of, measured_cases, site_calibration_of
from classifier.selectors.commissioning import (
    Progress,
    answers_openly,
    commissionings_of,
    get_commissioning,
    installed_card,
    limits_of,
    progress_of,
)
from classifier.selectors.commissioning_cases import case_rows, in_review_order, truths_of
from classifier.selectors.model import model_choices
from classifier.services.acceptance import close_commissioning, require_finished, switch_site_calibration
from classifier.services.case_files import add_case_file
from classifier.services.commissioning import start_commissioning
from classifier.services.commissioning_cases import Added, add_team_cases, remove_case, retry_cases
from classifier.services.errors import NotAllowed, ServiceError
from classifier.services.team import is_owner
from classifier.web.commissioning_forms import CommissioningForm
from classifier.web.confirm import ask, is_confirmed
from classifier.web.http import SignedInRequest, team_or_404
from classifier.web.pagination import PAGE_LENGTH, numbered_page
from classifier.web.uploads import MAX_FILES

MAX_LISTED = 25
"""Refused cases that the page lists; the file beside the list holds all of them."""


@require_http_methods(["GET", "HEAD", "POST"])
def commissionings(request: SignedInRequest, team_id: int) -> HttpResponse:
    """List the commissionings of a team, and start one."""
    team = team_or_404(request, team_id)
    form = CommissioningForm(request.POST or None, models=model_choices())
    if request.method == "POST" and form.is_valid():
        try:
            started = start_commissioning(
                team,
                by=request.user,
                model=form.cleaned_data["model"],
                limits=form.cleaned_data["limits"],
                title=form.cleaned_data["title"],
            )
        except NotAllowed as error:
            raise PermissionDenied(str(error)) from error
        except ServiceError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, "The commissioning has started. Add the cases that the model is measured on.")
            return redirect(started)
    context = {
        "team": team,
        "form": form,
        "is_owner": is_owner(team, request.user),
        "commissionings": commissionings_of(request.user).filter(team=team),
    }
    return render(request, "web/commissionings.html", context, status=400 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def commissioning(request: SignedInRequest, commissioning_id: UUID) -> HttpResponse:
    """Show a commissioning, or apply the `action` of a POST request to it."""
    shown = commissioning_or_404(request, commissioning_id)
    if request.method != "POST":
        if request.GET.get("part") == "progress":
            return render(request, "web/_commissioning_progress.html", _progress(shown) | {"is_update": True})
        return _page(request, shown)
    action = ACTIONS.get(request.POST.get("action", ""))
    if action is None:
        return HttpResponseBadRequest("Unknown action.")
    try:
        return action(request, shown)
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from error
    except ServiceError as error:
        messages.error(request, str(error))
        return redirect(shown)


def commissioning_or_404(request: SignedInRequest, commissioning_id: UUID) -> Commissioning:
    """Return a commissioning of one of the user's teams; raise 404 for any other."""
    try:
        return get_commissioning(request.user, commissioning_id)
    except Commissioning.DoesNotExist as error:
        raise Http404("There is no such commissioning.") from error


def _page(
    request: SignedInRequest, shown: Commissioning, *, added: Added | None = None, from_file: bool = False
) -> HttpResponse:
    report = acceptance_of(shown)
    cases = in_review_order(shown)
    truths = truths_of(shown, cases)
    page = numbered_page(cases, request, length=PAGE_LENGTH)
    context = {
        "team": shown.team,
        "is_owner": is_owner(shown.team, request.user),
        "limits": limit_rows(shown),
        "known": sum(bool(truth.finding) for truth in truths.values()),
        "page": page,
        "rows": case_rows(request.user, shown, page.object_list),
        "added": added,
        "refused": None if added is None else _refused(added),
        "from_file": from_file,
        "report": report,
        "site": site_calibration_of(shown),
        "acceptance": None if report is None else acceptance_fragment(report),
        "card": installed_card(shown),
        "answers_openly": answers_openly(shown),
        "max_files": MAX_FILES,
        **_progress(shown),
    }
    return render(request, "web/commissioning.html", context)


def _refused(added: Added) -> dict[str, object]:
    """Return the problems that the page lists, and all of them as the address of a file."""
    return {
        "listed": added.problems[:MAX_LISTED],
        "more": max(0, len(added.problems) - MAX_LISTED),
        "file": f"data:text/csv;charset=utf-8,{quote(problem_file(added.problems))}",
    }


def _progress(shown: Commissioning) -> dict[str, object]:
    return {"commissioning": shown, "progress": progress_of(shown)}


def limit_rows(shown: Commissioning) -> list[tuple[str, float]]:
    """Return label and value of each limit that was set."""
    limits = limits_of(shown)
    return [(BY_KEY[key].label, limits.shares[key]) for key in BY_KEY if key in limits.shares]


def _add_scans(request: SignedInRequest, shown: Commissioning) -> HttpResponse:
    with_truth = request.POST.get("action") == "add_scans"
    added = add_team_cases(shown, by=request.user, with_truth=with_truth)
    if added.problems:
        return _page(request, shown, added=added)
    kind = " with a review or a diagnosis" if with_truth else ""
    return _told(request, shown, added, none=f"No case was added: the team has no more scans{kind}.")


def _told(request: SignedInRequest, shown: Commissioning, added: Added, *, none: str) -> HttpResponse:
    if added.number:
        messages.success(request, f"{added.number} case{'' if added.number == 1 else 's'} added.")
    else:
        messages.warning(request, none)
    return redirect(shown)


def _add_case_file(request: SignedInRequest, shown: Commissioning) -> HttpResponse:
    file = request.FILES.get("cases")
    images = request.FILES.getlist("image")
    if file is None:
        raise ServiceError("Choose the CSV file that names the cases.")
    if len(images) > MAX_FILES:
        raise ServiceError(f"You can upload at most {MAX_FILES} images at once. Send the others with the file again.")
    named = [(image.name or "", image) for image in images]
    content = file.read(MAX_BYTES + 1)
    added = add_case_file(shown, by=request.user, content=content, images=named)  # type: ignore[arg-type]
    if added.problems:
        return _page(request, shown, added=added, from_file=True)
    return _told(request, shown, added, none="No case was added: the file names none.")


def _retry(request: SignedInRequest, shown: Commissioning) -> HttpResponse:
    number = retry_cases(shown, by=request.user)
    messages.success(request, f"{number} analys{'is is' if number == 1 else 'es are'} queued again.")
    return redirect(shown)


def _close(request: SignedInRequest, shown: Commissioning) -> HttpResponse:
    if not is_confirmed(request) and is_owner(shown.team, request.user):
        progress = progress_of(shown)
        require_finished(progress)
        return ask(
            request,
            heading=f"Close “{shown.title}”?",
            text=f"{_basis(shown, progress)} The team then sees the model's answers. Nothing can be added or changed "
            "afterwards.",
            button="Close and create the report",
            back=shown.get_absolute_url(),
            fields={"action": "close"},
            dangerous=False,
        )
    close_commissioning(shown, by=request.user)
    messages.success(request, "The commissioning is closed. This is its acceptance report.")
    return redirect(shown)


def _basis(shown: Commissioning, progress: Progress) -> str:
    """Return the sentences that say which cases the report counts, and why it leaves others out."""
    results, about = measured_cases(shown, count_refused=False)
    with_truth = sum(bool(result.truth) for result in results)
    left_out = [
        (about.without_truth, "without known truth"),
        (about.withheld, "whose answer the input check withholds (unless the model refuses the image)"),
        (about.failed, "whose analysis failed"),
        (about.other_version, "analyzed by another version"),
    ]
    parts = [f"{number:,} {reason}" for number, reason in left_out if number]
    counted = f"The figures of the acceptance report are based on {with_truth:,} of {progress.cases:,} cases."
    return f"{counted} Not counted: {'; '.join(parts)}." if parts else counted


def _switch(request: SignedInRequest, shown: Commissioning) -> HttpResponse:
    on = request.POST.get("action") == "calibration_on"
    switch_site_calibration(shown, by=request.user, on=on)
    word = "on. It applies to" if on else "off. The calibration of the model's card applies to"
    messages.success(request, f"The site calibration is {word} scans that are analyzed from now on.")
    return redirect(shown)


def _remove(request: SignedInRequest, shown: Commissioning) -> HttpResponse:
    try:
        case_id = UUID(request.POST.get("case", ""))
    except ValueError as error:
        raise Http404("There is no such case.") from error
    remove_case(shown, by=request.user, case_id=case_id)
    messages.success(request, "The case was removed. Its scan stays.")
    return redirect(shown)


ACTIONS: dict[str, Callable[[SignedInRequest, Commissioning], HttpResponse]] = {
    "add_scans": _add_scans,
    "add_all_scans": _add_scans,
    "add_file": _add_case_file,
    "retry": _retry,
    "close": _close,
    "calibration_on": _switch,
    "calibration_off": _switch,
    "remove": _remove,
}
