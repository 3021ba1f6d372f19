"""Several models on the page of a scan."""

from collections.abc import Iterable
from typing import Any

from classifier.assistant.facts import facts_of
from classifier.findings import FINDINGS
from classifier.models import Analysis, Scan, User
from classifier.selectors.model import available_models
from classifier.selectors.side_by_side import side_by_side
from classifier.wording import probability, withheld


def side_by_side_of(user: User, scan: Scan, *, analyses: Iterable[Analysis] | None = None) -> dict[str, Any]:
    """Return the template variables of `web/_side_by_side.html`.

    Args:
        user: The reader.
        scan: As loaded for `user`.
        analyses: Its analyses, if they are loaded already.

    Returns:
        `compared` is None where there is nothing to compare: with a single model, before the first result, and while
        the result is closed to the user or withheld.
    """
    current = scan.current_analysis
    if scan.closed or current is None or not current.is_finished or withheld(current):
        return {"compared": None}
    compared = side_by_side(user, scan, analyses=analyses)
    if len(compared.analyses) < 2 and len(available_models()) < 2:
        return {"compared": None}
    return {
        "compared": compared,
        "columns": [
            {"analysis": row, "is_current": row.pk == scan.current_analysis_id, "has_overlay": has_overlay(row)}
            for row in compared.analyses
        ],
        "probability_rows": [
            {"finding": name, "cells": [_cell(row, index) for row in compared.analyses]}
            for index, name in enumerate(FINDINGS)
        ],
    }


def has_overlay(analysis: Analysis) -> bool:
    """Return whether the map of the analysis shows a place; an empty map gets no overlay."""
    return bool(analysis.outcome) and facts_of(analysis).place is not None


def _cell(analysis: Analysis, index: int) -> dict[str, Any]:
    if not analysis.probabilities:
        return {"text": "–", "named": False}
    return {"text": probability(analysis.probabilities[index]), "named": analysis.finding == FINDINGS[index]}
