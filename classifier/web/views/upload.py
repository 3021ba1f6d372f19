"""The upload page and the uploads from it."""

import uuid
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from classifier.intake import MAX_BYTES, RefusedImage
from classifier.models import Batch
from classifier.selectors.batch import next_number, visible_batches
from classifier.selectors.lists.scan_list import ScanList
from classifier.selectors.lists.scope import scope_of
from classifier.selectors.model import model_choices
from classifier.services.batch import MAX_BATCH_FILES, open_batch
from classifier.services.errors import NotFound
from classifier.services.sample import list_samples
from classifier.web.forms import UploadForm
from classifier.web.http import SignedInRequest
from classifier.web.uploads import MAX_FILES, TOO_MANY_FILES, UploadResult, take_files
from classifier.wording import megabytes

# Fits the column beside the drop zone.
RECENT_SCANS = 6
FULL_BATCH = f"One upload has at most {MAX_BATCH_FILES} files. Open the page “Upload” again for this file."


@require_safe
def upload(request: SignedInRequest) -> HttpResponse:
    """Show the drop zone, the samples, and the latest scans. `batch` continues an upload of several files."""
    if request.GET.get("part") == "recent":
        return render(request, "web/_recent.html", _recent(request))
    begun = _begun_batch(request, request.GET.get("batch", ""))
    fresh = {"upload_key": uuid.uuid4().hex, "batch": uuid.uuid4(), "team": request.GET.get("team")}
    if begun is not None:
        fresh |= {"batch": begun.pk, "team": begun.team_id, "patient_reference": begun.patient_reference}
    form = UploadForm(user=request.user, models=model_choices(), initial=fresh)
    return render(request, "web/upload.html", _page(request, form))


@require_http_methods(["GET", "HEAD", "POST"])
def scan_upload(request: SignedInRequest) -> HttpResponse:
    """Store the files of a form, or a file that the script sends.

    A single accepted file redirects to its scan, several redirect to their batch.
    """
    if request.method != "POST":
        # Signing in again leads here.
        return redirect("web:upload")
    form = UploadForm(request.POST, user=request.user, models=model_choices())
    files = request.FILES.getlist("image")
    by_script = request.headers.get("HX-Request") == "true"
    if not form.is_valid():
        if by_script:
            mistakes = " ".join(str(error) for errors in form.errors.values() for error in errors)
            return HttpResponse(mistakes, status=422, content_type="text/plain; charset=utf-8")
        return render(request, "web/upload.html", _page(request, form), status=400)
    if not files:
        form.add_error(None, "Choose at least one image to upload.")
        return render(request, "web/upload.html", _page(request, form), status=400)
    fields = dict(form.cleaned_data)
    batch_id, number = fields.pop("batch"), fields.pop("number")
    # A single file needs no batch, unless the script sends it as one of several.
    batch = _batch(request, batch_id, fields) if number or len(files) > 1 else None
    results = take_files(files, owner=request.user, batch=batch, first_number=number or 1, **fields)
    accepted = [result.scan for result in results if result.scan]
    if by_script or (batch is None and not accepted):
        return _listed(request, results)
    return redirect(batch or accepted[0])


def _batch(request: SignedInRequest, batch_id: uuid.UUID | None, fields: dict[str, Any]) -> Batch:
    try:
        return open_batch(
            batch_id or uuid.uuid4(),
            owner=request.user,
            team=fields["team"],
            patient_reference=fields["patient_reference"],
        )
    except NotFound as error:
        raise Http404(str(error)) from error


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


def _begun_batch(request: SignedInRequest, word: str) -> Batch | None:
    """Return the person's own batch of this identifier, to add files to; None if there is none."""
    batch_id = _uuid(word)
    if batch_id is None:
        return None
    return visible_batches(request.user).filter(pk=batch_id, owner=request.user).first()


def _uuid(word: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(word)
    except ValueError:
        return None


def _recent(request: SignedInRequest) -> dict[str, Any]:
    """Return the variables of `web/_recent.html`."""
    scans = ScanList(scope_of(request.user)).load(RECENT_SCANS)
    analyses = [scan.current_analysis for scan in scans]
    return {"recent": scans, "recent_is_active": any(row is not None and not row.is_finished for row in analyses)}


def _page(request: SignedInRequest, form: UploadForm) -> dict[str, Any]:
    batch_id = _uuid(str(form["batch"].value())) or uuid.uuid4()
    return {
        "form": form,
        "samples": list_samples(),
        **_recent(request),
        "batch_id": batch_id,
        "batch_url": reverse("web:batch", args=[batch_id]),
        "next_number": next_number(batch_id),
        "limits": {
            "max_bytes": MAX_BYTES,
            "max_size": megabytes(MAX_BYTES),
            "too_large": str(RefusedImage("too_large")),
            "max_files": MAX_FILES,
            "too_many": TOO_MANY_FILES,
            "max_number": MAX_BATCH_FILES,
            "full_batch": FULL_BATCH,
        },
    }
