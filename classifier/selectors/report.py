"""Reads of reports and templates, scoped to a person."""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from classifier.models import (
    Batch,
    Membership,
    Report,
    ReportAddendum,
    ReportExplanation,
    ReportTemplate,
    Scan,
    SignedReport,
    User,
)
from classifier.models.scan import ScanQuerySet
from classifier.selectors.lists.criteria import Criteria
from classifier.selectors.lists.scan_list import ScanList
from classifier.selectors.lists.scope import scope_of
from classifier.selectors.scan import open_scans, visible_scans

_HASH = re.compile(r"[0-9a-f]{64}")
_NUMBER = re.compile(r"R-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}")


def signed_reports(user: User) -> QuerySet[SignedReport]:
    """Return the signed reports of scans that are visible and open to `user`, newest first."""
    return SignedReport.objects.filter(_of_open_scan(user)).select_related("scan")


def _of_open_scan(user: User) -> Exists:
    """Return the condition that the scan of a report is visible and open, looked up for each report."""
    return Exists(open_scans(user).order_by().filter(pk=OuterRef("scan")))


def get_signed_report(user: User, report_id: UUID) -> SignedReport:
    """Return a signed report. Raise `SignedReport.DoesNotExist` for one that is closed to the user."""
    return signed_reports(user).get(pk=report_id)


def newest_signed_report(user: User, scan: Scan) -> SignedReport | None:
    """Return the valid signed report of a scan: the newest."""
    return signed_reports(user).filter(scan=scan).order_by("-signed_at", "-pk").first()


def addenda_of(report: SignedReport) -> list[ReportAddendum]:
    """Return the addenda of a report that was read through a selector, oldest first."""
    return list(ReportAddendum.objects.filter(report=report).order_by("number"))


def draft_reports(user: User) -> QuerySet[Report]:
    """Return the user's own drafts of scans that they can see, newest first."""
    drafts = Report.objects.filter(author=user, state=Report.State.DRAFT)
    return drafts.filter(_of_open_scan(user)).select_related("scan")


def draft_of(user: User, scan: Scan) -> Report | None:
    """Return the user's draft about a visible scan."""
    return Report.objects.filter(author=user, state=Report.State.DRAFT, scan=scan).first()


def explanation_in(report: Report) -> ReportExplanation | None:
    """Return the explanation in a draft that was read through a selector."""
    return ReportExplanation.objects.filter(report=report).first()


def own_report_of_result(user: User, scan: Scan) -> SignedReport | None:
    """Return the report of the scan's current result that the user has signed."""
    for report in signed_reports(user).filter(scan=scan, signer=user):
        analysis = report.snapshot["facts"]["analysis"]
        if (analysis["id"] if analysis else None) == (scan.current_analysis_id and str(scan.current_analysis_id)):
            return report
    return None


def get_own_report(user: User, report_id: UUID) -> Report:
    """Return the user's own report, draft or signed. Raise `Report.DoesNotExist` for any other."""
    visible = Exists(visible_scans(user).order_by().filter(pk=OuterRef("scan")))
    return Report.objects.select_related("scan").get(visible, pk=report_id, author=user)


def report_templates(user: User) -> QuerySet[ReportTemplate]:
    """Return the templates that `user` can use: their own and those of their teams."""
    teams = user.memberships.values("team")
    return (
        ReportTemplate.objects.filter(Q(owner=user) | Q(team__in=teams)).select_related("team").order_by("name", "pk")
    )


def can_change_template(user: User, template: ReportTemplate) -> bool:
    """Return True for one's own template, and for the templates of a team that one owns."""
    if template.team_id is None:
        return template.owner_id == user.pk
    return user.memberships.filter(team=template.team_id, role=Membership.Role.OWNER).exists()


def scans_of_patient(user: User, reference: str, *, limit: int) -> list[Scan]:
    """Return the visible scans with a patient reference, in upper or lower case, oldest first; at most `limit`."""
    return ScanList(scope_of(user), Criteria(patient_reference=reference)).load(limit, oldest=True) if reference else []


def keys_of_patient(user: User, reference: str, *, limit: int) -> list[UUID]:
    """Return the keys of the scans that `scans_of_patient` loads."""
    return ScanList(scope_of(user), Criteria(patient_reference=reference)).keys(limit, oldest=True)


def get_batch_scans(user: User, batch_id: UUID) -> tuple[Batch, ScanQuerySet]:
    """Return a batch with its visible scans in the order of the upload. Raise `Batch.DoesNotExist` for any other."""
    batch = Batch.objects.filter(Q(owner=user) | Q(team__in=user.memberships.values("team"))).get(pk=batch_id)
    scans = visible_scans(user).filter(batch_files__batch=batch).order_by("batch_files__number", "pk")
    return batch, scans


@dataclass(frozen=True, slots=True)
class Verification:
    """Facts about a signed report that every signed-in person may see; none of its content.

    Attributes:
        number: the report's number.
        signer_name: the name at the time of signing.
        signed_at: when it was signed.
        unchanged: whether its content, and its addenda, still have the hashes that were stored with them.
        addenda: how many addenda it has.
    """

    number: str
    signer_name: str
    signed_at: datetime
    unchanged: bool
    addenda: int


def verify_report(code: str) -> Verification | None:
    """Return what is known of the report with this number or SHA-256; None if no signed report has it.

    Not scoped to a person: a recipient of the printed report verifies it without access to the scan.
    """
    wanted = "".join(code.split())
    if _HASH.fullmatch(wanted.lower()):
        report = SignedReport.objects.filter(sha256=wanted.lower()).first()
    elif _NUMBER.fullmatch(wanted.upper()):
        report = SignedReport.objects.filter(number=wanted.upper()).first()
    else:
        return None
    if report is None:
        return None
    addenda = addenda_of(report)
    return Verification(
        number=report.number,
        signer_name=report.signer_name,
        signed_at=report.signed_at,
        unchanged=is_unchanged(report, addenda),
        addenda=len(addenda),
    )


def is_unchanged(report: SignedReport, addenda: list[ReportAddendum]) -> bool:
    """Return whether a report and its addenda have the hashes that were computed when they were stored."""
    if hashlib.sha256(report.content.encode()).hexdigest() != report.sha256:
        return False
    snapshot = report.snapshot
    printed = (snapshot["number"], snapshot["signer"], datetime.fromisoformat(snapshot["signed_at"]))
    if printed != (report.number, report.signer_name, report.signed_at):
        return False
    previous = report.sha256
    for place, addendum in enumerate(addenda, start=1):
        if (addendum.number, addendum.previous_hash) != (place, previous) or addendum_hash(addendum) != addendum.hash:
            return False
        previous = addendum.hash
    return True


def addendum_hash(addendum: ReportAddendum) -> str:
    """Return the SHA-256 of an addendum and of the hash before it, as 64 hexadecimal digits."""
    parts = (
        str(addendum.pk),
        str(addendum.report_id),
        str(addendum.number),
        addendum.author_name,
        addendum.created_at.isoformat(),
        addendum.previous_hash,
        addendum.text,
    )
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
