"""Taking many files in one request: each is stored or refused by itself."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler

from classifier.intake import MAX_BYTES, RefusedImage
from classifier.models import Scan, Team, User
from classifier.services.errors import ServiceError
from classifier.services.scan import submit_scan

# A study's slices, not an archive: one request then ends within the time a browser waits.
MAX_FILES = 50
TOO_MANY_FILES = f"At most {MAX_FILES} files can be uploaded at once; upload this one with the next batch."


class BoundedUpload(FileUploadHandler):
    """Stops storing a file once it is known to be too large; the rest of it passes by unread.

    Intake then sees one byte too many and refuses it, and an upload of any size costs the disk no more than that.
    """

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        """Pass the chunk on to the next handler unless the limit lies behind."""
        return raw_data if start <= MAX_BYTES else None

    def file_complete(self, file_size: int) -> None:
        """Leave the finished file to the next handler."""
        return


@dataclass(frozen=True, slots=True)
class UploadResult:
    """What came of one file: a scan, or the sentence why not.

    Attributes:
        name: the file's name on the person's device. Shown back, never stored with the scan.
        scan: the stored scan, or `None`.
        earlier: a visible scan of the same pixels that was there before, if any.
        refusal: one plain sentence, or "".
    """

    name: str
    scan: Scan | None = None
    earlier: Scan | None = None
    refusal: str = ""

    @property
    def is_active(self) -> bool:
        """Whether a result is still to come."""
        analysis = self.scan.current_analysis if self.scan else None
        return analysis is not None and not analysis.is_finished


def take_files(
    files: Iterable[UploadedFile[bytes]],
    *,
    owner: User,
    team: Team | None = None,
    patient_reference: str = "",
    notes: str = "",
    upload_key: str = "",
) -> list[UploadResult]:
    """Submit each file. One that is refused stops no other.

    Args:
        files: the uploaded files in the order they were chosen.
        owner: who uploads.
        team: who else sees the scans.
        patient_reference: for all of them.
        notes: for all of them.
        upload_key: names this upload; the same file sent again under it is not stored again.
    """
    results = []
    for number, file in enumerate(files):
        name = file.name or "unnamed"
        if number >= MAX_FILES:
            results.append(UploadResult(name, refusal=TOO_MANY_FILES))
            continue
        try:
            submission = submit_scan(
                owner=owner,
                file=file,  # type: ignore[arg-type]  # an uploaded file reads like a binary stream
                team=team,
                patient_reference=patient_reference,
                notes=notes,
                idempotency_key=_file_key(upload_key, number=number, file=file),
            )
        except (RefusedImage, ServiceError) as error:
            results.append(UploadResult(name, refusal=str(error)))
        else:
            results.append(UploadResult(name, scan=submission.scan, earlier=submission.earlier))
    return results


def _file_key(upload_key: str, *, number: int, file: UploadedFile[bytes]) -> str:
    """Return a key for one file of one upload. Name and size are in it: another file chosen later is another upload."""
    if not upload_key:
        return ""
    identity = f"{upload_key}|{number}|{file.name}|{file.size}"
    return "web-" + hashlib.sha256(identity.encode()).hexdigest()
