"""Submit, describe, move and delete scans."""

import errno
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO
from uuid import UUID

import structlog
from django.core.files.base import ContentFile
from django.db import IntegrityError, transaction

from classifier.events import Kind, record_events
from classifier.input_problems import BLANKED, MARKED
from classifier.inspection import Problem, blanked, inspect_image
from classifier.intake import CanonicalImage, RefusedImage, read_image, thumbnail_png
from classifier.models import Analysis, Event, Scan, Team, User, lengths
from classifier.models.scan import MAX_NOTES
from classifier.models.sealing import is_sealed_for
from classifier.permissions import CHANGE_REFUSED, can_change
from classifier.queue.finished import publish_finished
from classifier.queue.notify import notify_workers
from classifier.selectors.scan import earlier_scan, visible_scans
from classifier.services.analysis import next_analysis
from classifier.services.batch import Place, record_refusal, record_scan
from classifier.services.commissioning_cases import record_lost_cases
from classifier.services.errors import Conflict, Invalid, NotAllowed, ServiceError, StorageFull, StorageUnavailable
from classifier.services.idempotency import checked_idempotency_key
from classifier.services.model import checked_model_name
from classifier.services.report_archive import remove_files_with
from classifier.services.review import delete_statements
from classifier.services.storage import remove_files

logger = structlog.get_logger(__name__)

# Letters, digits and the punctuation of pseudonyms such as "STUDY-12/0042", but no markup.
PATIENT_REFERENCE = re.compile(rf"[\w./#:+\- ]{{0,{lengths.PATIENT_REFERENCE}}}")


@dataclass(frozen=True, slots=True)
class Submission:
    """The result of an upload.

    Attributes:
        scan: The stored scan.
        analysis: Its queued analysis; for a replay, the scan's current one.
        earlier: An earlier visible scan with the same pixels, if any.
        replayed: Whether an earlier request with the same idempotency key made this upload.
    """

    scan: Scan
    analysis: Analysis
    earlier: Scan | None
    replayed: bool = False


def submit_scan(
    *,
    owner: User,
    file: BinaryIO | bytes,
    team: Team | None = None,
    patient_reference: str = "",
    notes: str = "",
    model: str | None = None,
    sample: str = "",
    idempotency_key: str = "",
    place: Place | None = None,
    mended_from: UUID | None = None,
    blank_text: bool = False,
) -> Submission:
    """Store an uploaded image, record it in its batch, and queue its analysis: all of it, or nothing.

    A refused file is recorded in the batch with its sentence. With `blank_text`, text and markings that the input check
    finds outside the head become black before the image is stored.

    Raises:
        RefusedImage: If the file is not an image that can be analyzed; the message is for users.
        Invalid: If a field has an invalid value.
        NotAllowed: If `owner` is not a member of `team`.
        Conflict: If the idempotency key was used for another upload.
        StorageFull: If the media disk is full; nothing is stored.
        StorageUnavailable: If the storage of the images fails; nothing is stored.
    """
    try:
        return _submit(
            owner=owner,
            file=file,
            team=team,
            model=model,
            place=place,
            sample=sample,
            mended_from=mended_from,
            blank_text=blank_text,
            fields=_checked_fields(patient_reference=patient_reference, notes=notes, idempotency_key=idempotency_key),
        )
    except (RefusedImage, ServiceError) as error:
        if place is not None:
            record_refusal(place, str(error))
        raise


