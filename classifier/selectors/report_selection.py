"""The scans whose reports a person requests as one ZIP file, for pages and API."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from classifier.models import User
from classifier.models.report_archive import LeftOut
from classifier.selectors.lists.scan_list import ScanList
from classifier.selectors.report import get_batch_scans, keys_of_patient
from classifier.selectors.scan import visible_scans


@dataclass(frozen=True, slots=True)
class Selection:
    """Scans for one ZIP file.

    Attributes:
        title: Description of the selection, for people.
        scan_ids: Keys of the scans in the order of the file.
        left_out: Those of the keys of which there will be no report, each with the reason.
    """

    title: str
    scan_ids: list[UUID]
    left_out: dict[UUID, LeftOut] = field(default_factory=dict)


def listed_scans(scans: ScanList, *, limit: int) -> Selection:
    """Return the scans of a list, newest first; at most `limit`."""
    return Selection("Scans of the history", scans.keys(limit))


def patient_scans(user: User, reference: str, *, limit: int) -> Selection:
    """Return the visible scans with a patient reference, oldest first; at most `limit`. An empty one has no scans."""
    reference = " ".join(reference.split())
    keys = keys_of_patient(user, reference, limit=limit) if reference else []
    return Selection(f"Patient {reference}", keys)


def batch_scans(user: User, batch_id: UUID, *, limit: int) -> Selection:
    """Return the visible scans of a batch in the order of the upload, each once; at most `limit`.

    Raises:
        Batch.DoesNotExist: If the user cannot see the batch.
    """
    batch, scans = get_batch_scans(user, batch_id)
    # A repeated upload of the same scan is a file of its own; a batch has few files.
    keys = dict.fromkeys(scans.values_list("pk", flat=True))
    return Selection(f"Upload {str(batch.pk)[:8]}", list(keys)[:limit])


def chosen_scans(user: User, wanted: Iterable[UUID]) -> Selection:
    """Return scans in the given order, each once. Those that the user cannot see are left out."""
    keys = list(dict.fromkeys(wanted))
    visible = set(visible_scans(user).with_keys(keys).values_list("pk", flat=True))
    return Selection("Selected scans", keys, {key: LeftOut.GONE for key in keys if key not in visible})
