"""The models of this installation: their comparison, each one's figures, exports, and the default."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from classifier.comparison.figures import confusion_of
from classifier.comparison.tables import differences_to_csv, to_csv, to_latex
from classifier.findings import FINDING_LABELS, FINDINGS
from classifier.selectors.comparison import (
    ComparedModel,
    compared_model,
    compared_models,
    differences,
    protocols_of,
)
from classifier.selectors.in_use import WEEKS
from classifier.selectors.in_use import models_in_use as selected
from classifier.selectors.model import default_model, model_cards
from classifier.selectors.site_drift import LEAST_IMAGES
from classifier.services.errors import NotAllowed, ServiceError
from classifier.services.model import set_installation_model
from classifier.web import in_use_tables, model_tables
from classifier.web.http import SignedInRequest


@require_safe
def models(request: SignedInRequest) -> HttpResponse:
    """Compare all models under one protocol."""
    found = compared_models()
    protocols = protocols_of(found)
    protocol = _chosen(request, "protocol", protocols)
    part = _chosen(request, "set", list(model_tables.CURVE_PARTS))
    measured = [model for model in found if protocol in model.evaluations]
    comparable = [model for model in measured if model.has_predictions(protocol)]
    base = next((model for model in comparable if model.card.name == request.GET.get("base")), None)
    base = base or (comparable[0] if comparable else None)
    context = {
        "models": found,
        "damaged": model_cards()[1],
        "measured": measured,
        "protocols": protocols,
        "protocol": protocol,
        "part": part,
        "parts": model_tables.CURVE_PARTS,
        "cost_rows": model_tables.cost_rows(found),
        "figure_rows": model_tables.figure_rows(measured, protocol=protocol),
        "set_rows": model_tables.figure_rows(measured, protocol=protocol, by_set=True),
        "outdated": [model for model in measured if model.is_outdated(protocol)],
        "other_runs": other_runs(measured, protocol=protocol),
        "unmeasured": [model for model in found if model not in measured],
        "leaky": [m for m in measured if not m.other_run(protocol) and m.trained_under() not in ("", protocol)],
        "base": base,
        "base_heading": "" if base is None else base.heading(protocol),
        "comparable": comparable,
        "comparisons": [] if base is None else _comparisons(base, comparable, protocol=protocol),
        "charts": model_tables.curve_charts(measured, protocol=protocol, part=part),
        "pareto": model_tables.pareto_points(measured, protocol=protocol),
    }
    return render(request, "web/models.html", context)


@require_safe
def model(request: SignedInRequest, name: str) -> HttpResponse:
    """Show the figures of one model: each finding, the confusion matrix, and what is refused."""
    shown = compared_model(name)
    if shown is None:
        raise Http404("There is no such model.")
    protocols = protocols_of([shown])
    protocol = _chosen(request, "protocol", protocols)
    evaluation = shown.evaluations.get(protocol)
    context: dict[str, Any] = {"model": shown, "protocols": protocols, "protocol": protocol, "evaluation": evaluation}
    if evaluation is not None:
        context |= {
            "columns": [shown],
            "version": shown.measured_version(protocol),
            "outdated": shown.is_outdated(protocol),
            "other_runs": other_runs([shown], protocol=protocol),
            "has_predictions": shown.has_predictions(protocol),
            "figure_rows": model_tables.figure_rows([shown], protocol=protocol),
            "set_rows": model_tables.figure_rows([shown], protocol=protocol, by_set=True),
            "finding_rows": model_tables.finding_rows(evaluation),
            "refusal_rows": model_tables.refusal_rows(evaluation),
            "confusion": _confusion(shown, protocol=protocol),
            "findings": [(finding, FINDING_LABELS[finding].capitalize()) for finding in FINDINGS],
        }
    return render(request, "web/model.html", context)


@require_safe
def models_export(request: SignedInRequest, kind: str) -> HttpResponse:
    """Return all figures or all paired differences as CSV, or the figures of one protocol as a LaTeX table."""
    found = compared_models()
    protocols = protocols_of(found)
    if kind == "csv":
        content = to_csv(model.column(name) for name in protocols for model in found if name in model.evaluations)
        return _file(content, name="models.csv", content_type="text/csv; charset=utf-8")
    if kind == "differences":
        pairs = [(name, base, other) for name in protocols for base in found for other in found if base is not other]
        rows = (
            (base.column(name), other.column(name), differences(base, other, protocol=name))
            for name, base, other in pairs
            if base.has_predictions(name) and other.has_predictions(name)
        )
        return _file(differences_to_csv(rows), name="differences.csv", content_type="text/csv; charset=utf-8")
    protocol = _chosen(request, "protocol", protocols)
    columns = [model.column(protocol) for model in found if protocol in model.evaluations]
    caption = f"Models under the protocol {protocol}; 95% intervals by patient"
    return _file(to_latex(columns, caption=caption), name=f"models-{protocol}.tex", content_type="application/x-tex")


@require_safe
def models_in_use(request: SignedInRequest) -> HttpResponse:
    """Show what each model version answered on the user's scans, and how answers and input change over time."""
    versions = selected(request.user)
    context = {
        "weeks": WEEKS,
        "least_images": LEAST_IMAGES,
        "versions": versions,
        "sampled_scans": versions[0].sampled_scans if versions else None,
        "totals": [in_use_tables.period_row(in_use_tables.name_of(row), row.total) for row in versions],
        "charts": in_use_tables.week_charts(versions),
        "details": [
            {
                "name": in_use_tables.name_of(row),
                "weeks": [in_use_tables.period_row(f"{week.start:%-d %b %Y}", week) for week in row.weeks],
                "corrections": row.corrections,
                "shifts": row.shifts,
                "measured": row.measured,
                "site_drifts": row.site_drifts,
            }
            for row in versions
        ],
    }
    return render(request, "web/models_in_use.html", context)


