"""The scans of a patient or a batch in one table, as HTML."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import mark_safe

from classifier import wording
from classifier.findings import FINDING_LABELS
from classifier.models import Diagnosis, Review, Scan, User
from classifier.reports.html import style
from classifier.selectors.report import signed_reports
from classifier.selectors.report_facts import LIMITS

# One page of a summary takes a tenth of a second; a longer table belongs in a ZIP file.
SUMMARY_SCANS = 100


@dataclass(frozen=True, slots=True)
class Summary:
    """The scans of a patient or a batch in one table.

    Attributes:
        title: the heading.
        status: how many scans there are, and how many reports are signed.
        rows: a mapping for each scan.
        notices: sentences about what is left out.
        limits: Limits of every result.
        made_at: when this copy was made; None on a page.
    """

    title: str
    status: str
    rows: tuple[dict[str, Any], ...]
    notices: tuple[str, ...] = ()
    limits: tuple[str, ...] = LIMITS
    made_at: datetime | None = None


def summary_of(user: User, scans: Sequence[Scan], *, title: str, is_cut: bool = False) -> Summary:
    """Return the table of several scans. Sealed ones are listed without their result.

    Args:
        user: the reader.
        scans: as loaded by a selector for `user`.
        title: the heading.
        is_cut: whether there are more scans than those.
    """
    numbers = _signed(user, scans)
    said = _said(scans)
    rows = tuple(
        {
            "short_id": scan.short_id,
            "url": scan.get_absolute_url(),
            "patient_reference": scan.patient_reference,
            "uploaded_at": scan.created_at,
            "team": "" if scan.team is None else scan.team.name,
            "result": wording.sentence(scan.current_analysis),
            "said": "" if scan.closed else said.get(scan.pk, ""),
            "model": _model(scan),
            "report": numbers.get(scan.pk, ""),
        }
        for scan in scans
    )
    sealed = sum(scan.sealed for scan in scans)
    notices = []
    if sealed:
        was = "is" if sealed == 1 else "are"
        notices.append(f"{sealed} of these scans {was} sealed until you record your impression.")
    if len({(scan.team_id, None if scan.team_id else scan.owner_id) for scan in scans}) > 1:
        notices.append(
            "These scans belong to different teams or people. If they use their own patient references, one reference "
            "can stand for several patients."
        )
    status = f"{len(rows)} scan{'' if len(rows) == 1 else 's'}, {len(numbers)} with a signed report"
    if is_cut:
        status = f"The first {len(rows)} scans, {len(numbers)} of them with a signed report"
        notices.append("There are more scans than this table shows.")
    return Summary(title=title, status=status, rows=rows, notices=tuple(notices))


def _model(scan: Scan) -> str:
    """Return the model and version of a scan's result; "" without one."""
    analysis = scan.current_analysis
    return "" if analysis is None or not analysis.model_version else f"{analysis.model_name} {analysis.model_version}"


def summary_document(summary: Summary) -> str:
    """Return a summary as a document of its own."""
    summary = replace(summary, made_at=timezone.now())
    context = {
        "summary": summary,
        "title": summary.title,
        "author": "",
        "description": summary.status,
        "footer": f"BrainScan · {summary.title} · not a diagnosis",
        "style": mark_safe(style()),  # noqa: S308 - our own style sheets
    }
    return render_to_string("reports/document.html", context)


def _signed(user: User, scans: Sequence[Scan]) -> dict[Any, str]:
    """Return the number of the newest signed report of each scan, and whether it is about an earlier result."""
    current = {scan.pk: str(scan.current_analysis_id) for scan in scans}
    found: dict[Any, str] = {}
    for report in signed_reports(user).filter(scan__in=list(current)).order_by("signed_at", "pk"):
        analysis = report.snapshot["facts"]["analysis"]
        is_earlier = (analysis["id"] if analysis else "None") != current[report.scan_id]
        found[report.scan_id] = f"signed{' about an earlier result' if is_earlier else ''}, {report.number}"
    return found


def _said(scans: Sequence[Scan]) -> dict[Any, str]:
    """Return what the newest confirmed diagnosis and the newest review of each reader say of each scan."""
    ids = [scan.pk for scan in scans]
    confirmed: dict[Any, str] = {}
    for diagnosis in Diagnosis.objects.filter(scan__in=ids).order_by("created_at", "pk"):
        confirmed[diagnosis.scan_id] = f"{FINDING_LABELS[diagnosis.finding]} (confirmed)"
    newest: dict[tuple[Any, int], str] = {}
    for review in Review.objects.filter(scan__in=ids).order_by("created_at", "pk").select_related("reviewer"):
        label = FINDING_LABELS.get(review.finding, "agrees")
        newest[review.scan_id, review.reviewer_id] = f"{label} ({review.reviewer.display_name})"
    said = {scan_id: [text] for scan_id, text in confirmed.items()}
    for (scan_id, _), text in newest.items():
        said.setdefault(scan_id, []).append(text)
    return {scan_id: "; ".join(texts) for scan_id, texts in said.items()}
