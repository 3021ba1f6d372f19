"""Reports as HTML: one set of templates for pages, documents and PDF files."""

import base64
import functools
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe

from classifier import wording
from classifier.models import Diagnosis, Report, ReportAddendum, Review, Scan, SignedReport, User
from classifier.models.report import TEXTS
from classifier.reports.pictures import STRENGTH, image_uri, overlay_uri
from classifier.selectors.report import addenda_of, explanation_in, newest_signed_report
from classifier.selectors.report_facts import Facts, scan_facts
from classifier.services.errors import Sealed
from classifier.text_changes import Change, changes


@dataclass(frozen=True, slots=True)
class ReportView:
    """Content of a report for the templates.

    Attributes:
        facts: see `classifier.selectors.report_facts.scan_facts`.
        status: whether it is signed, in a sentence.
        texts: heading and text of each part that a clinician wrote; empty without a draft.
        explanation: the section with the explanation, as `ReportExplanation.content` has it; None without one.
        changes: the author's edits of the explanation, for the reader of a draft.
        since: sentences about what happened after the signature.
        image: the image as a `data:` URI; "" if its file is missing.
        overlay: the image with the evidence; "" if there is none.
        number: the number of a signed report, else "".
        signer: the name of the person who signed, else "".
        signed_at: when, in ISO 8601, else "".
        sha256: the hash of the signed content, else "".
        addenda: The addenda.
        made_at: when this copy was made; None on a page, which is never older than itself.
    """

    facts: Facts
    status: str
    texts: tuple[tuple[str, str], ...] = ()
    explanation: Mapping[str, Any] | None = None
    changes: tuple[Change, ...] = ()
    since: tuple[str, ...] = ()
    image: str = ""
    overlay: str = ""
    number: str = ""
    signer: str = ""
    signed_at: str = ""
    sha256: str = ""
    addenda: tuple[ReportAddendum, ...] = ()
    made_at: datetime | None = None

    @property
    def strength(self) -> str:
        """The strength at which the overlay is drawn."""
        return f"{wording.percent(STRENGTH)} strength"

    @property
    def title(self) -> str:
        """The title of the document."""
        scan = self.facts["scan"]
        reference = f", {scan['patient_reference']}" if scan["patient_reference"] else ""
        return f"Report on scan {scan['short_id']}{reference}"


def scan_report(user: User, scan: Scan) -> ReportView:
    """Return the valid report: the newest signed one, else the current facts.

    Args:
        user: the reader.
        scan: as loaded by a selector for `user`.

    Raises:
        Sealed: if the result is closed to the reader.
    """
    if scan.sealed:
        raise Sealed
    signed = newest_signed_report(user, scan)
    if signed is not None:
        return signed_view(signed, scan)
    facts = scan_facts(user, scan)
    return _with_pictures(ReportView(facts=facts, status="Not signed: the facts as they are stored now"), scan)


def draft_view(report: Report, scan: Scan, *, user: User) -> ReportView:
    """Return the preview of a draft. Raise `Sealed` if the result is closed to the reader."""
    if scan.sealed:
        raise Sealed
    facts = scan_facts(user, scan)
    section = explanation_in(report)
    view = ReportView(
        facts=facts,
        status="Draft, not signed",
        texts=_texts(report.texts),
        explanation=None if section is None else section.content(),
        changes=tuple(changes(section.original, section.text)) if section is not None and section.is_edited else (),
    )
    return _with_pictures(view, scan)


def signed_view(report: SignedReport, scan: Scan) -> ReportView:
    """Return a signed report with its addenda. The caller has read it through a selector."""
    snapshot = report.snapshot
    view = ReportView(
        facts=snapshot["facts"],
        status=f"Signed by {report.signer_name}",
        texts=_texts(snapshot["texts"]),
        explanation=snapshot.get("explanation"),
        since=tuple(_since(report, scan)),
        number=report.number,
        signer=report.signer_name,
        signed_at=snapshot["signed_at"],
        sha256=report.sha256,
        addenda=tuple(addenda_of(report)),
    )
    return _with_pictures(view, scan)


def fragment(view: ReportView) -> SafeString:
    """Return a report as a part of a page."""
    return render_to_string("reports/_report.html", {"report": view})


def document(view: ReportView) -> str:
    """Return a report as a document of its own: pictures and styles inside."""
    view = replace(view, made_at=timezone.now())
    scan = view.facts["scan"]
    signature = f"report {view.number}" if view.number else "not signed"
    words = ("BrainScan", scan["patient_reference"], f"scan {scan['short_id']}", signature, "not a diagnosis")
    context = {
        "report": view,
        "title": view.title,
        "author": view.signer,
        "description": f"{view.status}. SHA-256 {view.sha256}" if view.sha256 else view.status,
        "footer": " · ".join(word for word in words if word),
        "style": mark_safe(style()),  # noqa: S308 - our own style sheets
    }
    return render_to_string("reports/document.html", context)


def content_hash(view: ReportView) -> str:
    """Return the SHA-256 of what a report says to its reader, as 64 hexadecimal digits.

    It does not depend on when the copy is made, but on the reader's time zone.
    """
    return hashlib.sha256(f"{view.title}\0{fragment(view)}".encode()).hexdigest()


@functools.cache
def style() -> str:
    """Return the style sheet inside documents."""
    shared = Path(settings.BASE_DIR) / "static" / "css" / "report.css"
    return render_to_string("reports/document.css") + shared.read_text(encoding="utf-8")


@functools.cache
def style_source() -> str:
    """Return the expression that lets a Content-Security-Policy accept the style sheet inside documents."""
    digest = hashlib.sha256(style().encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _with_pictures(view: ReportView, scan: Scan) -> ReportView:
    return replace(view, image=image_uri(scan), overlay=overlay_uri(scan, view.facts["analysis"]))


def _texts(texts: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((name.capitalize(), texts[name]) for name in TEXTS)


def _since(report: SignedReport, scan: Scan) -> Iterable[str]:
    """Describe later changes of the scan, so that old facts are not taken for current ones."""
    analysis = report.snapshot["facts"]["analysis"]
    if str(scan.current_analysis_id) != (analysis["id"] if analysis else "None"):
        yield "The scan was analyzed again after this report was signed. The result below is the earlier one."
    if scan.patient_reference != report.snapshot["facts"]["scan"]["patient_reference"]:
        yield (
            "The patient reference of the scan was changed after this report was signed. It is now: "
            f"{scan.patient_reference or 'none'}."
        )
    reviews = Review.objects.filter(scan=scan, created_at__gt=report.signed_at).count()
    diagnoses = Diagnosis.objects.filter(scan=scan, created_at__gt=report.signed_at).count()
    later = [
        f"{number} {one if number == 1 else many}"
        for number, one, many in (
            (reviews, "review", "reviews"),
            (diagnoses, "confirmed diagnosis", "confirmed diagnoses"),
        )
        if number
    ]
    if later:
        yield f"Recorded after this report was signed: {' and '.join(later)}."
