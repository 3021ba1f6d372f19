"""Acceptance reports as HTML: the same template for the page, the document, and the PDF file."""

from typing import Any

from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe

from classifier.acceptance.limits import BY_KEY, VERDICT_LABELS, Verdict
from classifier.acceptance.side_by_side import figure_text, prevalence_text
from classifier.acceptance.signature import fingerprint_of
from classifier.findings import FINDING_LABELS, FINDINGS, OUTCOME_LABELS, TUMOR, Outcome
from classifier.models import AcceptanceReport
from classifier.reports.html import style
from classifier.wording import exact_percent, percent

SENTENCES: dict[str, str] = {
    Verdict.MET: "The model met every limit that was set beforehand.",
    Verdict.NOT_MET: "The model did not meet every limit that was set beforehand.",
    Verdict.TOO_FEW: "There are too few cases to conclude that every limit is met. No limit is known to be missed.",
}
CHANGES = (
    ("ece", "Expected calibration error"),
    ("nll", "Negative log likelihood"),
    ("accuracy", "Accuracy, most probable finding"),
    ("coverage", "Images with a finding"),
    ("answered_accuracy", "Accuracy where a finding is reported"),
    ("missed", "Tumors answered with “no tumor”"),
)
"""Figures that a site calibration changes, by key."""
ANSWERS = (*FINDINGS, TUMOR, Outcome.UNCERTAIN, Outcome.NOT_BRAIN_MRI)
"""Answers in the order of the table of truths and answers."""


def acceptance_fragment(report: AcceptanceReport) -> SafeString:
    """Return an acceptance report as a part of a page."""
    return render_to_string("reports/_acceptance.html", acceptance_context(report))


def acceptance_document(report: AcceptanceReport) -> str:
    """Return an acceptance report as a document of its own, with its styles inside."""
    commissioning = report.commissioning
    context = acceptance_context(report) | {
        "title": f"Acceptance report: {commissioning.title}",
        "is_document": True,
        "author": report.closed_by.display_name,
        "description": SENTENCES[report.content["verdict"]],
        "footer": f"BrainScan · acceptance report · {commissioning.title} · not a diagnosis",
        "made_at": timezone.now(),
        "style": mark_safe(style()),  # noqa: S308 - our own style sheets
    }
    return render_to_string("reports/document.html", context)


def acceptance_context(report: AcceptanceReport) -> dict[str, Any]:
    """Return what the template prints."""
    content = report.content
    return {
        "acceptance": report,
        "content": content,
        "sentence": SENTENCES[content["verdict"]],
        "judged": [_judged(row) for row in content["judged"]],
        "prevalence": prevalence_text(content["limits"]["prevalence"]),
        "figure_rows": [
            (row["label"], figure_text(row), row["images"], row["patients"])
            for row in content["figures"]
            if row["value"] is not None
        ],
        "confusion": _confusion(content["confusion"]),
        "truths": " ".join(
            f"{FINDING_LABELS.get(name, name).capitalize()}: {number:,}."
            for name, number in content["counts"]["truths"].items()
        ),
        "points": _points(content["reliability"]),
        "changes": _changes(content["site_calibration"]),
        "fingerprint": fingerprint_of(report.signed["public_key"]),
    }


def _judged(row: dict[str, Any]) -> dict[str, Any]:
    word = "at least" if BY_KEY[row["key"]].is_least else "at most"
    return {
        "label": row["label"],
        "bound": f"{word} {exact_percent(row['bound'])}",
        "figure": figure_text(row),
        "verdict": row["verdict"],
        "verdict_label": VERDICT_LABELS[row["verdict"]],
    }


def _confusion(table: dict[str, dict[str, int]]) -> dict[str, Any]:
    found = {name for row in table.values() for name in row}
    names = [name for name in ANSWERS if name in found]
    return {
        "answers": [FINDING_LABELS.get(name) or OUTCOME_LABELS[name] for name in names],
        "rows": [(FINDING_LABELS.get(truth, truth), [row[name] for name in names]) for truth, row in table.items()],
    }


def _points(bins: list[dict[str, float]]) -> list[dict[str, float]]:
    """Return the bins with their places in a diagram of 100 by 100, whose axes run from 12 to 92."""
    largest = max((row["images"] for row in bins), default=1)
    return [
        {
            **row,
            "x": round(12 + 80 * row["confidence"], 2),
            "y": round(88 - 80 * row["accuracy"], 2),
            "r": round(1.2 + 2.6 * (row["images"] / largest) ** 0.5, 2),
        }
        for row in bins
    ]


def _changes(fit: dict[str, Any] | None) -> list[tuple[str, str, str]]:
    if fit is None:
        return []

    def text(key: str, value: float) -> str:
        return f"{value:.3f}" if key == "nll" else percent(value, digits=1)

    return [(label, text(key, fit["before"][key]), text(key, fit["after"][key])) for key, label in CHANGES]
