"""Uploads of several files: their list, and the page of each."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from classifier import wording
from classifier.models import Batch
from classifier.queue.order import queue_positions
from classifier.selectors.batch import (
    BatchList,
    Entry,
    batch_counts,
    batch_entries,
    counts_of_batches,
    failed_scans,
    get_batch,
)
from classifier.services.batch import retry_failed
from classifier.web.http import SignedInRequest
from classifier.web.pagination import keyset_page
from classifier.web.progress import progress_of


@require_safe
def batches(request: SignedInRequest) -> HttpResponse:
    """List the uploads of several files, newest first."""
    page = keyset_page(BatchList(request.user), cursor=request.GET.get("cursor", ""))
    counts = counts_of_batches(request.user, page.rows)
    rows = [{"batch": row, "summary": wording.batch_summary(counts[row.pk])} for row in page.rows]
    return render(request, "web/batches.html", {"rows": rows, "page": page})


@require_safe
def batch(request: SignedInRequest, batch_id: UUID) -> HttpResponse:
    """Show the outcome of each file."""
    shown = _batch_or_404(request, batch_id)
    entries = batch_entries(request.user, [shown])[shown.pk]
    positions = queue_positions()
    rows = [{"entry": entry, **_progress(entry, positions)} for entry in entries]
    context = {
        "batch": shown,
        "rows": rows,
        "summary": wording.batch_summary(batch_counts(entries)),
        "failed": len(failed_scans(entries)),
        "has_scans": any(entry.scan is not None for entry in entries),
        "is_active": any(row.get("is_active") for row in rows),
        "names_kept": any(entry.name for entry in entries),
    }
    template = "web/_batch_summary.html" if request.GET.get("part") == "summary" else "web/batch.html"
    return render(request, template, context)


@require_POST
def batch_retry(request: SignedInRequest, batch_id: UUID) -> HttpResponse:
    """Queue the failed and canceled analyses again."""
    shown = _batch_or_404(request, batch_id)
    queued = retry_failed(shown, failed_scans(batch_entries(request.user, [shown])[shown.pk]), by=request.user)
    if queued:
        messages.success(request, f"{queued} {'analysis' if queued == 1 else 'analyses'} queued again.")
    else:
        messages.info(request, "No analysis of this upload has failed.")
    return redirect(shown)


def _progress(entry: Entry, positions: dict[UUID, int]) -> dict[str, Any]:
    if entry.scan is None:
        return {}
    analysis = entry.scan.current_analysis
    return progress_of(entry.scan, position=positions.get(analysis.pk, 0) if analysis else 0)


def _batch_or_404(request: SignedInRequest, batch_id: UUID) -> Batch:
    try:
        return get_batch(request.user, batch_id)
    except Batch.DoesNotExist as error:
        raise Http404("There is no such upload.") from error
