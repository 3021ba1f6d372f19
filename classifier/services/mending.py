"""Act on problems that the input check found: accept the image, turn it, crop it, or blank out text."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import structlog
from django.db import transaction
from django.utils import timezone

from classifier.events import Kind, record_events
from classifier.input_problems import MARKED, MARKED_HEAD, TURNED
from classifier.inspection import Margins, blanked, cropped, free_margins, turned
from classifier.intake import read_canonical
from classifier.intake.canonical import CanonicalImage
from classifier.intake.limits import MIN_SIDE
from classifier.models import BatchFile, Diagnosis, Event, Impression, Report, Review, Scan, SignedReport, User
from classifier.permissions import CHANGE_REFUSED, can_change, can_view
from classifier.services.errors import Conflict, NotAllowed
from classifier.services.scan import Submission, delete_scan, submit_scan

logger = structlog.get_logger(__name__)


def accept_input(scan: Scan, *, by: User) -> None:
    """Record that the image is right as it is. This shows an answer that was withheld. Repeating it changes nothing."""
    if not can_view(by, scan):
        raise NotAllowed(CHANGE_REFUSED)
    with transaction.atomic():
        if Scan.objects.filter(pk=scan.pk, input_accepted_at=None).update(input_accepted_at=timezone.now()):
            record_events([Event(kind=Kind.INPUT_ACCEPTED, scan_id=scan.pk, actor=by)])


def turn_scan(scan: Scan, *, by: User) -> Submission:
    """Submit an upright copy of a turned image. The scan itself stays. Owner only.

    Raises:
        Conflict: If the input check did not find the image turned.
        NotAllowed: If `by` is not the owner.
    """
    problem = _problem(scan, TURNED, by=by)
    pixels = turned(_pixels(scan), quarters=int(problem["detail"]))
    image = CanonicalImage.from_pixels(pixels, source_format="PNG")
    # The second click of a double click returns the copy of the first.
    return _submit_copy(scan, image, by=by, idempotency_key=f"turned {scan.pk}")


def proposed_margins(scan: Scan) -> Margins:
    """Return margins that hold text and markings and leave the head whole; all 0 if there are none."""
    cells = _cells(problem_of(scan, MARKED))
    return free_margins(_pixels(scan), cells=cells) if cells else Margins()


def crop_scan(scan: Scan, *, by: User, margins: Margins | None = None) -> Submission:
    """Submit a copy without the borders that hold text or markings. The scan itself stays. Owner only.

    Args:
        scan: The scan.
        by: Its owner.
        margins: What to cut off; None for `proposed_margins`.

    Raises:
        Conflict: If the input check found no markings, nothing is cut off, or too little of the image is left.
        NotAllowed: If `by` is not the owner.
    """
    _problem(scan, MARKED, MARKED_HEAD, by=by)
    margins = margins or proposed_margins(scan)
    if margins == Margins():
        raise Conflict("Cut off at least one side.", code="no_margins")
    (first, last), (start, end) = margins.rows(scan.height), margins.columns(scan.width)
    if min(last - first, end - start) < MIN_SIDE:
        raise Conflict(f"At least {MIN_SIDE} by {MIN_SIDE} pixels must be left.", code="too_little_left")
    image = CanonicalImage.from_pixels(cropped(_pixels(scan), margins=margins), source_format="PNG")
    return _submit_copy(scan, image, by=by, idempotency_key=f"cropped {scan.pk} {margins}")


def blank_scan(scan: Scan, *, by: User) -> Submission:
    """Submit a copy without the text and markings, and delete the scan with its image. Owner only.

    Raises:
        Conflict: If the input check found no markings, or if somebody has written about the scan: it is then kept,
            and its owner decides about it.
        NotAllowed: If `by` is not the owner.
    """
    problem = _problem(scan, MARKED, by=by)
    if any(kind.objects.filter(scan=scan).exists() for kind in (Impression, Diagnosis, Report, SignedReport)) or (
        Review.objects.filter(analysis__scan=scan).exists()
    ):
        raise Conflict("Reviews or reports refer to this image, so it was not replaced. Upload a clean copy instead.")
    image = CanonicalImage.from_pixels(blanked(_pixels(scan), cells=_cells(problem)), source_format="PNG")
    submission = _submit_copy(scan, image, by=by)
    BatchFile.objects.filter(scan=scan).update(scan=submission.scan)
    delete_scan(scan, by=by)
    return submission


def problem_of(scan: Scan, *codes: str) -> dict[str, Any]:
    """Return the first stored problem of a scan with one of the codes; empty if there is none."""
    return next((dict(problem) for problem in scan.input_problems if problem.get("code") in codes), {})


def _problem(scan: Scan, *codes: str, by: User) -> dict[str, Any]:
    if not can_change(by, scan):
        raise NotAllowed(CHANGE_REFUSED)
    problem = problem_of(scan, *codes)
    if not problem:
        raise Conflict("There is nothing to correct in this image.", code="nothing_to_mend")
    return problem


def _cells(problem: Mapping[str, Any]) -> list[tuple[int, int]]:
    return [(row, column) for row, column in problem.get("cells", ())]


def _pixels(scan: Scan) -> npt.NDArray[np.uint8]:
    with scan.image.open("rb") as file:
        pixels: npt.NDArray[np.uint8] = read_canonical(file.read())
    return pixels


def _submit_copy(scan: Scan, image: CanonicalImage, *, by: User, idempotency_key: str = "") -> Submission:
    submission = submit_scan(
        owner=by,
        file=image.png,
        team=scan.team,
        patient_reference=scan.patient_reference,
        notes=scan.notes,
        model=scan.current_analysis.model_name if scan.current_analysis else None,
        mended_from=scan.pk,
        idempotency_key=idempotency_key,
    )
    logger.info("scan_mended", scan=str(scan.pk), copy=str(submission.scan.pk))
    return submission