@require_POST
def model_default(request: SignedInRequest) -> HttpResponse:
    """Make a model the default of the installation. Staff only."""
    name = request.POST.get("model", "")
    try:
        set_installation_model(by=request.user, model=name)
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from error
    except ServiceError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{default_model()} is now the default model of this installation.")
    return redirect("web:models")


def _chosen(request: SignedInRequest, parameter: str, known: list[str]) -> str:
    """Return the value of a parameter if it is known, else the first known one; "" if there is none."""
    wanted = request.GET.get(parameter, "")
    return wanted if wanted in known else next(iter(known), "")


def other_runs(models: list[ComparedModel], *, protocol: str) -> list[dict[str, Any]]:
    """Return the models whose figures are those of a run that is not shipped, with the run."""
    return [
        {
            "model": model.card.name,
            "run": run,
            "version": model.measured_version(protocol),
            "date": str(model.evaluations[protocol].figures.get("date", "")),
            "has_predictions": model.has_predictions(protocol),
            "is_calibrated": model.evaluations[protocol].is_calibrated,
        }
        for model in models
        if (run := model.other_run(protocol))
    ]


def _comparisons(base: ComparedModel, others: list[ComparedModel], *, protocol: str) -> list[dict[str, Any]]:
    found = [(other, differences(base, other, protocol=protocol)) for other in others if other is not base]
    return [
        {
            "heading": other.heading(protocol),
            "rows": model_tables.difference_rows(rows),
            "set_rows": model_tables.difference_rows(rows, by_set=True),
        }
        for other, rows in found
    ]


def _confusion(shown: ComparedModel, *, protocol: str) -> list[dict[str, Any]]:
    """Return the rows of the confusion matrix, with the share of each cell in its row for its shade."""
    table = confusion_of(shown.evaluations[protocol])
    if table is None:
        return []
    return [
        {
            "finding": label,
            "label": FINDING_LABELS[label].capitalize(),
            "cells": [
                {
                    "name": called,
                    "called": FINDING_LABELS[called],
                    "count": int(table[i, j]),
                    "shade": round(10 * int(table[i, j]) / max(1, int(table[i].sum()))),
                    "right": i == j,
                }
                for j, called in enumerate(FINDINGS)
            ],
        }
        for i, label in enumerate(FINDINGS)
    ]


def _file(content: str, *, name: str, content_type: str) -> HttpResponse:
    return HttpResponse(
        content,
        content_type=content_type,
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-cache"},
    )
