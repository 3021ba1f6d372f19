"""Impressions, reviews, and diagnoses on the page of a scan."""

from typing import Any

from classifier.models import Analysis, Scan, User
from classifier.selectors.review import Statements, statements_of, timeline
from classifier.web.reading_forms import DiagnosisForm, ImpressionForm, ReadingForm, ReviewForm
from classifier.wording import withheld


def reading_of(user: User, scan: Scan, *, bound: ReadingForm | None = None) -> dict[str, Any]:
    """Return the template variables of `web/_reviews.html`.

    Args:
        user: the reader.
        scan: as loaded for `user`.
        bound: a form that was refused; it takes the place of the empty one of its kind.
    """
    statements = statements_of(user, scan)
    forms = {form.kind: form for form in _forms(user, scan, statements)}
    if bound is not None and bound.kind in forms:
        bound.show_seen(forms[bound.kind].initial["seen"])
        forms[bound.kind] = bound
    mine = [review for review in statements.reviews if _is_current(review.analysis_id, scan)]
    return {
        "statements": statements,
        "timeline": timeline(user, scan, statements=statements),
        "reviewed": any(review.reviewer_id == user.pk for review in mine),
        **{f"{kind}_form": form for kind, form in forms.items()},
    }


def _forms(user: User, scan: Scan, statements: Statements) -> list[ReadingForm]:
    analysis = scan.current_analysis
    if scan.closed:
        return [_showing(ImpressionForm(), 0)] if scan.sealed else []
    forms: list[ReadingForm] = [_showing(DiagnosisForm(), len(statements.diagnoses))]
    # An answer that is withheld cannot be agreed with: the form would name it.
    if analysis is not None and analysis.state == Analysis.State.SUCCEEDED and not withheld(analysis):
        own = [r for r in statements.reviews if r.analysis_id == analysis.pk and r.reviewer_id == user.pk]
        forms.append(_showing(ReviewForm(analysis=analysis), len(own)))
    return forms


def _showing(form: ReadingForm, number: int) -> ReadingForm:
    form.show_seen(number)
    return form


def _is_current(analysis_id: object, scan: Scan) -> bool:
    return analysis_id == scan.current_analysis_id
