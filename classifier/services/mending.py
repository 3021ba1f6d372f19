"""Act on problems that the input check found: accept the image, turn it, or blank out text."""

from typing import Any

import numpy as np
import numpy.typing as npt
import structlog
from django.db import transaction
from django.utils import timezone

from classifier.events import Kind, record_events
from classifier.input_problems import MARKED, TURNED
from classifier.inspection import blanked, turned
from classifier.intake import read_canonical
from classifier.intake.canonical import CanonicalImage
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
    cells = [(row, column) for row, column in problem["cells"]]
    image = CanonicalImage.from_pixels(blanked(_pixels(scan), cells=cells), source_format="PNG")
    submission = _submit_copy(scan, image, by=by)
    BatchFile.objects.filter(scan=scan).update(scan=submission.scan)
    delete_scan(scan, by=by)
    return submission


def _problem(scan: Scan, code: str, *, by: User) -> dict[str, Any]:
    if not can_change(by, scan):
        raise NotAllowed(CHANGE_REFUSED)
    for problem in scan.input_problems:
        if problem.get("code") == code:
            return dict(problem)
    raise Conflict("There is nothing to correct in this image.", code="nothing_to_mend")


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
