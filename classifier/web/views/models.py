"""The models of this installation, and the default."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from classifier.selectors.model import default_model, model_cards
from classifier.services.errors import NotAllowed, ServiceError
from classifier.services.model import set_installation_model
from classifier.web.http import SignedInRequest


@require_safe
def models(request: SignedInRequest) -> HttpResponse:
    """Show every model with its figures."""
    cards, damaged = model_cards()
    context = {"cards": cards, "damaged": damaged, "default_model": default_model()}
    return render(request, "web/models.html", context)


@require_POST
def model_default(request: SignedInRequest) -> HttpResponse:
    """Make a model the default of the installation. Staff only."""
    name = request.POST.get("model", "")
    try:
        set_installation_model(by=request.user, model=name)
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from error
    except ServiceError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{default_model()} is now the default model of this installation.")
    return redirect("web:models")
