"""The history: scans with their results, and statistics."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from classifier.findings import ANSWERS, FINDING_LABELS, OUTCOME_LABELS, Outcome
from classifier.models import Scan
from classifier.models.scan_index import WITHHELD
from classifier.scan_csv import MAX_ROWS, csv_response, is_too_long
from classifier.selectors import attention, review
from classifier.selectors.history import DASHBOARD_DAYS, Dashboard, dashboard
from classifier.web.filters import UNREAD_LABEL, HistoryFilter
from classifier.web.http import SignedInRequest
from classifier.web.pagination import keyset_page
from classifier.web.scan_rows import scan_rows
from classifier.wording import SEALED

NO_SCANS = Scan.objects.none()
"""The filters narrow a `ScanList` here, which reads what the person may see by itself."""


@require_safe
def history(request: SignedInRequest) -> HttpResponse:
    """List the visible scans that match the filters, newest first."""
    query = request.GET.copy()
    cursor = str(query.pop("cursor", [""])[-1])
    filters = HistoryFilter(query, queryset=NO_SCANS, request=request)
    page = keyset_page(filters.scan_list(), cursor=cursor)
    kept = {name: value for name, value in query.items() if value}
    if cursor and not page.rows:
        # The scans of this page have been deleted.
        return redirect(f"{request.path}?{urlencode(kept)}")
    figures = dashboard(filters.scope)
    context = {
        "filters": filters,
        "page": page,
        "rows": scan_rows(page.rows, request.user),
        "kept": kept,
        "figures": figures,
        "attention_count": _up_to(attention.MAX_ROWS, attention.attention_count(filters.scope)),
        "unread": _up_to(review.MAX_UNREAD, review.unread_count(filters.scope)),
        "counts": _counts(figures),
        "dashboard_days": DASHBOARD_DAYS,
        "per_day": {
            "labels": [f"{day:%-d %b}" for day, _ in figures.per_day],
            "uploads": [uploads for _, uploads in figures.per_day],
        },
        "recent_uploads": sum(uploads for _, uploads in figures.per_day),
        "is_active": any(scan.current_analysis and not scan.current_analysis.is_finished for scan in page.rows),
    }
    return render(request, "web/history.html", context)


def _up_to(most: int, number: int) -> str:
    """Return a number that was counted no further than beyond `most`: "12", "100+", or "" for none."""
    return f"{most}+" if number > most else str(number or "")


@require_safe
def history_csv(request: SignedInRequest) -> StreamingHttpResponse | HttpResponseRedirect:
    """Return the visible scans that match the filters as a file. A list that is too long leads back to the page."""
    scans = HistoryFilter(request.GET, queryset=NO_SCANS, request=request).scan_list()
    if is_too_long(scans):
        messages.error(request, f"More than {MAX_ROWS:,} scans match. Narrow the list with filters, then export it.")
        kept = {name: value for name, value in request.GET.items() if value}
        return redirect(f"{reverse('web:history')}?{urlencode(kept)}")
    return csv_response(scans)


def _counts(figures: Dashboard) -> list[dict[str, Any]]:
    """Return name, label, and count of every result, findings first."""
    rows = [(name, FINDING_LABELS[name].capitalize(), figures.by_finding[name]) for name in ANSWERS]
    rows.append((Outcome.UNCERTAIN, OUTCOME_LABELS[Outcome.UNCERTAIN], figures.uncertain))
    rows.append((Outcome.NOT_BRAIN_MRI, OUTCOME_LABELS[Outcome.NOT_BRAIN_MRI], figures.not_brain_mri))
    if figures.withheld:
        rows.append((WITHHELD, "Check the image first", figures.withheld))
    if figures.unread:
        rows.append((SEALED, UNREAD_LABEL, figures.unread))
    return [{"name": name, "label": label, "count": count} for name, label, count in rows]
