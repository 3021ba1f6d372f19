"""The images of a scan, with the same access rule as its page: 404 for anyone who may not see it."""

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
    """Return the canonical image."""
    scan = scan_or_404(request, scan_id)
    return _unless_known(request, lambda: scan_files.image_response(scan), etag=scan.pixels_sha256)


@require_safe
def scan_thumbnail(request: SignedInRequest, scan_id: UUID) -> HttpResponse:
    """Return the thumbnail."""
    scan = scan_or_404(request, scan_id)
    etag = f"{scan.pixels_sha256}-thumbnail"
    return _unless_known(request, lambda: scan_files.thumbnail_response(scan), etag=etag)


@require_safe
def scan_saliency(request: SignedInRequest, scan_id: UUID) -> HttpResponse:
    """Return the saliency map of a tumor: a transparent PNG with the proportions of the image.

    The parameter `analysis` selects one of the scan's analyses (default: the current one), `finding` a tumor (default:
    the one that the analysis reports). There is no map for "no tumor" or for an image that is not a brain MR.
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
    """Return the response of `make`, or 304 if the browser already has this version. Pixels never change."""
    known = get_conditional_response(request, etag=quote_etag(etag))
    response = make() if known is None else known
    response["ETag"] = quote_etag(etag)
    response["Cache-Control"] = scan_files.CACHE_CONTROL
    return response  # type: ignore[return-value]
