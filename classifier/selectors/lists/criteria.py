"""The criteria of a list of scans."""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from classifier.models.scan_index import Facet

MIN_INDEXED = 3
"""The text indexes hold sequences of three characters. Shorter words are compared with whole references."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """All of what must hold for a scan to be listed.

    Attributes:
        facets: conditions on the current analysis and the review.
        open_only: leave out scans whose result is closed to the reader. Set with every condition on a result.
        sealed_only: only scans whose result is closed to the reader.
        state: state of the current analysis, to tell queued from running; "" for any.
        mine: only the reader's own scans.
        team: only scans of this team of the reader's.
        patient_reference: the whole reference, in upper or lower case; "" for any.
        since: earliest time of the upload.
        until: time of the upload before which it lies.
        words: words that must all occur in the reference, the notes, or the owner's name.
        unread: only scans with a result of which the reader has recorded neither impression nor review.
        attention_before: only scans that the reader has not dismissed and that failed, were refused openly, or have
            waited since before this time. Set with the facets of such scans.
    """

    facets: tuple[Callable[[Facet], bool], ...] = ()
    open_only: bool = False
    sealed_only: bool = False
    state: str = ""
    mine: bool = False
    team: int | None = None
    patient_reference: str = ""
    since: datetime | None = None
    until: datetime | None = None
    words: tuple[str, ...] = ()
    unread: bool = False
    attention_before: datetime | None = None

    def matches(self, facet: Facet) -> bool:
        """Return whether scans with this facet can be listed."""
        return all(condition(facet) for condition in self.facets)


@dataclass(frozen=True, slots=True)
class Place:
    """A position between two rows: the row it lies next to, and whether the page holds newer or older ones."""

    created_at: datetime
    scan_id: UUID
    newer: bool

    def encode(self) -> str:
        """Return the cursor as URL-safe text."""
        text = f"{'n' if self.newer else 'o'}|{self.created_at.isoformat()}|{self.scan_id}"
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, word: str) -> "Place | None":
        """Return the cursor of URL-safe text; `None` for anything that `encode` did not return."""
        try:
            text = base64.urlsafe_b64decode(word + "=" * (-len(word) % 4)).decode()
            direction, created_at, scan_id = text.split("|")
            moment = datetime.fromisoformat(created_at)
            if moment.tzinfo is None:
                return None
            # Near the first and last dates, converting the offset can overflow.
            return cls(moment.astimezone(UTC), UUID(scan_id), newer=direction == "n")
        except (ValueError, OverflowError, binascii.Error):
            return None
