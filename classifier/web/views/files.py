"""The images of a scan, with the same access rule as its page: 404 for anyone who may not see it."""

from collections.abc import Callable
from uuid import UUID

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_safe

from classifier import scan_files
from classifier.services.errors import Sealed, StorageUnavailable, Withheld
from classifier.web.http import SignedInRequest, scan_or_404


@require_safe
def scan_image(request: SignedInRequest, scan_id: UUID) -> HttpResponse:
    """Return the canonical image."""
    return _file(lambda: scan_files.image_response(request, scan_or_404(request, scan_id)))


@require_safe
def scan_thumbnail(request: SignedInRequest, scan_id: UUID) -> HttpResponse:
    """Return the thumbnail."""
    return _file(lambda: scan_files.thumbnail_response(request, scan_or_404(request, scan_id)))


@require_safe
def scan_saliency(request: SignedInRequest, scan_id: UUID) -> HttpResponse:
    """Return the saliency map of a tumor: a transparent PNG with the proportions of the image.

    The parameter `analysis` selects one of the scan's analyses (default: the current one), `finding` a tumor (default:
    the one that the analysis reports). There is no map for "no tumor" or for an image that is not a brain MR.
    While the result is sealed for the user, the response is 409.
    """
    try:
        return scan_files.saliency_response(
            request,
            scan_or_404(request, scan_id),
            analysis_id=_analysis_id(request.GET.get("analysis", "")),
            finding=request.GET.get("finding", ""),
        )
    except (Sealed, Withheld) as error:
        return HttpResponse(str(error), status=409, content_type="text/plain", headers={"Cache-Control": "no-store"})


def _file(respond: Callable[[], HttpResponse]) -> HttpResponse:
    """Return the response; 503 while the storage fails."""
    try:
        return respond()
    except StorageUnavailable as error:
        headers = {"Cache-Control": "no-store", "Retry-After": "5"}
        return HttpResponse(str(error), status=503, content_type="text/plain", headers=headers)


def _analysis_id(text: str) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError as error:
        raise Http404("There is no such analysis.") from error
