"""Reads for the history page and its dashboard, scoped to the user."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Any

import django_filters
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.timezone import make_aware

from classifier.findings import ANSWERS, Outcome
from classifier.models import Analysis, Review, Scan, Team, User, lengths, scan_index
from classifier.models.review import READING_CHOICES
from classifier.models.scan_index import SUCCEEDED, WAITING, Facet
from classifier.models.sealing import OPEN, WITHHELD
from classifier.selectors.lists.counts import count_results, uploads_per_day
from classifier.selectors.lists.criteria import Criteria
from classifier.selectors.lists.scan_list import ScanList
from classifier.selectors.lists.scope import Scope, scope_of
from classifier.selectors.lists.ways import word_condition
from classifier.selectors.team import teams_of

DASHBOARD_DAYS = 30


def _teams_of_request(request: object) -> QuerySet[Team]:
    """Return the teams of the signed-in user; none for the anonymous user under which the schema is generated."""
    user = getattr(request, "user", None)
    return teams_of(user) if isinstance(user, User) else Team.objects.none()


class ScanFilter(django_filters.FilterSet):
    """The filters of the history page and of `GET scans/`. An invalid value is a form error, not a server error."""

    finding = django_filters.ChoiceFilter(choices=READING_CHOICES, method="filter_finding", label="Finding")
    outcome = django_filters.ChoiceFilter(choices=Analysis.OUTCOME_CHOICES, method="filter_outcome", label="Outcome")
    state = django_filters.ChoiceFilter(
        choices=Analysis.State.choices, field_name="current_analysis__state", label="State"
    )
    patient_reference = django_filters.CharFilter(lookup_expr="iexact", label="Patient reference")
    model = django_filters.CharFilter(field_name="current_analysis__model_name", label="Model")
    uploaded_after = django_filters.DateFilter(method="filter_after", label="From")
    uploaded_before = django_filters.DateFilter(method="filter_before", label="To")
    team = django_filters.ModelChoiceFilter(queryset=_teams_of_request, label="Team")
    mine = django_filters.BooleanFilter(method="filter_mine", label="Only mine")
    # Each word is searched for in five columns; the limit keeps the query within what the databases accept.
    text = django_filters.CharFilter(method="filter_text", label="Search", max_length=lengths.SEARCH)

    class Meta:
        model = Scan
        fields = ()

    # A filter on a result that is closed to the person, or withheld, would reveal it.
    def filter_finding(self, queryset: QuerySet[Scan], name: str, value: str) -> QuerySet[Scan]:
        """Keep scans of which the analysis, a review, or a confirmed diagnosis says so."""
        said = (Q(current_analysis__finding=value) & ~WITHHELD) | read_as(value)
        return queryset.filter(OPEN, said)

    def filter_outcome(self, queryset: QuerySet[Scan], name: str, value: str) -> QuerySet[Scan]:
        """Keep scans with this outcome."""
        return queryset.filter(OPEN, ~WITHHELD, current_analysis__outcome=value)

    def filter_mine(self, queryset: QuerySet[Scan], name: str, value: bool) -> QuerySet[Scan]:
        """Keep only the user's own uploads."""
        return queryset.filter(owner=self.request.user) if value else queryset

    def filter_after(self, queryset: QuerySet[Scan], name: str, value: date) -> QuerySet[Scan]:
        """Keep uploads from the beginning of a day on."""
        begin = beginning_of(value)
        return queryset if begin is None else queryset.filter(created_at__gte=begin)

    def filter_before(self, queryset: QuerySet[Scan], name: str, value: date) -> QuerySet[Scan]:
        """Keep uploads before the end of a day."""
        end = end_of(value)
        return queryset if end is None else queryset.filter(created_at__lt=end)

    def filter_text(self, queryset: QuerySet[Scan], name: str, value: str) -> QuerySet[Scan]:
        """Keep scans whose patient reference, notes, or owner contain every word."""
        for word in value.split():
            queryset = queryset.filter(word_condition(word))
        return queryset

    @cached_property
    def scope(self) -> Scope:
        """What the person of the request may see."""
        return scope_of(self.request.user)

    def scan_list(self) -> ScanList:
        """Return the list of the scans that match, as the person of the request sees them."""
        self.form.is_valid()
        # Invalid values are left out, here and in the queryset.
        return ScanList(self.scope, self.criteria_of(getattr(self.form, "cleaned_data", {})))

    def criteria_of(self, values: Mapping[str, Any]) -> Criteria:
        """Return what the list is narrowed to; the same as the filters of the queryset say."""
        return criteria_of(values)


