"""Add cases to a commissioning, and remove them; their analyses run in shadow mode."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

import structlog
from django.db import transaction
from django.utils import timezone

from classifier.acceptance.case_files import CaseProblem
from classifier.acceptance.limits import MAX_CASES
from classifier.events import Kind, record_events
from classifier.findings import FINDING_LABELS, READINGS
from classifier.models import Analysis, Commissioning, CommissioningCase, Diagnosis, Event, Scan, User
from classifier.queue.notify import notify_workers
from classifier.queue.order import assign_shadow_turns
from classifier.selectors.commissioning import cases_of, installed_card, open_commissionings, unmeasured
from classifier.selectors.scan import visible_scans
from classifier.services.commissioning import lock_team
from classifier.services.errors import Conflict, NotFound
from classifier.services.team import require_owner

logger = structlog.get_logger(__name__)

QUERY_SIZE = 500
"""Keys in one query. SQLite limits the parameters of a statement."""

CLOSED = "This commissioning is closed. It can no longer be changed."


@dataclass(frozen=True, slots=True)
class NewCase:
    """A scan to be added as a case.

    Attributes:
        scan: As loaded for the person who adds it.
        truth: What it shows, one of `READINGS`; "" if a diagnosis or a review says so, or will.
        name: How sentences name it; "" for the scan's short identifier.
        row: Its line in a file of cases; 0 without one.
    """

    scan: Scan
    truth: str = ""
    name: str = ""
    row: int = 0

    def problem(self, reason: str) -> CaseProblem:
        """Return the problem that the case has."""
        return CaseProblem(self.name or f"Scan {self.scan.short_id}", reason, self.row)


@dataclass(frozen=True, slots=True)
class Added:
    """The outcome of adding cases: how many were added, and those that were not, by their line in the file."""

    number: int
    problems: tuple[CaseProblem, ...]


def add_cases(commissioning: Commissioning, *, by: User, cases: Iterable[NewCase]) -> Added:
    """Add scans of the team as cases, and queue their shadow analyses. Owners of the team only.

    A case that cannot be added affects no other.

    Raises:
        NotAllowed: If `by` is not an owner of the team.
        Conflict: If the commissioning is closed, or the version that it measures is no longer installed.
    """
    with transaction.atomic():
        require_open(commissioning, by=by)
        if installed_card(commissioning) is None:
            raise Conflict(
                f"{commissioning.model_name} {commissioning.model_version} is no longer installed. "
                "Close this commissioning, and start one of the version that is installed.",
                code="model_gone",
            )
        wanted, problems = _accepted(commissioning, list(cases))
        _store(commissioning, by=by, cases=wanted)
    logger.info("cases_added", commissioning=str(commissioning.pk), by=by.pk, number=len(wanted))
    return Added(len(wanted), tuple(problems))


def add_team_cases(commissioning: Commissioning, *, by: User, with_truth: bool) -> Added:
    """Add the newest scans of the team that are not cases yet, at most `MAX_CASES` in all.

    Args:
        commissioning: The commissioning.
        by: An owner of the team.
        with_truth: Whether to add only scans with a confirmed diagnosis or a review that names a finding.
    """
    scans = visible_scans(by).filter(team=commissioning.team_id, sample="")
    scans = scans.exclude(commissioning_cases__commissioning=commissioning)
    if with_truth:
        scans = scans.exclude(reviewed_finding="")
    return add_cases(commissioning, by=by, cases=[NewCase(scan) for scan in scans.order_by("-created_at")[:MAX_CASES]])


def retry_cases(commissioning: Commissioning, *, by: User) -> int:
    """Queue again the shadow analyses that failed; return how many. Owners of the team only."""
    with transaction.atomic():
        require_open(commissioning, by=by)
        if installed_card(commissioning) is None:
            raise Conflict("This model version is no longer installed.", code="model_gone")
        cases = list(unmeasured(commissioning).order_by("pk"))
        turns = assign_shadow_turns(by, number=len(cases))
        for case, turn in zip(cases, turns, strict=True):
            failed, case.analysis = case.analysis, _analysis(commissioning, case.scan_id, by=by, turn=turn)
            case.analysis.save(force_insert=True)
            case.save(update_fields=["analysis"])
            failed.delete()
        transaction.on_commit(notify_workers)
    return len(cases)


def remove_case(commissioning: Commissioning, *, by: User, case_id: UUID) -> None:
    """Remove a case with its shadow analysis, for one that was added by mistake. Owners of the team only.

    Nobody has seen its answer, so cases cannot be chosen by it.

    Raises:
        NotFound: If there is no such case.
    """
    with transaction.atomic():
        require_open(commissioning, by=by)
        case = CommissioningCase.objects.filter(commissioning=commissioning, pk=case_id).first()
        if case is None:
            raise NotFound("There is no such case.")
        _record(Kind.COMMISSIONING_CASE_REMOVED, commissioning, by=by, scan_id=case.scan_id)
        # The case goes with its analysis.
        Analysis.with_shadow.filter(pk=case.analysis_id).delete()


def record_lost_cases(scan_id: UUID, *, by: User) -> None:
    """Record that open commissionings lose a case with its scan. Called in the transaction that deletes the scan."""
    lost = CommissioningCase.objects.filter(scan_id=scan_id, commissioning__report__isnull=True)
    for case in lost.select_related("commissioning"):
        _record(Kind.COMMISSIONING_CASE_LOST, case.commissioning, by=by, scan_id=scan_id)


def require_open(commissioning: Commissioning, *, by: User) -> None:
    """Lock the team, and raise `NotAllowed` or `Conflict` unless `by` may change the commissioning now."""
    require_owner(commissioning.team, by=by)
    lock_team(commissioning.team)
    if not open_commissionings(commissioning.team).filter(pk=commissioning.pk).exists():
        raise Conflict(CLOSED, code="closed")


def require_open_now(commissioning: Commissioning, *, by: User) -> None:
    """Raise as `require_open`, before work that must not run in a transaction."""
    with transaction.atomic():
        require_open(commissioning, by=by)


def _accepted(commissioning: Commissioning, cases: list[NewCase]) -> tuple[list[NewCase], list[CaseProblem]]:
    present = cases_of(commissioning)
    known = set(present.values_list("scan_id", flat=True))
    pixels = set(present.values_list("scan__pixels_sha256", flat=True))
    diagnoses = _diagnoses([case.scan.pk for case in cases if case.truth])
    wanted: list[NewCase] = []
    problems: list[CaseProblem] = []
    for case in cases:
        problem = _problem(commissioning, case, known=known, pixels=pixels, confirmed=diagnoses.get(case.scan.pk, ""))
        if not problem and len(known) >= MAX_CASES:
            problem = f"a commissioning has at most {MAX_CASES} cases."
        if problem:
            problems.append(case.problem(problem))
            continue
        known.add(case.scan.pk)
        pixels.add(case.scan.pixels_sha256)
        wanted.append(case)
    return wanted, problems


def _problem(commissioning: Commissioning, case: NewCase, *, known: set[UUID], pixels: set[str], confirmed: str) -> str:
    """Return why a scan cannot become a case; "" if it can."""
    scan = case.scan
    if scan.pk in known:
        return "the scan is a case already."
    if scan.team_id != commissioning.team_id:
        return "the scan does not belong to the team."
    if scan.sample:
        return "it is a bundled sample, which the model may know from its training."
    if scan.pixels_sha256 in pixels:
        return "another case shows the same image."
    if case.truth and case.truth not in READINGS:
        return f"“{case.truth[:40]}” is not a finding. Use one of {', '.join(READINGS)}."
    if case.truth and confirmed and case.truth != confirmed:
        return (
            f"the file says {FINDING_LABELS[case.truth]}, but a confirmed diagnosis says {FINDING_LABELS[confirmed]}. "
            "Correct one of them."
        )
    return ""


def _diagnoses(scan_ids: list[UUID]) -> dict[UUID, str]:
    found: dict[UUID, str] = {}
    for start in range(0, len(scan_ids), QUERY_SIZE):
        rows = Diagnosis.objects.filter(scan__in=scan_ids[start : start + QUERY_SIZE]).order_by("created_at", "pk")
        found |= dict(rows.values_list("scan_id", "finding"))
    return found


def _store(commissioning: Commissioning, *, by: User, cases: list[NewCase]) -> None:
    turns = assign_shadow_turns(by, number=len(cases))
    analyses = [
        _analysis(commissioning, case.scan.pk, by=by, turn=turn) for case, turn in zip(cases, turns, strict=True)
    ]
    Analysis.with_shadow.bulk_create(analyses, batch_size=QUERY_SIZE)
    now = timezone.now()
    CommissioningCase.objects.bulk_create(
        [
            CommissioningCase(
                commissioning=commissioning,
                scan=case.scan,
                analysis=analysis,
                stated_truth=case.truth,
                added_by=by,
                added_at=now,
            )
            for case, analysis in zip(cases, analyses, strict=True)
        ],
        batch_size=QUERY_SIZE,
    )
    if cases:
        _record(Kind.COMMISSIONING_CASES_ADDED, commissioning, by=by, number=len(cases))
        transaction.on_commit(notify_workers)


def _analysis(commissioning: Commissioning, scan_id: UUID, *, by: User, turn: int) -> Analysis:
    return Analysis(
        scan_id=scan_id,
        requested_by=by,
        model_name=commissioning.model_name,
        available_at=timezone.now(),
        fair_turn=turn,
        # Nobody waits for it: a person's own uploads come first.
        bulk=True,
        commissioning=commissioning,
    )


def _record(kind: Kind, commissioning: Commissioning, *, by: User, scan_id: UUID | None = None, **payload: int) -> None:
    content = {"commissioning": str(commissioning.pk), **payload}
    record_events([Event(kind=kind, actor=by, scan_id=scan_id, payload=content)])
