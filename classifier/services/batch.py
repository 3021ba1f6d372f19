"""Batches: record the outcome of each file of an upload."""

from dataclasses import dataclass
from pathlib import PurePath
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Max

from classifier.models import Analysis, Batch, BatchFile, Scan, Team, User, lengths
from classifier.services.analysis import retry_analysis
from classifier.services.errors import Conflict, Invalid, NotFound
from classifier.services.notification import notify_of_retry

# A page shows a whole batch; a larger study is several batches.
MAX_BATCH_FILES = 200


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a file in a batch.

    Attributes:
        batch: The batch.
        number: Position in the upload, from 1; None appends the file.
        name: The file's name on the user's device; "" if the client gave none.
    """

    batch: Batch
    number: int | None = None
    name: str = ""


def open_batch(batch_id: UUID, *, owner: User, team: Team | None = None, patient_reference: str = "") -> Batch:
    """Return the batch with this identifier, created on first use.

    Raises:
        NotFound: if the batch belongs to someone else.
    """
    batch = Batch.objects.filter(pk=batch_id).first()
    if batch is None:
        try:
            with transaction.atomic():
                batch = Batch(pk=batch_id, owner=owner, team=team, patient_reference=patient_reference)
                batch.save(force_insert=True)
        except IntegrityError:
            # Another request of the same upload was a moment earlier.
            batch = Batch.objects.get(pk=batch_id)
    if batch.owner_id != owner.pk:
        raise NotFound("There is no such batch.")
    return batch


def record_scan(place: Place, scan: Scan) -> BatchFile:
    """Record that a file was stored as a scan. Call it in the transaction that stores the scan."""
    return _record(place, scan=scan, name=_kept_name(place, scan.source_format))


def record_refusal(place: Place, sentence: str) -> BatchFile | None:
    """Record that a file was refused, with the sentence for people. Return None if the batch is full."""
    try:
        return _record(place, refusal=sentence[: lengths.SENTENCE], name=_kept_name(place, _guessed_format(place.name)))
    except Invalid:
        return None


@transaction.atomic
def retry_failed(batch: Batch, scans: list[Scan], *, by: User) -> int:
    """Queue the failed and canceled analyses of a batch again. Return how many were queued.

    `by` is notified when they have ended.

    Args:
        batch: The batch.
        scans: Its scans, as loaded for `by`.
        by: The person who asks.
    """
    queued = 0
    for scan in scans:
        analysis = scan.current_analysis
        if analysis is None or analysis.state not in (Analysis.State.FAILED, Analysis.State.CANCELLED):
            continue
        try:
            retry_analysis(scan, by=by)
        except Conflict:
            # Deleted, or queued again in another window.
            continue
        queued += 1
    if queued:
        notify_of_retry(batch, by=by, retried=queued)
    return queued


@transaction.atomic
def _record(place: Place, *, name: str, scan: Scan | None = None, refusal: str = "") -> BatchFile:
    # Locked, so that two files are never appended at the same number.
    list(Batch.objects.filter(pk=place.batch.pk).select_for_update().values_list("pk"))
    files = BatchFile.objects.filter(batch=place.batch)
    number = place.number
    if number is None:
        known = files.filter(scan=scan).first() if scan is not None else None
        number = known.number if known else (files.aggregate(last=Max("number"))["last"] or 0) + 1
    if not 1 <= number <= MAX_BATCH_FILES:
        raise Invalid(
            f"A batch has at most {MAX_BATCH_FILES} files. Upload this file with another batch.", code="batch_full"
        )
    stored = files.filter(number=number, scan__isnull=False).first()
    if refusal and stored is not None:
        # An earlier request stored the file; the failure of a repetition changes nothing.
        return stored
    stored, _ = BatchFile.objects.update_or_create(
        batch=place.batch, number=number, defaults={"scan": scan, "refusal": refusal, "name": name}
    )
    return stored


def _kept_name(place: Place, source_format: str) -> str:
    """Return the file's name if the person or the team wants it. Names of DICOM files often identify patients."""
    batch = place.batch
    wanted = batch.owner.keep_file_names or (batch.team is not None and batch.team.keep_file_names)
    if not wanted or source_format == Scan.SourceFormat.DICOM:
        return ""
    return "".join(character for character in place.name if character.isprintable())[: lengths.FILE_NAME]


def _guessed_format(name: str) -> str:
    """Return the format of a file that could not be read, by its name. One without a usual suffix counts as DICOM."""
    if PurePath(name).suffix.lower() in (".jpg", ".jpeg", ".png"):
        return Scan.SourceFormat.PNG
    return Scan.SourceFormat.DICOM