def criteria_of(values: Mapping[str, Any]) -> Criteria:
    """Return what valid values of the filters of `ScanFilter` narrow a list to."""
    finding, outcome, state = (values.get(name) or "" for name in ("finding", "outcome", "state"))
    model, team = (values.get("model") or "").strip(), values.get("team")
    conditions: list[Callable[[Facet], bool]] = []
    if finding:
        conditions.append(lambda facet: finding == facet.result or finding in facet.readings)
    if outcome:
        conditions.append(lambda facet: outcome == outcome_of(facet))
    if state:
        conditions.append(lambda facet: state in states_of(facet))
    if model:
        conditions.append(lambda facet: facet.model == model)
    return Criteria(
        facets=tuple(conditions),
        open_only=bool(finding or outcome),
        state=state if state in Analysis.ACTIVE else "",
        mine=bool(values.get("mine")),
        team=None if team is None else team.pk,
        patient_reference=(values.get("patient_reference") or "").strip(),
        since=beginning_of(values.get("uploaded_after")),
        until=end_of(values.get("uploaded_before")),
        words=tuple((values.get("text") or "").split()),
    )


def read_as(finding: str) -> Q:
    """Return the condition that the newest diagnosis of a scan, or the newest review of any of its readers, says so."""
    later = Review.objects.filter(
        Q(created_at__gt=OuterRef("created_at")) | Q(created_at=OuterRef("created_at"), pk__gt=OuterRef("pk")),
        scan=OuterRef("scan"),
        reviewer=OuterRef("reviewer"),
    )
    said = Review.objects.filter(~Exists(later), scan=OuterRef("pk"), finding=finding)
    return Q(reviewed_finding=finding) | Q(Exists(said))


def outcome_of(facet: Facet) -> str:
    """Return the outcome of the current analysis of scans with this facet; "" without one."""
    if facet.result in ANSWERS:
        return Outcome.CLASSIFIED
    return facet.result if facet.result in (Outcome.UNCERTAIN, Outcome.NOT_BRAIN_MRI) else ""


def states_of(facet: Facet) -> tuple[str, ...]:
    """Return the possible states of the current analysis of scans with this facet."""
    if facet.result == WAITING:
        return Analysis.ACTIVE
    return (Analysis.State.SUCCEEDED,) if facet.succeeded else (facet.result,)


def beginning_of(day: date | None) -> datetime | None:
    """Return the moment at which a day begins in the current time zone; None for no day, or one that no clock has."""
    try:
        return None if day is None else make_aware(datetime.combine(day, time.min)).astimezone(UTC)
    except OverflowError:
        return None


def end_of(day: date | None) -> datetime | None:
    """Return the moment at which a day ends in the current time zone; None for no day, or one that no clock has."""
    try:
        return None if day is None else beginning_of(day + timedelta(days=1))
    except OverflowError:
        return None


@dataclass(frozen=True, slots=True)
class Dashboard:
    """The figures above the history table.

    Attributes:
        total: visible scans.
        unread: scans whose result is closed until the person has recorded an impression.
        by_finding: classified scans per finding, in the order of `ANSWERS`.
        uncertain: scans whose outcome is `uncertain`.
        not_brain_mri: scans refused as not a brain MR image.
        withheld: scans whose answer the input check withholds.
        waiting: scans queued or running.
        failed: scans whose current analysis failed or was canceled.
        per_day: uploads per day, oldest first, one entry for each of the last `DASHBOARD_DAYS` days.
    """

    total: int
    unread: int
    by_finding: dict[str, int]
    uncertain: int
    not_brain_mri: int
    withheld: int
    waiting: int
    failed: int
    per_day: list[tuple[date, int]]


def dashboard(scope: Scope) -> Dashboard:
    """Count what a person may see, in a constant number of queries."""
    every, opened = count_results(scope)
    return Dashboard(
        total=every.total(),
        unread=sum(every[result] - opened[result] for result in SUCCEEDED),
        by_finding={name: opened[name] for name in ANSWERS},
        uncertain=opened[Outcome.UNCERTAIN],
        not_brain_mri=opened[Outcome.NOT_BRAIN_MRI],
        withheld=opened[scan_index.WITHHELD],
        waiting=every[WAITING],
        failed=every[Analysis.State.FAILED] + every[Analysis.State.CANCELLED],
        per_day=uploads_per_day(scope, days=DASHBOARD_DAYS),
    )
