"""Impressions, reviews, and diagnoses of a scan, and the way through the unread scans."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from classifier.models import Analysis, Review, Scan
from classifier.selectors.analysis import get_analysis
from classifier.selectors.review import next_unread, own_impression, own_last_diagnosis, own_last_review
from classifier.selectors.scan import get_scan
from classifier.services.errors import Conflict, ServiceError
from classifier.services.review import record_diagnosis, record_impression, submit_review
from classifier.web.http import SignedInRequest
from classifier.web.kept_entry import given_back, take_entry
from classifier.web.reading_forms import DiagnosisForm, ImpressionForm, ReadingForm, ReviewForm
from classifier.web.views.scans import scan_page

LEAVES = "next"
"""Name of the button that saves and goes to the next unread scan."""


@require_http_methods(["GET", "HEAD", "POST"])
def review_create(request: SignedInRequest, analysis_id: UUID) -> HttpResponse:
    """Record a review of an analysis."""
    try:
        analysis = get_analysis(request.user, analysis_id)
        shown = get_scan(request.user, analysis.scan_id)
    except (Analysis.DoesNotExist, Scan.DoesNotExist):
        return _gone(request)
    form = ReviewForm(_entered(request), analysis=analysis)
    return _record(
        request,
        shown,
        form,
        record=lambda values, seen: submit_review(analysis, by=request.user, seen=seen, **values),
        last=lambda: own_last_review(request.user, analysis),
    )


@require_http_methods(["GET", "HEAD", "POST"])
def impression_create(request: SignedInRequest, scan_id: UUID) -> HttpResponse:
    """Record an impression of a sealed scan."""
    try:
        shown = get_scan(request.user, scan_id)
    except Scan.DoesNotExist:
        return _gone(request)
    return _record(
        request,
        shown,
        ImpressionForm(_entered(request)),
        record=lambda values, _: record_impression(shown, by=request.user, **values),
        last=lambda: own_impression(request.user, shown),
    )


@require_http_methods(["GET", "HEAD", "POST"])
def diagnosis_create(request: SignedInRequest, scan_id: UUID) -> HttpResponse:
    """Record a confirmed diagnosis of a scan."""
    try:
        shown = get_scan(request.user, scan_id)
    except Scan.DoesNotExist:
        return _gone(request)
    return _record(
        request,
        shown,
        DiagnosisForm(_entered(request)),
        record=lambda values, seen: record_diagnosis(shown, by=request.user, seen=seen, **values),
        last=lambda: own_last_diagnosis(request.user, shown),
    )


@require_safe
def unread(request: SignedInRequest) -> HttpResponse:
    """Go to the next unread scan: the oldest one, the one `after` a scan, or the one `before` it."""
    backwards = "before" in request.GET
    left = _visible(request, request.GET.get("before" if backwards else "after", ""))
    found = next_unread(request.user, after=left, backwards=backwards)
    if found is not None:
        return redirect(found)
    messages.info(request, "There is no other unread scan." if left else "There are no unread scans.")
    return redirect(left or "web:history")


def _record(
    request: SignedInRequest,
    shown: Scan,
    form: ReadingForm,
    *,
    record: Callable[[dict[str, Any], int | None], object],
    last: Callable[[], object | None],
) -> HttpResponse:
    """Record what a form says and leave the page, or show the page with the form as it was filled in.

    Args:
        request: the request.
        shown: the scan.
        form: the form with the request's data.
        record: records the form's values; its second argument is the number of statements that the page showed.
        last: returns the person's newest statement of this kind.
    """
    if request.method != "POST":
        # The sign-in page leads here after a session that ended.
        if not form.is_bound:
            return redirect(shown)
        return scan_page(request, shown, bound=given_back(form))
    if not form.is_valid():
        return scan_page(request, shown, bound=form, status=400)
    values = form.statement()
    try:
        record(values, form.cleaned_data["seen"])
    except ServiceError as error:
        if error.code == "scan_deleted":
            return _gone(request)
        if not (isinstance(error, Conflict) and _says(last(), values)):
            form.add_error(None, str(error))
            return scan_page(request, shown, bound=form, status=409 if isinstance(error, Conflict) else 400)
        # The form was sent twice; its content is recorded.
    messages.success(request, "Saved.")
    if LEAVES not in request.POST:
        return redirect(shown)
    found = next_unread(request.user, after=shown)
    if found is None:
        messages.info(request, "That was the last unread scan.")
    return redirect(found or shown)


def _entered(request: SignedInRequest) -> Mapping[str, Any] | None:
    """Return what the request sends, or what was kept from a session that had ended; None without either."""
    return request.POST if request.method == "POST" else take_entry(request)


def _says(statement: object | None, values: dict[str, Any]) -> bool:
    """Return whether a stored statement is what a form says. A finding is not compared with an agreement."""
    agrees = values.get("verdict") == Review.Verdict.AGREE
    return statement is not None and all(
        getattr(statement, name) == (value.replace("\r\n", "\n").strip() if name == "comment" else value)
        for name, value in values.items()
        if not (agrees and name == "finding")
    )


def _gone(request: SignedInRequest) -> HttpResponse:
    """Show what was typed about a scan that no longer exists, or that the person cannot see."""
    entered = _entered(request) or {}
    return render(request, "web/review_lost.html", {"comment": entered.get("comment", "")}, status=404)


def _visible(request: SignedInRequest, text: str) -> Scan | None:
    try:
        return get_scan(request.user, UUID(text))
    except (ValueError, Scan.DoesNotExist):
        return None
