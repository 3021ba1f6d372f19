"""The upload page and the uploads from it."""

import uuid
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from classifier.intake import MAX_BYTES, RefusedImage
from classifier.selectors.scan import visible_scans
from classifier.services.sample import list_samples
from classifier.web.batches import keep_names, read_batch, store_batch
from classifier.web.forms import UploadForm
from classifier.web.http import SignedInRequest
from classifier.web.uploads import MAX_FILES, TOO_MANY_FILES, UploadResult, take_files
from classifier.wording import megabytes

# Fits the column beside the drop zone.
RECENT_SCANS = 6


@require_safe
def upload(request: SignedInRequest) -> HttpResponse:
    """Show the drop zone, the samples, and the latest scans."""
    form = UploadForm(user=request.user, initial={"upload_key": uuid.uuid4().hex, "team": request.GET.get("team")})
    return render(request, "web/upload.html", _page(request, form))


@require_http_methods(["GET", "HEAD", "POST"])
def scan_upload(request: SignedInRequest) -> HttpResponse:
    """Store the files of a form, or a file that the script sends.

    A single accepted file redirects to its scan, several to a list of results. People without JavaScript reload that
    list to see the results.
    """
    if request.method != "POST":
        results = read_batch(request, key=request.GET.get("batch", ""))
        # Signing in again leads here without a batch.
        return _listed(request, results) if results else redirect("web:upload")
    form = UploadForm(request.POST, user=request.user)
    files = request.FILES.getlist("image")
    by_script = request.headers.get("HX-Request") == "true"
    if not form.is_valid():
        if by_script:
            refusal = " ".join(str(error) for errors in form.errors.values() for error in errors)
            return _listed(request, [UploadResult(file.name or "", refusal=refusal) for file in files])
        return render(request, "web/upload.html", _page(request, form), status=400)
    if not files:
        form.add_error(None, "Choose at least one image to upload.")
        return render(request, "web/upload.html", _page(request, form), status=400)
    results = take_files(files, owner=request.user, **form.cleaned_data)
    accepted = [result.scan for result in results if result.scan]
    if by_script or not accepted:
        return _listed(request, results)
    if len(results) == 1:
        return redirect(accepted[0])
    key = store_batch(request.session, results)
    response = redirect(f"{request.path}?{urlencode({'batch': key})}")
    keep_names(response, key=key, results=results, path=request.path)
    return response


def _listed(request: SignedInRequest, results: list[UploadResult]) -> HttpResponse:
    by_script = request.headers.get("HX-Request") == "true"
    template = "web/_upload_results.html" if by_script else "web/upload_results.html"
    accepted = sum(result.scan is not None for result in results)
    context = {
        "results": results,
        "accepted": accepted,
        "refused": len(results) - accepted,
        "is_active": any(result.is_active for result in results),
    }
    return render(request, template, context, status=200 if accepted else 400)


def _page(request: SignedInRequest, form: UploadForm) -> dict[str, Any]:
    return {
        "form": form,
        "samples": list_samples(),
        "recent": visible_scans(request.user)[:RECENT_SCANS],
        "limits": {
            "max_bytes": MAX_BYTES,
            "max_size": megabytes(MAX_BYTES),
            "too_large": str(RefusedImage("too_large")),
            "max_files": MAX_FILES,
            "too_many": TOO_MANY_FILES,
        },
    }
