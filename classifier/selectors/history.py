"""Reads for the history page and its dashboard, scoped to the user."""

from dataclasses import dataclass
from datetime import date, timedelta

import django_filters
from django.db.models import Count, Q, QuerySet
from django.db.models.functions import TruncDate
from django.utils import timezone

from classifier.findings import ANSWERS, Outcome
from classifier.models import Analysis, Scan, Team, User
from classifier.models.review import READING_CHOICES
from classifier.models.sealing import OPEN
from classifier.selectors.scan import visible_scans
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
    uploaded_after = django_filters.DateFilter(field_name="created_at", lookup_expr="date__gte", label="From")
    uploaded_before = django_filters.DateFilter(field_name="created_at", lookup_expr="date__lte", label="To")
    team = django_filters.ModelChoiceFilter(queryset=_teams_of_request, label="Team")
    mine = django_filters.BooleanFilter(method="filter_mine", label="Only mine")
    # Each word is searched for in five columns; the limit keeps the query within what the databases accept.
    text = django_filters.CharFilter(method="filter_text", label="Search", max_length=200)

    class Meta:
        model = Scan
        fields = ()

    # A filter on a result that is closed to the person would reveal it.
    def filter_finding(self, queryset: QuerySet[Scan], name: str, value: str) -> QuerySet[Scan]:
        """Keep scans of which the analysis, a review, or a confirmed diagnosis says so."""
        said = Q(current_analysis__finding=value) | Q(reviewed_finding=value)
        return queryset.filter(OPEN, said)

    def filter_outcome(self, queryset: QuerySet[Scan], name: str, value: str) -> QuerySet[Scan]:
        """Keep scans with this outcome."""
        return queryset.filter(OPEN, current_analysis__outcome=value)

    def filter_mine(self, queryset: QuerySet[Scan], name: str, value: bool) -> QuerySet[Scan]:
        """Keep only the user's own uploads."""
        return queryset.filter(owner=self.request.user) if value else queryset

    def filter_text(self, queryset: QuerySet[Scan], name: str, value: str) -> QuerySet[Scan]:
        """Keep scans whose patient reference, notes or owner contain every word."""
        for word in value.split():
            queryset = queryset.filter(
                Q(patient_reference__icontains=word)
                | Q(notes__icontains=word)
                | Q(owner__username__icontains=word)
                | Q(owner__first_name__icontains=word)
                | Q(owner__last_name__icontains=word)
            )
        return queryset


@dataclass(frozen=True, slots=True)
class Dashboard:
    """The figures above the history table.

    Attributes:
        total: visible scans.
        unread: scans whose result is closed until the person has recorded an impression.
        by_finding: classified scans a finding, in the order of `ANSWERS`.
        uncertain: scans whose outcome is `uncertain`.
        not_brain_mri: scans refused as no brain MR image.
        waiting: scans queued or running.
        failed: scans whose current analysis failed or was canceled.
        per_day: uploads a day, oldest first, one entry for each of the last 30 days.
    """

    total: int
    unread: int
    by_finding: dict[str, int]
    uncertain: int
    not_brain_mri: int
    waiting: int
    failed: int
    per_day: list[tuple[date, int]]


def dashboard(user: User) -> Dashboard:
    """Count what `user` may see, in two queries."""
    scans = visible_scans(user).order_by()
    counts = scans.aggregate(
        total=Count("pk"),
        unread=Count("pk", filter=~OPEN & Q(current_analysis__state=Analysis.State.SUCCEEDED)),
        uncertain=Count("pk", filter=OPEN & Q(current_analysis__outcome=Outcome.UNCERTAIN)),
        not_brain_mri=Count("pk", filter=OPEN & Q(current_analysis__outcome=Outcome.NOT_BRAIN_MRI)),
        waiting=Count("pk", filter=Q(current_analysis__state__in=Analysis.ACTIVE)),
        failed=Count(
            "pk",
            filter=Q(current_analysis__state__in=(Analysis.State.FAILED, Analysis.State.CANCELLED)),
        ),
        **{name: Count("pk", filter=OPEN & Q(current_analysis__finding=name)) for name in ANSWERS},
    )
    by_finding = {name: counts.pop(name) for name in ANSWERS}
    return Dashboard(by_finding=by_finding, per_day=_per_day(scans), **counts)


def _per_day(scans: QuerySet[Scan]) -> list[tuple[date, int]]:
    today = timezone.localdate()
    first = today - timedelta(days=DASHBOARD_DAYS - 1)
    rows = (
        scans.filter(created_at__date__gte=first)
        .annotate(day=TruncDate("created_at"))
        .values("day")
        .annotate(uploads=Count("pk"))
        .values_list("day", "uploads")
    )
    uploads = dict(rows)
    days = (first + timedelta(days=offset) for offset in range(DASHBOARD_DAYS))
    return [(day, uploads.get(day, 0)) for day in days]
