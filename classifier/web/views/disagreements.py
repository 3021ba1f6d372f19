"""The gallery of images on which two models disagree."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from classifier.comparison.disagreements import Disagreements, disagreements_of, picture_of
from classifier.selectors.comparison import ComparedModel, compared_models, protocols_of
from classifier.selectors.disagreements import read_disagreements
from classifier.web.http import SignedInRequest
from classifier.web.pagination import numbered_page
from classifier.web.views.model_images import picture_folders
from classifier.web.views.models import other_runs

PAGE_LENGTH = 24
MAX_ROWS = 50
"""Rows without a picture. The API lists more, and the evaluation files hold all."""


@require_safe
def disagreements(request: SignedInRequest) -> HttpResponse:
    """Show images on which two models disagree: pictures where their license allows it, else rows."""
    models = compared_models()
    base = _model(models, request.GET.get("base", "")) or (models[0] if models else None)
    others = [model for model in models if model is not base]
    other = _model(others, request.GET.get("other", "")) or (others[0] if others else None)
    context: dict[str, Any] = {
        "models": models,
        "base": base,
        "other": other,
    }
    if base is not None and other is not None:
        protocols = [name for name in protocols_of([base]) if all(m.has_predictions(name) for m in (base, other))]
        wanted = request.GET.get("protocol", "")
        protocol = wanted if wanted in protocols else next(iter(protocols), "")
        context |= {"protocols": protocols, "protocol": protocol}
        context["own"] = read_disagreements(request.user, base.card.name, other.card.name)
        if protocol:
            context |= _measured(request, base, other, protocol=protocol)
    return render(request, "web/disagreements.html", context)


def _measured(request: SignedInRequest, base: ComparedModel, other: ComparedModel, *, protocol: str) -> dict[str, Any]:
    evaluation = base.evaluations[protocol]
    found: Disagreements = disagreements_of(evaluation, other.evaluations[protocol])
    folders = picture_folders()
    pairs = [(item, picture_of(evaluation, item, folders=folders)) for item in found.items]
    shown = [(item, picture) for item, picture in pairs if picture is not None]
    rows = [item for item, picture in pairs if picture is None]
    return {
        "other_runs": other_runs([base, other], protocol=protocol),
        "found": found,
        "pictures": numbered_page(shown, request, length=PAGE_LENGTH),
        "rows": rows[:MAX_ROWS],
        "hidden": len(rows),
        "left": max(0, len(rows) - MAX_ROWS),
    }


def _model(models: list[ComparedModel], name: str) -> ComparedModel | None:
    return next((model for model in models if model.card.name == name), None)
