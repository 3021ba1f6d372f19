"""One scenario: what it uploaded, the check that ends every one of them, and its figures."""

import time
import uuid
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from classifier.queue.claim import MAX_ATTEMPTS
from tests.system.chaos.forms import Form
from tests.system.chaos.installation import Installation
from tests.system.chaos.load import Load

ACTIVE = ("queued", "running")
FILES = {"image.png", "thumbnail.png"}
ROWS = (
    "SELECT s.id, a.id, a.state, a.outcome, a.attempts, a.failure_code, a.failure_message, a.queued_at, a.finished_at, "
    "CASE WHEN s.current_analysis_id = a.id THEN 1 ELSE 0 END, "
    "(SELECT count(*) FROM classifier_classmaps m WHERE m.analysis_id = a.id) "
    "FROM classifier_scan s LEFT JOIN classifier_analysis a ON a.scan_id = s.id"
)


@dataclass(frozen=True)
class Row:
    """A scan and one of its analyses, as the database has them."""

    scan: uuid.UUID
    analysis: uuid.UUID
    state: str
    outcome: str
    attempts: int
    failure_code: str
    failure_message: str
    queued_at: datetime
    finished_at: datetime | None
    is_current: int
    class_maps: int


class Scenario:
    """A scenario on one installation. What was there before it is not its concern."""

    def __init__(self, installation: Installation, form: Form) -> None:
        self.installation = installation
        self.form = form
        self.load = Load(installation)
        self.kills = 0
        self.began = time.monotonic()
        self._earlier_scans = {_uuid(scan) for (scan,) in installation.read("SELECT id FROM classifier_scan")}
        self._earlier_files = self._files()
        self.figures: dict[str, Any] = {}

    def rows(self) -> list[Row]:
        """The scans of this scenario."""
        rows = self.installation.read(ROWS)
        return [
            Row(_uuid(row[0]), _uuid(row[1]), *row[2:7], _time(row[7]), _time(row[8]), *row[9:])
            for row in rows
            if _uuid(row[0]) not in self._earlier_scans
        ]

    def active(self) -> list[Row]:
        """Those that have not ended."""
        return [row for row in self.rows() if row.state in ACTIVE]

    def await_running(self, *, since: datetime | None = None, seconds: float = 120) -> None:
        """Wait until a worker has something in its hands that it took after `since`."""
        since = since or datetime(2000, 1, 1, tzinfo=UTC)
        query = "SELECT started_at FROM classifier_analysis WHERE state = 'running'"
        self.installation.app.wait_for(
            lambda: any(_time(at) >= since for (at,) in self.installation.read(query)), seconds=seconds
        )

    def conclude(
        self,
        *,
        seconds: float = 120,
        failed: int | None = 0,
        most_attempts: int = MAX_ATTEMPTS,
        commits_in_doubt: bool = False,
        **figures: Any,
    ) -> list[Row]:
        """Wait for the end of all analyses, then check that each upload ended once, and note the figures.

        Args:
            seconds: how long the end may take.
            failed: how many must have failed; `None` if that is left to chance.
            most_attempts: 1 where nothing was killed: then nothing may have been done twice.
            commits_in_doubt: whether the database may have gone away during a commit. While the result
                is unknown the files are kept, and a later sweep removes them if there is no row.
            figures: what this scenario measured beside the common figures.
        """
        self.load.finish()
        self.installation.app.wait_for(lambda: not self.active(), seconds=seconds)
        rows = self.rows()
        self._check_rows(rows, most_attempts=most_attempts)
        if failed is not None:
            assert sum(row.state == "failed" for row in rows) == failed, _told(rows)
        duplicates = self._duplicates(rows)
        assert duplicates == 0
        self._check_files(rows, commits_in_doubt=commits_in_doubt)
        uploads = self.load.uploads
        self.figures = {
            "uploads": len(uploads),
            "kills": self.kills,
            "succeeded": sum(row.state == "succeeded" for row in rows),
            "failed": sum(row.state == "failed" for row in rows),
            "duplicates": duplicates,
            "repeated": sum(row.attempts > 1 for row in rows),
            "refused_requests": sum(len(upload.refusals) for upload in uploads),
            "longest_answer_seconds": round(max(upload.seconds for upload in uploads), 2),
            "longest_result_seconds": round(max(_waited(row) for row in rows).total_seconds(), 2),
            "seconds": round(time.monotonic() - self.began, 1),
        } | figures
        return rows

    def _check_rows(self, rows: list[Row], *, most_attempts: int) -> None:
        accepted = [upload.scan for upload in self.load.uploads]
        assert len(set(accepted)) == len(accepted), "two uploads were answered with the same scan"
        assert sorted(row.scan for row in rows) == sorted(accepted), "one scan with one analysis for each acceptance"
        for row in rows:
            assert row.is_current, row
            assert 1 <= row.attempts <= most_attempts, row
            if row.state == "succeeded":
                assert (bool(row.outcome), row.class_maps, row.failure_message) == (True, 1, ""), row
            else:
                assert (row.state, row.outcome, row.class_maps) == ("failed", "", 0), row
                assert row.failure_code, row
                assert row.failure_message.endswith("."), row

    def _duplicates(self, rows: list[Row]) -> int:
        """How many ends the database saw beyond one for each analysis."""
        seen = [_uuid(analysis) for (analysis,) in self.installation.read("SELECT analysis FROM chaos_witness")]
        ours = {row.analysis for row in rows}
        return sum(analysis in ours for analysis in seen) - len(ours)

    def _check_files(self, rows: list[Row], *, commits_in_doubt: bool) -> None:
        expected = {f"scans/{str(row.scan)[:2]}/{row.scan}/{name}" for row in rows for name in FILES}
        found = self._files() - self._earlier_files
        if commits_in_doubt:
            found &= expected
        assert found == expected, {"without a row": found - expected, "missing": expected - found}
        assert all((self.installation.media / name).stat().st_size for name in found)

    def _files(self) -> set[str]:
        media = self.installation.media
        return {str(path.relative_to(media)) for path in media.rglob("*") if path.is_file()}


def _waited(row: Row) -> timedelta:
    assert row.finished_at is not None
    return row.finished_at - row.queued_at


def _told(rows: list[Row]) -> str:
    return "\n".join(str(asdict(row)) for row in rows if row.state == "failed")


def _uuid(value: Any) -> uuid.UUID:
    return value if isinstance(value, uuid.UUID) else uuid.UUID(str(value))


def _time(value: Any) -> Any:
    """SQLite keeps times as text, in UTC."""
    return datetime.fromisoformat(value).replace(tzinfo=UTC) if isinstance(value, str) else value
