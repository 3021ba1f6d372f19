"""The user's own account."""

from copy import copy

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from classifier.notification_choices import DESCRIPTIONS, EMAIL, PAGE, wants
from classifier.selectors.installation import sends_email
from classifier.services.account import (
    set_keep_file_names,
    set_notification_choices,
    set_sealed_reading,
    update_profile,
)
from classifier.services.errors import ServiceError
from classifier.web.http import SignedInRequest
from classifier.web.profile_forms import ProfileForm


@require_http_methods(["GET", "HEAD", "POST"])
def profile(request: SignedInRequest) -> HttpResponse:
    """Show and change the user's name and e-mail address."""
    # A copy, so that an invalid form does not put an unsaved name into the page header.
    form = ProfileForm(request.POST or None, instance=copy(request.user))
    if form.is_valid():
        try:
            update_profile(
                request.user,
                first_name=form.cleaned_data["first_name"],
                last_name=form.cleaned_data["last_name"],
                email=form.cleaned_data["email"],
                time_zone=form.cleaned_data["time_zone"],
            )
        except ServiceError as error:
            form.add_error("email", str(error))
        else:
            messages.success(request, "Saved.")
            return redirect("web:profile")
    choices = [
        {"kind": kind, "label": label} | {place: wants(request.user, kind, place) for place in (PAGE, EMAIL)}
        for kind, label in DESCRIPTIONS.items()
    ]
    return render(request, "web/profile.html", {"form": form, "choices": choices}, status=400 if form.errors else 200)


@require_POST
def file_names(request: SignedInRequest) -> HttpResponse:
    """Store the names of the user's files, or stop storing them."""
    on = request.POST.get("on") == "yes"
    set_keep_file_names(request.user, on=on)
    messages.success(request, f"File names are {'stored' if on else 'not stored'} from now on.")
    return redirect("web:profile")


@require_POST
def sealed_reading(request: SignedInRequest) -> HttpResponse:
    """Turn the user's sealed first read on or off."""
    on = request.POST.get("on") == "yes"
    set_sealed_reading(request.user, on=on)
    messages.success(request, f"Sealed first read is {'on' if on else 'off'}.")
    return redirect("web:profile")


@require_POST
def notification_choices(request: SignedInRequest) -> HttpResponse:
    """Set which notifications the user gets on the page and by e-mail."""
    email = request.POST.getlist("email")
    if not sends_email():
        # The page does not offer the choice. What was chosen before holds again once there is a mail server.
        email = [kind for kind in DESCRIPTIONS if wants(request.user, kind, EMAIL)]
    set_notification_choices(request.user, page=request.POST.getlist("page"), email=email)
    messages.success(request, "Saved. Your choices apply to future notifications.")
    return redirect("web:profile")
