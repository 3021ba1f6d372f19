"""The explanation in a draft: choose, edit, and remove it. `classifier.assistant.report_section` checks edits first."""

from datetime import datetime

import structlog
from django.db import transaction
from django.utils import timezone

from classifier.models import Analysis, Report, ReportExplanation, Scan, User
from classifier.models.report import MAX_TEXT
from classifier.models.report_explanation import MAX_PICTURE_CHECK
from classifier.selectors.report import draft_of
from classifier.services.errors import Conflict, Invalid, NotAllowed
from classifier.services.report import locked_draft, require_open, save_draft

logger = structlog.get_logger(__name__)

ONLY_AUTHOR = "Only the author of a report can change it."


def put_explanation(
    scan: Scan,
    *,
    by: User,
    analysis: Analysis,
    provider: str,
    model: str,
    made_at: datetime,
    text: str,
    picture_check: str = "",
) -> Report:
    """Make an explanation the section of the author's draft, in place of an earlier one. Create the draft if needed.

    Args:
        scan: as loaded for `by`.
        by: the author.
        analysis: the result that the explanation is about.
        provider: name of its provider.
        model: the language model; "" for the built-in explanation.
        made_at: when it was written.
        text: Markdown.
        picture_check: what the check against the picture found, in a sentence.

    Raises:
        NotAllowed: if the person cannot review the scan.
        Sealed: if the result is closed to the person.
        Conflict: if the person has signed a report about this result, or the scan was deleted.
    """
    require_open(scan, by=by)
    draft = draft_of(by, scan) or save_draft(scan, by=by, texts={})
    with transaction.atomic():
        draft = locked_draft(draft)
        values = {
            "analysis": analysis,
            "provider": provider,
            "model": model,
            "made_at": made_at,
            "picture_check": picture_check[:MAX_PICTURE_CHECK],
            "original": text,
            "text": text,
            "edited_by": None,
            "edited_by_name": "",
            "edited_at": None,
            "chosen_at": timezone.now(),
        }
        ReportExplanation.objects.update_or_create(report=draft, defaults=values)
        _count(draft)
    logger.info("report_explanation_chosen", report=str(draft.pk), provider=provider, by=by.pk)
    return draft


def store_edit(report: Report, *, by: User, text: str) -> Report:
    """Store the author's edit of the explanation. The original stays.

    Args:
        report: the author's draft.
        by: the author.
        text: Markdown that was checked against the analysis.

    Raises:
        Invalid: if the text is empty or too long.
        NotAllowed: if the person is not the author.
        Conflict: if the report is signed, or has no explanation.
    """
    if report.author_id != by.pk:
        raise NotAllowed(ONLY_AUTHOR)
    if not text or len(text) > MAX_TEXT:
        raise Invalid(f"The explanation has 1 to {MAX_TEXT:,} characters. Remove it if it is not wanted.", code="text")
    with transaction.atomic():
        draft = locked_draft(report)
        section = ReportExplanation.objects.filter(report=draft).first()
        if section is None:
            raise Conflict("The report has no explanation.", code="no_explanation")
        section.text = text
        section.edited_by, section.edited_by_name = by, by.display_name
        section.edited_at = timezone.now()
        section.save()
        _count(draft)
    return draft


def remove_explanation(report: Report, *, by: User) -> Report:
    """Remove the explanation from a draft. Its author only. Raise `Conflict` for a signed report."""
    if report.author_id != by.pk:
        raise NotAllowed(ONLY_AUTHOR)
    with transaction.atomic():
        draft = locked_draft(report)
        ReportExplanation.objects.filter(report=draft).delete()
        _count(draft)
    return draft


def _count(draft: Report) -> None:
    """Count a new version, so that a page that shows the old one cannot sign it."""
    draft.version += 1
    draft.save(update_fields=["version", "updated_at"])
