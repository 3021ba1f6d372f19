"""The bundled sample scans."""

from functools import lru_cache

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from classifier.intake import read_image, thumbnail_png
from classifier.services.errors import ServiceError
from classifier.services.sample import get_sample, submit_sample
from classifier.web.http import SignedInRequest

# Samples change only with a new version of the product.
MAX_AGE_SECONDS = 24 * 60 * 60


@require_POST
def sample_submit(request: SignedInRequest, name: str) -> HttpResponse:
    """Upload a sample on behalf of the user, through the same service as any file."""
    _sample_or_404(name)
    try:
        submission = submit_sample(name, owner=request.user)
    except ServiceError as error:
        messages.error(request, str(error))
        return redirect("web:upload")
    return redirect(submission.scan)


@require_safe
def sample_image(request: SignedInRequest, name: str) -> HttpResponse:
    """Return the thumbnail of a sample."""
    _sample_or_404(name)
    response = HttpResponse(_thumbnail(name), content_type="image/png")
    response["Cache-Control"] = f"private, max-age={MAX_AGE_SECONDS}"
    return response


def _sample_or_404(name: str) -> None:
    try:
        get_sample(name)
    except ServiceError as error:
        raise Http404(str(error)) from error


@lru_cache(maxsize=32)
def _thumbnail(name: str) -> bytes:
    return thumbnail_png(read_image(get_sample(name).path.read_bytes()), side=192)
