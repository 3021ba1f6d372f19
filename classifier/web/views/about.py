"""The intended use, the model cards, and the origin of the samples."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from classifier.selectors.model import default_model, model_cards
from classifier.web.cards import DEFAULT_PREVALENCE
from classifier.web.http import SignedInRequest


@require_safe
def about(request: SignedInRequest) -> HttpResponse:
    """Show the intended use and the model cards, the default model first."""
    cards, broken = model_cards()
    context = {
        "cards": cards,
        "broken": broken,
        "default_model": default_model(),
        "prevalence": _prevalence(request.GET.get("prevalence", "")),
    }
    return render(request, "web/about.html", context)


def _prevalence(text: str) -> int:
    """Return a percentage between 1 and 99; the default for anything else."""
    value = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0
    return value if 1 <= value <= 99 else DEFAULT_PREVALENCE
