"""The test images behind a number of the confusion matrix."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from classifier.comparison.evaluations import Evaluation
from classifier.comparison.pictures import cell_pictures, picture
from classifier.findings import FINDING_LABELS, FINDINGS
from classifier.selectors.comparison import ComparedModel, compared_model
from classifier.web.http import SignedInRequest
from classifier.web.pagination import numbered_page
from classifier.web.views.models import other_runs
from classifier.wording import probability

PAGE_LENGTH = 48
# The files belong to a public data set and do not change.
MAX_AGE_SECONDS = 3600


@require_safe
def model_images(request: SignedInRequest, name: str) -> HttpResponse:
    """List the test images of one cell: pictures where their license allows it, else only their number."""
    shown, evaluation = _measured_or_404(name, request.GET.get("protocol", ""))
    label, called = request.GET.get("label", ""), request.GET.get("called", "")
    if label not in FINDINGS or called not in FINDINGS:
        raise Http404("There is no such cell.")
    found = cell_pictures(evaluation, label=label, called=called, folders=picture_folders())
    visible = [item for item in found if item.path is not None]
    page = numbered_page(visible, request, length=PAGE_LENGTH)
    context: dict[str, Any] = {
        "model": shown,
        "protocol": evaluation.protocol,
        "other_runs": other_runs([shown], protocol=evaluation.protocol),
        "label": label,
        "called": called,
        "total": len(found),
        "patients": len({item.patient for item in found}),
        "hidden": len(found) - len(visible),
        "installed": bool(settings.EVALUATION_DATA),
        "page": page,
        "pictures": [{"item": item, "text": _said(item.probabilities)} for item in page.object_list],
    }
    return render(request, "web/model_images.html", context)


@require_safe
def model_image(request: SignedInRequest, name: str, number: int) -> HttpResponse:
    """Return one measured image, if its license allows showing it."""
    _, evaluation = _measured_or_404(name, request.GET.get("protocol", ""))
    found = picture(evaluation, number, folders=picture_folders())
    if found is None or found.path is None:
        raise Http404("There is no such image.")
    kind = "image/png" if found.path.suffix == ".png" else "image/jpeg"
    headers = {"Cache-Control": f"private, max-age={MAX_AGE_SECONDS}", "X-Content-Type-Options": "nosniff"}
    return FileResponse(found.path.open("rb"), content_type=kind, headers=headers)  # type: ignore[return-value]


def picture_folders() -> tuple[Path, ...]:
    """Return the folders that hold measured images: installed data sets, and the bundled samples."""
    return (*settings.EVALUATION_DATA, Path(settings.BASE_DIR) / "samples")


def _measured_or_404(name: str, protocol: str) -> tuple[ComparedModel, Evaluation]:
    shown = compared_model(name)
    evaluation = None if shown is None else shown.evaluations.get(protocol)
    if shown is None or evaluation is None:
        raise Http404("There is no such evaluation.")
    return shown, evaluation


def _said(probabilities: tuple[float, ...]) -> str:
    ranked = sorted(zip(probabilities, FINDINGS, strict=True), reverse=True)
    return ", ".join(f"{FINDING_LABELS[name]} {probability(value)}" for value, name in ranked[:2])
