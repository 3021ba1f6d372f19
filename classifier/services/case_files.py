"""Add the cases of a CSV file: scans of the team, or images that come with the file."""

import hashlib
import re
from collections.abc import Iterable
from typing import BinaryIO
from uuid import UUID

from classifier.acceptance.case_files import NAME_LENGTH, CaseProblem, CaseRow, UnreadableCaseFile, read_case_file
from classifier.intake import RefusedImage
from classifier.models import BatchFile, Commissioning, Scan, User
from classifier.selectors.scan import visible_scans
from classifier.services.commissioning_cases import Added, NewCase, add_cases, require_open_now
from classifier.services.errors import Invalid, ServiceError
from classifier.services.scan import submit_scan

IDENTIFIER = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""The identifier of a scan, also inside the URL of its page."""


def add_case_file(
    commissioning: Commissioning, *, by: User, content: bytes, images: Iterable[tuple[str, BinaryIO]] = ()
) -> Added:
    """Add the cases that a CSV file names. Owners of the team only.

    A row names an image that comes with the file, a stored file of the team, or the identifier of a scan. Images
    are stored as scans of the team. A row that cannot be used costs only itself.

    Args:
        commissioning: The commissioning.
        by: An owner of the team.
        content: The CSV file, see `read_case_file`.
        images: The images with their file names. Of several with one name, none is stored: which of them a row means
            is not known.

    Raises:
        Invalid: If no row of the file can be read.
        NotAllowed: If `by` is not an owner of the team.
        Conflict: If the commissioning is closed, or its model version is no longer installed.
    """
    require_open_now(commissioning, by=by)
    try:
        parsed = read_case_file(content)
    except UnreadableCaseFile as error:
        raise Invalid(str(error), code="invalid_case_file") from error
    sent = list(images)
    files = dict(sent)
    unclear = {name for name in files if sum(other == name for other, _ in sent) > 1}
    problems, cases, used = list(parsed.problems), [], set()
    for row in parsed.rows:
        name = row.file.rpartition("/")[2]
        found: Scan | str
        if name in used:
            found = "another row names this image already."
        elif name in unclear:
            found = "several images of this name were chosen. Send them one after the other, or rename them."
        elif name in files:
            used.add(name)
            found = _stored(commissioning, row, by=by, name=name, file=files[name])
        else:
            found = _found(commissioning, row, by=by, name=name)
        if not isinstance(found, str) and (other := _other_patient(row, found)):
            found = other
        if isinstance(found, str):
            problems.append(row.problem(found))
        else:
            cases.append(NewCase(found, truth=row.finding, name=row.file[:NAME_LENGTH], row=row.number))
    added = add_cases(commissioning, by=by, cases=cases)
    unreadable = {problem.name.rpartition("/")[2] for problem in parsed.problems}
    unused = [name[:NAME_LENGTH] for name in files if name not in used | unclear]
    return Added(
        added.number,
        (
            *sorted((*problems, *added.problems), key=lambda problem: problem.row),
            *(CaseProblem(name, _not_stored(is_named=name in unreadable)) for name in unused),
        ),
    )


def _not_stored(*, is_named: bool) -> str:
    """Return why an image was not stored, as the end of a sentence."""
    reason = "the row that names this image cannot be used" if is_named else "no row names this image"
    return f"{reason}. It was not stored."


def _other_patient(row: CaseRow, scan: Scan) -> str:
    """Return why a row does not fit the patient of its scan; "" if it does. Intervals are resampled by patient."""
    stated, stored = " ".join(row.patient.split()), scan.patient_reference
    if not stated or stated.lower() == stored.lower():
        return ""
    has = f"the patient reference “{stored}”" if stored else "no patient reference"
    return f"the file says patient “{stated[:40]}”, but the scan has {has}. Correct one of them."


def _stored(commissioning: Commissioning, row: CaseRow, *, by: User, name: str, file: BinaryIO) -> Scan | str:
    """Store an image as a scan; return it, or why it was refused. The same image sent again is the same scan."""
    digest = hashlib.sha256(file.read()).hexdigest()
    file.seek(0)
    key = hashlib.sha256(f"{commissioning.pk}|{name}|{digest}".encode()).hexdigest()
    try:
        return submit_scan(
            owner=by,
            file=file,
            team=commissioning.team,
            patient_reference=row.patient,
            idempotency_key=f"case-{key}",
        ).scan
    except (RefusedImage, ServiceError) as error:
        return str(error)


def _found(commissioning: Commissioning, row: CaseRow, *, by: User, name: str) -> Scan | str:
    """Return the scan that a row names, or why there is none."""
    scans = visible_scans(by).filter(team=commissioning.team_id)
    if identifier := IDENTIFIER.search(row.file.lower()):
        scan = scans.filter(pk=UUID(identifier[0])).first()
        return scan or "the team has no scan with this identifier."
    stored = BatchFile.objects.filter(name=name, scan__team=commissioning.team_id).values("scan")
    found = list(scans.filter(pk__in=stored)[:2])
    if len(found) > 1:
        return "several scans of the team come from a file of this name. Name the identifier of the scan instead."
    if not found:
        return (
            "no scan of the team comes from a file of this name. Choose the image together with the CSV file, or name "
            "the identifier of the scan."
        )
    return found[0]
