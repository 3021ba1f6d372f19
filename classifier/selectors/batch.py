"""Reads of batches, scoped to a person."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db.models import BooleanField, Case, Max, Q, QuerySet, Value, When

from classifier import wording
from classifier.findings import ANSWERS
from classifier.models import Analysis, Batch, BatchFile, Scan, User
from classifier.models.scan_index import Facet
from classifier.models.sealing import sealed_condition
from classifier.selectors.lists.criteria import Criteria, Place
from classifier.selectors.lists.ranges import Range, first_keys, merged
from classifier.selectors.lists.scope import Cell, scope_of
from classifier.selectors.lists.sql import fetch
from classifier.selectors.scan import visible_condition, visible_scans


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a batch as one person may see it.

    Attributes:
        number: Position in the upload, from 1.
        name: The file's name, if it was kept; else "".
        scan: The scan, sealed like any other; None if it was refused, deleted, or is not visible to the person.
        refusal: Why the file was refused; "" if it was not.
        gone: Whether the file was stored, but its scan is deleted or not visible to the person.
    """

    number: int
    name: str
    scan: Scan | None
    refusal: str
    gone: bool

    @property
    def label(self) -> str:
        """The name, or the number."""
        return self.name or f"File {self.number}"

    @property
    def state(self) -> str:
        """One key of `wording.BATCH_LABELS`."""
        if self.scan is None:
            return "refused" if self.refusal else "gone"
        return wording.batch_state(self.scan.current_analysis)


def visible_batches(user: User) -> QuerySet[Batch]:
    """Return the batches of `user` and of the user's teams, newest first, with owner and team."""
    return Batch.objects.filter(Q(owner=user) | Q(team__in=user.memberships.values("team"))).select_related(
        "owner", "team"
    )


@dataclass(frozen=True, slots=True)
class BatchList:
    """The batches that a person may see, newest first. A deep page costs as much as the first."""

    user: User

    def load(self, limit: int, *, place: Place | None = None) -> list[Batch]:
        """Return the next batches from `place` on, at most `limit`, in the order of the place."""
        scope = scope_of(self.user)
        cells = [Cell(owner=self.user.pk, any_team=True), *(Cell(team=team) for team in scope.teams)]
        ascending = place is not None and place.newer
        statements = merged(
            [Range(cell) for cell in cells],
            Criteria(),
            place,
            residual=lambda values: [],
            limit=limit,
            ascending=ascending,
            table="classifier_batch s",
        )
        rows = (row for sql, values in statements for row in fetch(sql, values))
        keys = first_keys(rows, limit=limit, ascending=ascending)
        loaded = {batch.pk: batch for batch in visible_batches(self.user).filter(pk__in=keys).order_by()}
        return [loaded[key] for key in keys if key in loaded]


def get_batch(user: User, batch_id: UUID) -> Batch:
    """Return one visible batch. Raise `Batch.DoesNotExist` for any other."""
    return visible_batches(user).get(pk=batch_id)


def batch_entries(user: User, batches: Iterable[Batch]) -> dict[UUID, list[Entry]]:
    """Return the files of each batch in their order, in two queries."""
    entries: dict[UUID, list[Entry]] = {batch.pk: [] for batch in batches}
    files = list(BatchFile.objects.filter(batch__in=entries).order_by("batch", "number"))
    wanted = [file.scan_id for file in files if file.scan_id]
    scans = {scan.pk: scan for scan in visible_scans(user).with_keys(wanted)}
    for file in files:
        scan = scans.get(file.scan_id) if file.scan_id else None
        gone = scan is None and not file.refusal
        # The name of a file whose scan is not visible could say what the scan would.
        name = "" if gone else file.name
        entries[file.batch_id].append(Entry(file.number, name, scan, file.refusal, gone))
    return entries


def batch_counts(entries: Iterable[Entry]) -> dict[str, int]:
    """Return how many files are in each state, in the order of `wording.BATCH_LABELS`, without empty states."""
    counts = Counter(entry.state for entry in entries)
    return {state: counts[state] for state in wording.BATCH_LABELS if counts[state]}


def counts_of_batches(user: User, batches: Iterable[Batch]) -> dict[UUID, dict[str, int]]:
    """Return what `batch_counts` says of each batch, in one query that loads no scan."""
    found: dict[UUID, Counter[str]] = {batch.pk: Counter() for batch in batches}
    files = BatchFile.objects.filter(batch__in=found).order_by()
    rows = files.annotate(
        visible=_flag(visible_condition(user, path="scan__")),
        sealed=_flag(sealed_condition(user, path="scan__")),
    ).values_list("batch_id", "refusal", "visible", "sealed", "scan__facet")
    for batch_id, refusal, visible, sealed, facet in rows:
        if visible:
            found[batch_id][_state(Facet.parse(facet), sealed=sealed)] += 1
        else:
            found[batch_id]["refused" if refusal else "gone"] += 1
    return {
        pk: {state: counts[state] for state in wording.BATCH_LABELS if counts[state]} for pk, counts in found.items()
    }


def _flag(condition: Q) -> Case:
    return Case(When(condition, then=Value(True)), default=Value(False), output_field=BooleanField())


def _state(facet: Facet, *, sealed: bool) -> str:
    """Return what `wording.batch_state` says of the current analysis of a scan."""
    if not facet.succeeded:
        return facet.result or Analysis.State.CANCELLED
    if sealed:
        return "unread"
    if facet.result in ANSWERS:
        return "notumor" if facet.result == "notumor" else "tumor"
    return facet.result


def failed_scans(entries: Iterable[Entry]) -> list[Scan]:
    """Return the scans whose analysis failed or was canceled."""
    stopped = (Analysis.State.FAILED, Analysis.State.CANCELLED)
    scans = [entry.scan for entry in entries if entry.scan is not None]
    return [scan for scan in scans if scan.current_analysis and scan.current_analysis.state in stopped]


def file_of_scan(user: User, scan: Scan) -> tuple[BatchFile, int] | None:
    """Return the newest batch file of a visible scan and the number of files in its batch; None without a batch."""
    visible = Q(batch__owner=user) | Q(batch__team__in=user.memberships.values("team"))
    file = BatchFile.objects.filter(visible, scan=scan).select_related("batch").order_by("-pk").first()
    if file is None:
        return None
    return file, BatchFile.objects.filter(batch=file.batch).count()


def next_number(batch_id: UUID) -> int:
    """Return the number of the next file of a batch, from 1."""
    return (BatchFile.objects.filter(batch_id=batch_id).aggregate(last=Max("number"))["last"] or 0) + 1
