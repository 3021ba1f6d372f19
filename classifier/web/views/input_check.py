"""Actions on the problems that the input check found."""

from dataclasses import asdict
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from classifier.input_problems import MARKED, MARKED_HEAD
from classifier.intake import RefusedImage
from classifier.permissions import CHANGE_REFUSED, can_change
from classifier.services.errors import NotAllowed, ServiceError
from classifier.services.mending import (
    accept_input,
    blank_scan,
    crop_scan,
    problem_of,
    proposed_margins,
    turn_scan,
)
from classifier.web.confirm import ask, is_confirmed
from classifier.web.forms import CropForm
from classifier.web.http import SignedInRequest, scan_or_404


@require_POST
def input_action(request: SignedInRequest, scan_id: UUID) -> HttpResponse:
    """Accept the image, turn it, or blank out its text, as the button `action` says."""
    shown = scan_or_404(request, scan_id)
    action = request.POST.get("action", "")
    if action == "blank" and not is_confirmed(request):
        return ask(
            request,
            heading="Blank out the text?",
            text="The marked places become black, and the image with the text is deleted. This cannot be undone.",
            button="Blank out the text",
            back=shown.get_absolute_url(),
            fields={"action": "blank"},
        )
    try:
        if action == "accept":
            accept_input(shown, by=request.user)
        elif action == "turn":
            return redirect(turn_scan(shown, by=request.user).scan)
        elif action == "blank":
            return redirect(blank_scan(shown, by=request.user).scan)
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from error
    except (ServiceError, RefusedImage) as error:
        messages.error(request, str(error))
    return redirect(shown)


@require_http_methods(["GET", "HEAD", "POST"])
def input_crop(request: SignedInRequest, scan_id: UUID) -> HttpResponse:
    """Choose the borders to cut off, and make a copy without them."""
    shown = scan_or_404(request, scan_id)
    if not can_change(request.user, shown):
        raise PermissionDenied(CHANGE_REFUSED)
    if not problem_of(shown, MARKED, MARKED_HEAD):
        messages.info(request, "The input check found no text or markings in this image.")
        return redirect(shown)
    form = CropForm(request.POST or None, initial=asdict(proposed_margins(shown)))
    if form.is_valid():
        try:
            return redirect(crop_scan(shown, by=request.user, margins=form.margins).scan)
        except (ServiceError, RefusedImage) as error:
            form.add_error(None, str(error))
    status = 400 if form.is_bound else 200
    return render(request, "web/scan_crop.html", {"scan": shown, "form": form}, status=status)
