"""Actions on the problems that the input check found."""

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from classifier.intake import RefusedImage
from classifier.services.errors import NotAllowed, ServiceError
from classifier.services.mending import accept_input, blank_scan, turn_scan
from classifier.web.confirm import ask, is_confirmed
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
