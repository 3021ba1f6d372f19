"""A scan's pictures as HTTP answers, for pages and API alike. Callers have checked that the person may see the scan."""

from django.core.files import File
from django.http import FileResponse, Http404, HttpResponse

from classifier.findings import TUMORS
from classifier.inference.saliency import overlay_png
from classifier.models import Analysis, ClassMaps, Scan
from classifier.selectors.analysis import class_maps
from classifier.selectors.model import model_card

# A browser may keep a picture but asks each time whether the person may still see it: workstations are shared.
CACHE_CONTROL = "private, no-cache"


def image_response(scan: Scan) -> HttpResponse:
    """The canonical image, PNG. Raises `Http404` when the file is gone."""
    return _file_response(scan.image, filename=f"scan-{scan.short_id}.png")


def thumbnail_response(scan: Scan) -> HttpResponse:
    """The thumbnail, PNG. Raises `Http404` when the file is gone."""
    return _file_response(scan.thumbnail, filename=f"scan-{scan.short_id}-thumbnail.png")


def saliency_response(scan: Scan, analysis: Analysis, *, finding: str = "") -> HttpResponse:
    """The class activation map of `finding` (default: the one named) as RGBA PNG, to be laid over the image.

    Raises:
        Http404: if there is nothing to show: no result, no tumor named, or no such finding.
    """
    finding = finding or analysis.saliency_finding
    if not analysis.saliency_finding or finding not in TUMORS:
        raise Http404("There is no saliency map for this.")
    try:
        maps = class_maps(analysis)
    except ClassMaps.DoesNotExist as error:
        raise Http404("There is no saliency map for this.") from error
    card = model_card(analysis.model_name)
    scale = None if card is None else card.saliency
    png = overlay_png(maps, finding=finding, width=scan.width, height=scan.height, scale=scale)
    return _private(HttpResponse(png, content_type="image/png"), filename=f"scan-{scan.short_id}-{finding}.png")


def _file_response(file: File, *, filename: str) -> HttpResponse:  # type: ignore[type-arg]
    try:
        response = FileResponse(file.open("rb"), content_type="image/png")
    except FileNotFoundError as error:
        raise Http404("The image file is missing.") from error
    return _private(response, filename=filename)


def _private(response: HttpResponse | FileResponse, *, filename: str) -> HttpResponse:
    response["Cache-Control"] = CACHE_CONTROL
    response["Content-Disposition"] = f'inline; filename="{filename}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response  # type: ignore[return-value]