def _submit(
    *,
    owner: User,
    file: BinaryIO | bytes,
    team: Team | None,
    model: str | None,
    place: Place | None,
    sample: str,
    mended_from: UUID | None,
    blank_text: bool,
    fields: dict[str, str],
) -> Submission:
    idempotency_key = fields["idempotency_key"]
    model_name = checked_model_name(model, team=team)
    if team is not None and not owner.memberships.filter(team=team).exists():
        raise NotAllowed("You are not a member of this team.")
    image, problems = _inspected(read_image(file), blank_text=blank_text)
    if replay := _replay(owner, idempotency_key=idempotency_key, image=image):
        return _joined(replay, place)
    scan = Scan(
        id=uuid.uuid4(),
        owner=owner,
        team=team,
        sample=sample,
        width=image.width,
        height=image.height,
        pixels_sha256=image.sha256,
        source_format=image.source_format,
        input_problems=[problem.as_dict() for problem in problems],
        mended_from=mended_from,
        **fields,
    )
    try:
        with _files_of(scan, image) as files, transaction.atomic():
            analysis = next_analysis(scan, by=owner, model_name=model_name)
            # The rows refer to each other; the database checks both references at the end of the transaction.
            scan.current_analysis = analysis
            # The analysis first: a trigger reads it for the scan's facet.
            analysis.save(force_insert=True)
            scan.save(force_insert=True)
            if place is not None:
                record_scan(place, scan)
            record_events([Event(kind=Kind.SCAN_CREATED, scan_id=scan.pk, actor=owner)])
            transaction.on_commit(notify_workers)
            files.may_be_needed = True
    except IntegrityError as error:
        # The same request, a moment earlier in another thread, has stored the scan.
        if replay := _replay(owner, idempotency_key=idempotency_key, image=image):
            return _joined(replay, place)
        if team is not None and not Team.objects.filter(pk=team.pk).exists():
            raise NotAllowed("This team was deleted.") from error
        raise
    logger.info("scan_submitted", scan=str(scan.pk), owner=owner.pk, source_format=image.source_format)
    return Submission(scan=scan, analysis=analysis, earlier=earlier_scan(owner, scan))


def _inspected(image: CanonicalImage, *, blank_text: bool) -> tuple[CanonicalImage, list[Problem]]:
    """Return the image to store with its problems; without its text and markings if `blank_text` is true."""
    problems = inspect_image(image.pixels)
    marked = next((problem for problem in problems if problem.code == MARKED), None)
    if not blank_text or marked is None:
        return image, problems
    clean = CanonicalImage.from_pixels(blanked(image.pixels, cells=marked.cells), source_format=image.source_format)
    return clean, [Problem(BLANKED), *inspect_image(clean.pixels)]


def _joined(replay: Submission, place: Place | None) -> Submission:
    """Record a repeated upload in its batch, too: the first request may have belonged to none."""
    if place is not None:
        record_scan(place, replay.scan)
    return replay


def update_scan(scan: Scan, *, by: User, patient_reference: str, notes: str) -> Scan:
    """Change the patient reference and notes of a scan. Owner only."""
    _require_can_change(scan, by=by)
    fields = _checked_fields(patient_reference=patient_reference, notes=notes)
    for name in ("patient_reference", "notes"):
        setattr(scan, name, fields[name])
    scan.save(update_fields=["patient_reference", "notes"])
    return scan


def move_scan(scan: Scan, *, by: User, team: Team | None) -> Scan:
    """Move a scan to another of the owner's teams, or to none. Owner only.

    Args:
        scan: As loaded for `by`, so that a closed one is known to be closed.
        by: The owner.
        team: The team; None shares it with nobody.

    Raises:
        NotAllowed: If `by` is not the owner, or not a member of the team.
        Conflict: If only the present team keeps the result closed to the owner: moving the scan would open it.
    """
    _require_can_change(scan, by=by)
    if team == scan.team:
        return scan
    if scan.closed and not is_sealed_for(scan, by, team=team):
        raise Conflict(
            "This result is sealed, and the change would open it. Record your own impression of the scan first.",
            code="sealed",
        )
    if team is not None and not by.memberships.filter(team=team).exists():
        raise NotAllowed("You are not a member of this team.")
    scan.team = team
    scan.save(update_fields=["team"])
    return scan


