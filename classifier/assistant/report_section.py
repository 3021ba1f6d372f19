"""The explanation as a section of a report: which can be chosen, and whether an edit can be stored."""

import re

from classifier.assistant.builtin import PROVIDER
from classifier.assistant.check import without_control_characters
from classifier.assistant.edits import edit_problem
from classifier.assistant.facts import facts_of
from classifier.assistant.look_words import look_of
from classifier.assistant.requests import request_explanation
from classifier.models import Explanation, Report, Scan, User
from classifier.selectors.explanation import explanations_of
from classifier.services.errors import Conflict, Invalid
from classifier.services.report_explanation import put_explanation, store_edit

_HEADING = re.compile(r"^#{1,2} ", re.MULTILINE)


def choices(user: User, scan: Scan) -> list[Explanation]:
    """Return the explanations by language models that a report about the current result may hold, newest first."""
    if scan.closed or scan.current_analysis is None:
        return []
    rows = explanations_of(user, scan).filter(analysis=scan.current_analysis, state=Explanation.State.SUCCEEDED)
    return [row for row in rows.exclude(provider=PROVIDER)[:20] if row.is_settled]


def choose_builtin(scan: Scan, *, by: User) -> Report:
    """Make the built-in explanation the section of the author's draft. Errors are those of `choose`."""
    return choose(scan, by=by, explanation=request_explanation(scan, by=by))


def choose(scan: Scan, *, by: User, explanation: Explanation) -> Report:
    """Make an explanation the section of the author's draft.

    Args:
        scan: as loaded by a selector for `by`.
        by: the author.
        explanation: of this scan, as loaded by a selector for `by`.

    Raises:
        NotAllowed: if the person cannot review the scan.
        Sealed: if the result is closed to the person.
        Conflict: if it is not a finished text about the current result, or the person has signed a report about it.
    """
    if explanation.state != Explanation.State.SUCCEEDED:
        raise Conflict("This explanation has no text.", code="no_text")
    if not explanation.is_settled:
        raise Conflict(
            "The statements about the picture are still being checked. Choose the explanation when that is done.",
            code="not_checked_yet",
        )
    if explanation.analysis_id != scan.current_analysis_id:
        raise Conflict("This explanation is about an earlier analysis. Choose a newer one.", code="earlier_analysis")
    look = look_of(explanation)
    return put_explanation(
        scan,
        by=by,
        analysis=explanation.analysis,
        provider=explanation.provider,
        model=explanation.model,
        made_at=explanation.finished_at or explanation.created_at,
        # In a report, the headings of an explanation are below the heading of its section.
        text=_HEADING.sub("### ", explanation.text),
        picture_check="" if look is None else look.sentence,
    )


def edit(scan: Scan, report: Report, *, by: User, text: str) -> Report:
    """Store an edit of the explanation in a draft, if it keeps the figures and does not contradict the analysis.

    Args:
        scan: of the report, as loaded by a selector for `by`.
        report: the author's draft.
        by: the author.
        text: Markdown.

    Raises:
        Invalid: if the edit changes a figure, contradicts the analysis, or drops a mark; the message says which.
        NotAllowed: if the person is not the author.
        Conflict: if the report is signed, or has no explanation.
    """
    section = getattr(report, "explanation", None)
    if section is None:
        raise Conflict("The report has no explanation.", code="no_explanation")
    text = without_control_characters(text.replace("\r\n", "\n")).strip()
    analysis = scan.analyses.for_reader(by).get(pk=section.analysis_id)
    problem = edit_problem(section.original, text, facts=facts_of(analysis))
    if problem:
        raise Invalid(problem, code="contradicts")
    return store_edit(report, by=by, text=text)
