"""The statistics of readings: one's own, those of teams combined, and the network's accuracy on confirmed diagnoses."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from classifier.findings import FINDING_LABELS
from classifier.reading_agreement import MIN_DIAGNOSES, Share
from classifier.reading_figures import MIN_READERS, AgreementRow, FlipsRow, ReaderFigures
from classifier.selectors.statistics import StatisticsFilter, statistics
from classifier.web.forms import StatisticsForm
from classifier.web.http import SignedInRequest
from classifier.wording import with_interval


@require_safe
def statistics_page(request: SignedInRequest) -> HttpResponse:
    """Show the figures of the scans that match the filters and are open to the person."""
    form = StatisticsForm(request.GET, user=request.user)
    chosen = StatisticsFilter(**form.chosen())
    figures = statistics(request.user, chosen)
    form.offer_models(figures.models)
    context = {
        "form": form,
        "figures": figures,
        "team": chosen.team,
        "is_filtered": any(form.chosen().values()),
        "is_empty": not (figures.own.readers or (figures.team and figures.team.readers) or figures.accuracy.diagnoses),
        "min_diagnoses": MIN_DIAGNOSES,
        "min_readers": MIN_READERS,
        "own_charts": _charts(figures.own),
        "team_charts": _charts(figures.team) if figures.team else None,
    }
    return render(request, "web/statistics.html", context)


def month_label(month: str) -> str:
    """Return "2026-11" as "Nov 2026"."""
    return f"{date.fromisoformat(f'{month}-01'):%b %Y}"


def _charts(figures: ReaderFigures) -> dict[str, Any]:
    """Return the data of the charts; an empty list where there is nothing to compare."""
    return {
        "agreement": _agreement(figures.reviews_by_month),
        "by_diagnosis": _flips([(FINDING_LABELS[row.name].capitalize(), row) for row in figures.flips_by_diagnosis]),
        "by_month": _flips([(month_label(row.name), row) for row in figures.flips_by_month]),
    }


def _agreement(rows: Sequence[AgreementRow]) -> list[dict[str, Any]]:
    if sum(row.share is not None for row in rows) < 2:
        return []
    return [{"label": month_label(row.name), **_point(row.share)} for row in rows]


def _point(share: Share | None) -> dict[str, Any]:
    """Return a share with its interval, in figures and as "82% (67–91)"; nothing if it is withheld or has no cases."""
    if share is None or share.value is None:
        return {"value": None, "low": None, "high": None, "text": ""}
    low, high = share.limits
    return {"value": share.value, "low": low, "high": high, "text": with_interval(share.value, low, high)}


def _flips(rows: Sequence[tuple[str, FlipsRow]]) -> list[dict[str, Any]]:
    if sum(row.flips is not None for _, row in rows) < 2:
        return []
    return [
        {
            "label": label,
            "to_right": row.flips and row.flips.to_right,
            "to_wrong": row.flips and row.flips.to_wrong,
        }
        for label, row in rows
    ]
