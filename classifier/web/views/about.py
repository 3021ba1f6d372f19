"""The intended use, the model cards, and the origin of the samples."""

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from classifier.inference.registry import ModelError
from classifier.selectors.model import available_models, model_card
from classifier.web.cards import DEFAULT_PREVALENCE
from classifier.web.http import SignedInRequest


@require_safe
def about(request: SignedInRequest) -> HttpResponse:
    """Show the intended use and the model cards, the default model first."""
    cards, broken = [], []
    for name in sorted(available_models(), key=lambda name: (name != settings.MODEL, name)):
        try:
            cards.append(model_card(name))
        except ModelError:
            broken.append(name)
    context = {
        "cards": cards,
        "broken": broken,
        "default_model": settings.MODEL,
        "prevalence": _prevalence(request.GET.get("prevalence", "")),
    }
    return render(request, "web/about.html", context)


def _prevalence(text: str) -> int:
    """Return a percentage between 1 and 99; the default for anything else."""
    value = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0
    return value if 1 <= value <= 99 else DEFAULT_PREVALENCE