def delete_scan(scan: Scan, *, by: User) -> None:
    """Delete a scan with its analyses and files. Owner only.

    The files are removed after the commit, so that a rollback leaves everything in place.
    """
    _require_can_change(scan, by=by)
    scan_id = scan.pk
    logger.info("scan_deleted", scan=str(scan_id), by=by.pk)
    with transaction.atomic():
        # Lock the row: a result or a new analysis committed meanwhile would undo the deletion.
        list(Scan.objects.filter(pk=scan_id).select_for_update().values_list("pk"))
        analyses = Analysis.with_shadow.filter(scan_id=scan_id).select_for_update().order_by("pk")
        ids = list(analyses.values_list("pk", flat=True))
        record_lost_cases(scan_id, by=by)
        if not Scan.objects.filter(pk=scan_id).delete()[0]:
            return
        delete_statements(scan_id)
        record_events([Event(kind=Kind.SCAN_DELETED, scan_id=scan_id, actor=by)])
        transaction.on_commit(lambda: remove_files(scan_id))
        transaction.on_commit(lambda: remove_files_with(scan_id), robust=True)
        transaction.on_commit(lambda: publish_finished(ids))


def _checked_fields(*, patient_reference: str, notes: str, idempotency_key: str = "") -> dict[str, str]:
    patient_reference = " ".join(patient_reference.split())
    if not PATIENT_REFERENCE.fullmatch(patient_reference):
        raise Invalid(
            f"A patient reference has at most {lengths.PATIENT_REFERENCE} letters, digits, spaces or "
            ". / # : + - _ characters. Use a pseudonym, never a name.",
            code="invalid_patient_reference",
        )
    notes = notes.replace("\x00", "").replace("\r\n", "\n").strip()
    if len(notes) > MAX_NOTES:
        raise Invalid(f"Notes have at most {MAX_NOTES} characters; these have {len(notes)}.", code="invalid_notes")
    return {
        "patient_reference": patient_reference,
        "notes": notes,
        "idempotency_key": checked_idempotency_key(idempotency_key),
    }


def _replay(owner: User, *, idempotency_key: str, image: CanonicalImage) -> Submission | None:
    """Return the earlier submission with this key. Raise `Conflict` if its image differs."""
    if not idempotency_key:
        return None
    scan = visible_scans(owner).filter(owner=owner).with_idempotency_key(idempotency_key).first()
    if scan is None:
        return None
    if scan.pixels_sha256 != image.sha256 or scan.current_analysis is None:
        raise Conflict(
            "This Idempotency-Key was used for another image. Use a new key for each upload.",
            code="idempotency_key_reused",
        )
    return Submission(scan=scan, analysis=scan.current_analysis, earlier=None, replayed=True)


@dataclass(slots=True)
class _Files:
    """The files written for one scan.

    Attributes:
        may_be_needed: Whether the row may exist. If the connection is lost during the commit, only the database
            knows whether it succeeded.
    """

    may_be_needed: bool = False


@contextmanager
def _files_of(scan: Scan, image: CanonicalImage) -> Iterator[_Files]:
    """Write the scan's files before its row, and remove them if the row certainly was not stored.

    `storage.remove_orphaned_files` removes files that were kept in doubt and have no row.
    """
    files = _Files()
    try:
        for field, name, content in (
            (scan.image, "image.png", image.png),
            (scan.thumbnail, "thumbnail.png", thumbnail_png(image)),
        ):
            field.save(name, ContentFile(content), save=False)
        yield files
    except BaseException as error:
        if not files.may_be_needed or isinstance(error, IntegrityError):
            remove_files(scan.pk)
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull("The server has no space left to store images. Tell your administrator.") from error
        if isinstance(error, OSError):
            raise StorageUnavailable("The image could not be stored. Try again in a minute.") from error
        raise


def _require_can_change(scan: Scan, *, by: User) -> None:
    if not can_change(by, scan):
        raise NotAllowed(CHANGE_REFUSED)
