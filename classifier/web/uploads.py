"""Store the files of one request. Each is accepted or rejected individually."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler

from classifier.intake import MAX_BYTES, RefusedImage
from classifier.models import Batch, Scan, Team, User
from classifier.services.batch import Place, record_refusal
from classifier.services.errors import ServiceError
from classifier.services.scan import submit_scan

# Enough for the slices of a study; one request must end before the browser times out.
MAX_FILES = 50
TOO_MANY_FILES = f"You can upload at most {MAX_FILES} files at once. Upload this file separately."


class BoundedUpload(FileUploadHandler):
    """Stop storing a file once it exceeds the size limit, and discard the rest.

    Intake then sees at least one byte too many and refuses the file, and no upload fills the disk.
    """

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        """Pass the chunk to the next handler unless the limit is exceeded."""
        return raw_data if start <= MAX_BYTES else None

    def file_complete(self, file_size: int) -> None:
        """Return None, so that the next handler completes the file."""
        return


@dataclass(frozen=True, slots=True)
class UploadResult:
    """The outcome of one file: a scan, or the reason for its refusal.

    Attributes:
        name: the file's name on the user's device. Displayed, never stored with the scan.
        scan: the stored scan, or `None`.
        earlier: an earlier visible scan of the same pixels, if any.
        refusal: one plain sentence, or "".
    """

    name: str
    scan: Scan | None = None
    earlier: Scan | None = None
    refusal: str = ""

    @property
    def is_active(self) -> bool:
        """Whether the analysis has not finished."""
        analysis = self.scan.current_analysis if self.scan else None
        return analysis is not None and not analysis.is_finished


def take_files(
    files: Iterable[UploadedFile[bytes]],
    *,
    owner: User,
    team: Team | None = None,
    patient_reference: str = "",
    notes: str = "",
    model: str = "",
    blank_text: bool = False,
    upload_key: str = "",
    batch: Batch | None = None,
    first_number: int = 1,
) -> list[UploadResult]:
    """Submit each file. A refused file does not affect the others.

    Args:
        files: the uploaded files in the order they were chosen.
        owner: the uploader.
        team: the team that can see the scans.
        patient_reference: for all of them.
        notes: for all of them.
        model: for all of them; "" for the default.
        blank_text: whether text outside the head is blanked out before the images are stored.
        upload_key: identifies this upload; a file sent again with the same key is not stored again.
        batch: the batch that records what becomes of each file; None for a single file.
        first_number: the number of the first file in the batch.
    """
    results = []
    for number, file in enumerate(files):
        name = file.name or "unnamed"
        place = None if batch is None else Place(batch, number=first_number + number, name=name)
        if number >= MAX_FILES:
            if place is not None:
                record_refusal(place, TOO_MANY_FILES)
            results.append(UploadResult(name, refusal=TOO_MANY_FILES))
            continue
        try:
            submission = submit_scan(
                owner=owner,
                file=file,  # type: ignore[arg-type]  # an uploaded file reads like a binary stream
                team=team,
                patient_reference=patient_reference,
                notes=notes,
                model=model,
                blank_text=blank_text,
                idempotency_key=_file_key(upload_key, number=number, file=file),
                place=place,
            )
        except (RefusedImage, ServiceError) as error:
            results.append(UploadResult(name, refusal=str(error)))
        else:
            results.append(UploadResult(name, scan=submission.scan, earlier=submission.earlier))
    return results


def _file_key(upload_key: str, *, number: int, file: UploadedFile[bytes]) -> str:
    """Return a key for one file of one upload. It includes name and size, so that another file is a new upload."""
    if not upload_key:
        return ""
    identity = f"{upload_key}|{number}|{file.name}|{file.size}"
    return "web-" + hashlib.sha256(identity.encode()).hexdigest()
