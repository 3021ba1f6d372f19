"""The images of a scan. They pass the same gate as its page: a stranger gets 404."""

from collections.abc import Callable
from uuid import UUID

from django.http import Http404, HttpResponse
from django.utils.cache import get_conditional_response
from django.utils.http import quote_etag
from django.views.decorators.http import require_safe

from classifier import scan_files
from classifier.models import Analysis
from classifier.web.http import SignedInRequest, analysis_or_404, scan_or_404


@require_safe
def scan_image(request: SignedInRequest, scan_id: UUID) -> HttpResponse:
    """The canonical image."""
    scan = scan_or_404(request, scan_id)
    return _unless_known(request, lambda: scan_files.image_response(scan), etag=scan.pixels_sha256)


@require_safe
def scan_thumbnail(request: SignedInRequest, scan_id: UUID) -> HttpResponse:
    """The small image of lists."""
    scan = scan_or_404(request, scan_id)
    etag = f"{scan.pixels_sha256}-thumbnail"
    return _unless_known(request, lambda: scan_files.thumbnail_response(scan), etag=etag)


@require_safe
def scan_saliency(request: SignedInRequest, scan_id: UUID) -> HttpResponse:
    """Where the evidence for a tumor lies: a transparent PNG of the image's proportions.

    `analysis` chooses one of the scan's analyses (default: the current one), `finding` a tumor (default: the one the
    analysis names). There is none for "no tumor", nor for an image that was refused.
    """
    scan = scan_or_404(request, scan_id)
    analysis = _chosen_analysis(request, scan.current_analysis)
    if analysis is None or analysis.scan_id != scan.pk:
        raise Http404("There is no saliency map for this.")
    finding = request.GET.get("finding", "")
    return _unless_known(
        request,
        lambda: scan_files.saliency_response(scan, analysis, finding=finding),
        etag=f"{analysis.pk}-{finding or analysis.saliency_finding}",
    )


def _chosen_analysis(request: SignedInRequest, current: Analysis | None) -> Analysis | None:
    wanted = request.GET.get("analysis")
    if not wanted:
        return current
    try:
        return analysis_or_404(request, UUID(wanted))
    except ValueError as error:
        raise Http404("There is no such analysis.") from error


def _unless_known(request: SignedInRequest, make: Callable[[], HttpResponse], *, etag: str) -> HttpResponse:
    """Return what `make` makes, or 304 to a browser that holds this version already. Pixels never change."""
    known = get_conditional_response(request, etag=quote_etag(etag))
    response = make() if known is None else known
    response["ETag"] = quote_etag(etag)
    response["Cache-Control"] = scan_files.CACHE_CONTROL
    return response  # type: ignore[return-value]
