"""The images of a scan as HTTP responses, for pages and API. Callers check that the user may see the scan."""

from collections.abc import Callable
from uuid import UUID

from django.core.files import File
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response
from django.utils.http import quote_etag

from classifier.findings import TUMORS
from classifier.inference.saliency import overlay_png
from classifier.input_problems import blocking
from classifier.models import Analysis, ClassMaps, Scan
from classifier.selectors.analysis import class_maps
from classifier.selectors.model import model_card
from classifier.services.errors import Sealed, StorageUnavailable, Withheld

# A browser may keep an image but must ask each time whether the user may still see it: workstations are shared.
CACHE_CONTROL = "private, no-cache"


def image_response(request: HttpRequest, scan: Scan) -> HttpResponse:
    """Return the canonical image, PNG.

    Raises:
        Http404: If the file is missing.
        StorageUnavailable: If the storage fails.
    """
    return _unless_known(
        request,
        lambda: _file_response(scan.image),
        etag=scan.pixels_sha256,
        filename=f"scan-{scan.short_id}.png",
    )


def thumbnail_response(request: HttpRequest, scan: Scan) -> HttpResponse:
    """Return the thumbnail, PNG. Raises the same errors as `image_response`."""
    return _unless_known(
        request,
        lambda: _file_response(scan.thumbnail),
        etag=f"{scan.pixels_sha256}-thumbnail",
        filename=f"scan-{scan.short_id}-thumbnail.png",
    )


def saliency_response(
    request: HttpRequest, scan: Scan, *, analysis_id: UUID | None = None, finding: str = ""
) -> HttpResponse:
    """Return a class activation map as an RGBA PNG of the size of the image, to be drawn over it.

    Args:
        request: The request, for its conditional headers.
        scan: The scan.
        analysis_id: One of the scan's analyses; None for the current one.
        finding: The tumor to show; "" for the one that the analysis reports.

    Raises:
        Http404: If the scan has no such analysis, or the analysis has no map of this finding.
        Sealed: If the result is closed to the user.
        Withheld: If the input check withholds the answer.
    """
    if scan.closed:
        raise Sealed
    if blocking(scan.input_codes):
        raise Withheld
    analysis = _analysis_of(scan, analysis_id)
    shown = finding or analysis.saliency_finding
    if not analysis.saliency_finding or shown not in TUMORS:
        raise Http404("There is no saliency map for this.")
    return _unless_known(
        request,
        lambda: _overlay_response(scan, analysis, finding=shown),
        etag=f"{analysis.pk}-{shown}",
        filename=f"scan-{scan.short_id}-{shown}.png",
    )


def _analysis_of(scan: Scan, analysis_id: UUID | None) -> Analysis:
    if analysis_id in (None, scan.current_analysis_id):
        analysis = scan.current_analysis
    else:
        analysis = scan.analyses.filter(pk=analysis_id).first()
    if analysis is None:
        raise Http404("There is no such analysis.")
    return analysis


def _overlay_response(scan: Scan, analysis: Analysis, *, finding: str) -> HttpResponse:
    try:
        maps = class_maps(analysis)
    except ClassMaps.DoesNotExist as error:
        raise Http404("There is no saliency map for this.") from error
    card = model_card(analysis.model_name)
    scale = None if card is None else card.saliency
    png = overlay_png(maps, finding=finding, width=scan.width, height=scan.height, scale=scale)
    return HttpResponse(png, content_type="image/png")


def _file_response(file: File) -> HttpResponse:  # type: ignore[type-arg]
    try:
        return FileResponse(file.open("rb"), content_type="image/png")  # type: ignore[return-value]
    except FileNotFoundError as error:
        raise Http404("The image file is missing.") from error
    except OSError as error:
        raise StorageUnavailable("The image cannot be read at the moment. Try again in a minute.") from error


def _unless_known(
    request: HttpRequest, respond: Callable[[], HttpResponse], *, etag: str, filename: str
) -> HttpResponse:
    """Return what `respond` returns, or 304 if the client has this version. The pixels of a scan never change."""
    response = get_conditional_response(request, etag=quote_etag(etag))
    if response is None:
        response = respond()
        response["Content-Disposition"] = f'inline; filename="{filename}"'
        response["X-Content-Type-Options"] = "nosniff"
    response["ETag"] = quote_etag(etag)
    response["Cache-Control"] = CACHE_CONTROL
    return response  # type: ignore[return-value]
