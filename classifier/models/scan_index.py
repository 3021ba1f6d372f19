"""The tables behind lists and counts, with far fewer rows than scans.

The database's triggers write these rows in the transaction of the scan's or the analysis's own change
(`classifier.models.derived`), so that no code can forget it. `manage.py check_counts` verifies and repairs them.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

from django.db import models

from classifier.findings import ANSWERS, READINGS, Outcome

WAITING = "waiting"
"""Result of a scan whose current analysis is queued or running."""

WITHHELD = "withheld"
"""Result of a scan whose answer the input check withholds until a person confirms that the image is right."""

SUCCEEDED: tuple[str, ...] = (*ANSWERS, Outcome.UNCERTAIN, Outcome.NOT_BRAIN_MRI, WITHHELD)
"""Results of scans whose current analysis has succeeded."""

READING_CODES: dict[str, str] = {name: name[0] for name in READINGS}
"""A letter for each reading, to write several in few characters."""


@dataclass(frozen=True, slots=True)
class Facet:
    """The values that filters need of a scan, in one indexed column. Millions of scans have some dozens of facets.

    Attributes:
        model: name of the model of the current analysis.
        result: the finding, or the outcome without a finding, of the current analysis; "withheld" if its answer is
            withheld; else "waiting", "failed" or "cancelled"; "" without an analysis.
        reviewed: what readers say, see `written`; "" if nobody says anything.
    """

    model: str
    result: str
    reviewed: str

    @classmethod
    @lru_cache(maxsize=4096)
    def parse(cls, text: str) -> "Facet":
        """Return the facet of a value of the column."""
        model, result, reviewed = text.rsplit("|", 2)
        return cls(model, result, reviewed)

    def __str__(self) -> str:
        return f"{self.model}|{self.result}|{self.reviewed}"

    @property
    def readings(self) -> tuple[str, ...]:
        """What readers say: the newest confirmed diagnosis, and the newest review of each reader."""
        if self.reviewed in READINGS:
            return (self.reviewed,)
        return tuple(name for name, code in READING_CODES.items() if code in self.reviewed)

    @property
    def succeeded(self) -> bool:
        """Whether there is a result."""
        return self.result in SUCCEEDED


def written(readings: Collection[str]) -> str:
    """Return readings as `Facet.reviewed` has them: one in full, several by letters in the order of `READINGS`."""
    found = [name for name in READINGS if name in readings]
    return found[0] if len(found) == 1 else "".join(READING_CODES[name] for name in found)


class ScanCount(models.Model):
    """A number of scans. The figure of a key is the sum of its rows: every change adds rows, none changes one.

    Rows that are only added never wait for each other, and two workers never lock each other out.
    `classifier.services.scan_counts.merge_counts` merges them periodically.
    """

    id = models.BigAutoField(primary_key=True)
    owner_number = models.IntegerField(help_text="Key of the owner; 0 counts the scans of a team, for all owners.")
    team_number = models.IntegerField(help_text="Key of the team; 0 counts the owner's scans without a team.")
    month = models.CharField(max_length=7, help_text="Month of the upload in UTC, as 2026-01.")
    facet = models.CharField(max_length=110)
    number = models.IntegerField()
    merged = models.BooleanField(default=False, db_default=False)

    class Meta:
        indexes = (
            models.Index(fields=("team_number", "owner_number", "facet", "month", "number"), name="scan_count_by_team"),
            models.Index(fields=("owner_number", "team_number"), name="scan_count_by_owner"),
            models.Index(fields=("id",), name="scan_count_not_merged", condition=models.Q(merged=False)),
        )

    def __str__(self) -> str:
        return f"{self.number} of {self.facet} in {self.month}"


class ScanText(models.Model):
    """The searchable text of a scan that has any. Rows are in the order of the uploads."""

    id = models.BigIntegerField(primary_key=True, help_text="The time of the upload, see `selectors.text`.")
    scan_id = models.UUIDField(unique=True)
    owner_number = models.IntegerField()
    team_number = models.IntegerField(help_text="0 without a team.")
    keys = models.TextField(blank=True, help_text="Owner and team as words of the full-text index of SQLite.")
    text = models.TextField()

    class Meta:
        indexes = (
            models.Index(fields=("owner_number", "-id"), name="scan_text_of_owner"),
            models.Index(fields=("team_number", "-id"), name="scan_text_of_team"),
        )

    def __str__(self) -> str:
        return f"Text of scan {self.scan_id}"
