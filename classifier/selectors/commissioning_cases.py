"""The cases of a commissioning: their truth, and the order in which they are offered for review."""

import hashlib
import random
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from django.conf import settings

from classifier.findings import Outcome
from classifier.input_problems import WITHHELD, blocking
from classifier.models import (
    AcceptanceReport,
    Analysis,
    Commissioning,
    CommissioningCase,
    Diagnosis,
    Review,
    Scan,
    User,
)
from classifier.selectors.commissioning import cases_of
from classifier.selectors.scan import visible_scans

QUERY_SIZE = 500
"""Keys in one query. SQLite limits the parameters of a statement."""


class Source(StrEnum):
    """Where the truth of a case comes from."""

    DIAGNOSIS = "diagnosis"
    FILE = "file"
    REVIEW = "review"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Truth:
    """What a case shows.

    Attributes:
        finding: One of `READINGS`; "" if it is not known yet.
        source: Where it comes from.
        contradicted: Whether a confirmed diagnosis says something else than the file of cases. The diagnosis counts.
        after_answer: Whether it is a review of the same model's visible answer: the reader knew what the model said.
    """

    finding: str
    source: Source
    contradicted: bool = False
    after_answer: bool = False


@dataclass(frozen=True, slots=True)
class CaseRow:
    """A case as its page lists it.

    Attributes:
        case: The case.
        scan: Its scan, sealed for the reader if it is closed to them.
        truth: Its truth.
        state: Of its shadow analysis.
        answer: Its shadow analysis, once the commissioning is closed and unless the scan is closed to the reader; else
            None.
    """

    case: CommissioningCase
    scan: Scan
    truth: Truth
    state: str
    answer: Analysis | None = None

    @property
    def withheld_as(self) -> str:
        """Why the input check withholds answers about the image, so that the report leaves the case out; else ""."""
        return WITHHELD.get(blocking(self.scan.input_codes), "")


def truths_of(commissioning: Commissioning, cases: Collection[CommissioningCase]) -> dict[UUID, Truth]:
    """Return the truth of each case by the key of the case: confirmed diagnosis, else file of cases, else review."""
    scan_ids = [case.scan_id for case in cases]
    diagnoses: dict[UUID, str] = {}
    reviews: dict[UUID, tuple[str, bool]] = {}
    for start in range(0, len(scan_ids), QUERY_SIZE):
        some = scan_ids[start : start + QUERY_SIZE]
        rows = Diagnosis.objects.filter(scan__in=some).order_by("created_at", "pk")
        diagnoses |= dict(rows.values_list("scan_id", "finding"))
        newest = Review.objects.filter(scan__in=some).order_by("created_at", "pk")
        for scan_id, finding, model, version in newest.values_list(
            "scan_id", "finding", "analysis__model_name", "analysis__model_version"
        ):
            same = (model, version) == (commissioning.model_name, commissioning.model_version)
            reviews[scan_id] = finding, same
    return {case.pk: _truth(case, diagnoses, reviews) for case in cases}


def _truth(case: CommissioningCase, diagnoses: dict[UUID, str], reviews: dict[UUID, tuple[str, bool]]) -> Truth:
    if confirmed := diagnoses.get(case.scan_id):
        differs = bool(case.stated_truth) and case.stated_truth != confirmed
        return Truth(confirmed, Source.DIAGNOSIS, contradicted=differs)
    if case.stated_truth:
        return Truth(case.stated_truth, Source.FILE)
    finding, same = reviews.get(case.scan_id, ("", False))
    return Truth(finding, Source.REVIEW, after_answer=same) if finding else Truth("", Source.NONE)


def case_rows(user: User, commissioning: Commissioning, cases: Iterable[CommissioningCase]) -> list[CaseRow]:
    """Return cases for a page, as far as the reader may see them, in the given order."""
    wanted = list(cases)
    truths = truths_of(commissioning, wanted)
    scans = {scan.pk: scan for scan in visible_scans(user).with_keys([case.scan_id for case in wanted])}
    is_closed = AcceptanceReport.objects.filter(commissioning=commissioning).exists()
    rows = []
    for case in wanted:
        scan = scans.get(case.scan_id)
        if scan is not None:
            answer = case.analysis if is_closed and not scan.closed else None
            rows.append(CaseRow(case, scan, truths[case.pk], case.analysis.state, answer))
    return rows


def in_review_order(commissioning: Commissioning) -> list[CommissioningCase]:
    """Return all cases: first those without truth, in the order in which they are offered for review; then the others.

    Among those without truth, cases on which the shadow analysis and the visible one disagree come first, each beside
    a case on which they agree, in an order that a secret key draws. A reader who sees a case near the top therefore
    does not know whether the two disagree on it, and the order reveals no answer.
    """
    cases = list(cases_of(commissioning).select_related("analysis", "scan__current_analysis"))
    truths = truths_of(commissioning, cases)
    known = [case for case in cases if truths[case.pk].finding]
    return [*_mixed([case for case in cases if not truths[case.pk].finding]), *known]


def _mixed(cases: list[CommissioningCase]) -> list[CommissioningCase]:
    ordered = sorted(cases, key=lambda case: _draw(case, "order"))
    differing = [case for case in ordered if _disagree(case)]
    others = [case for case in ordered if not _disagree(case)]
    mixed: list[CommissioningCase] = []
    while differing and others:
        pair = [differing.pop(0), others.pop(0)]
        mixed += sorted(pair, key=lambda case: _draw(case, "pair"))
    return [*mixed, *differing, *others]


def _disagree(case: CommissioningCase) -> bool:
    """Return True if both analyses have an answer, and the answers differ."""
    shadow, visible = case.analysis, case.scan.current_analysis
    answers = {_answer(shadow), _answer(visible)}
    return len(answers) == 2 and "" not in answers


def _answer(analysis: Analysis | None) -> str:
    """Return the finding or the outcome of a succeeded analysis; "" without one."""
    if analysis is None or analysis.state != Analysis.State.SUCCEEDED:
        return ""
    return analysis.finding if analysis.outcome == Outcome.CLASSIFIED else analysis.outcome


def _draw(case: CommissioningCase, purpose: str) -> float:
    """Return a number that depends on the case and on a secret, so that nobody can compute the order."""
    seed = hashlib.sha256(f"{settings.SECRET_KEY}|commissioning|{purpose}|{case.pk}".encode()).digest()
    return random.Random(seed).random()
