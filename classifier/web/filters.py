"""The filters of the history page: those of the API, plus two that combine several of them in one choice."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import django_filters
from django import forms
from django.db.models import Q, QuerySet

from classifier.findings import ANSWERS, FINDING_LABELS, OUTCOME_LABELS, READINGS, Outcome
from classifier.models import Analysis, Scan, scan_index
from classifier.models.scan_index import SUCCEEDED
from classifier.models.sealing import OPEN, WITHHELD
from classifier.selectors.history import ScanFilter, read_as
from classifier.selectors.lists.criteria import Criteria
from classifier.web.forms import style
from classifier.web.widgets import PlainSelect
from classifier.wording import SEALED

MINE = "mine"
NO_TEAM = 0
REVIEWED = "reviewed-"
"""Before a finding: scans that any reader's newest review says it of, or whose confirmed diagnosis it is."""

RESULTS: dict[str, Q] = {
    **{
        name: OPEN & ~WITHHELD & Q(current_analysis__outcome=Outcome.CLASSIFIED, current_analysis__finding=name)
        for name in ANSWERS
    },
    Outcome.UNCERTAIN: OPEN & ~WITHHELD & Q(current_analysis__outcome=Outcome.UNCERTAIN),
    Outcome.NOT_BRAIN_MRI: OPEN & Q(current_analysis__outcome=Outcome.NOT_BRAIN_MRI),
    scan_index.WITHHELD: OPEN & WITHHELD,
    SEALED: ~OPEN & Q(current_analysis__state=Analysis.State.SUCCEEDED),
    "waiting": Q(current_analysis__state__in=Analysis.ACTIVE),
    "failed": Q(current_analysis__state__in=(Analysis.State.FAILED, Analysis.State.CANCELLED)),
    **{REVIEWED + name: OPEN & read_as(name) for name in READINGS},
}
"""Each choice as a filter. The statistics count those of the network, and each count links to exactly its scans."""

UNREAD_LABEL = "Unread, sealed"

RESULT_CHOICES = [
    (
        "Network",
        [
            *((name, FINDING_LABELS[name].capitalize()) for name in ANSWERS),
            *((name, OUTCOME_LABELS[name]) for name in (Outcome.UNCERTAIN, Outcome.NOT_BRAIN_MRI)),
            (scan_index.WITHHELD, "Check the image first"),
            (SEALED, UNREAD_LABEL),
            ("waiting", "Waiting or running"),
            ("failed", "Failed or canceled"),
        ],
    ),
    ("Review or diagnosis", [(REVIEWED + name, f"Reviewed: {FINDING_LABELS[name]}") for name in READINGS]),
]


class HistoryFilter(ScanFilter):
    """The filters of the history page."""

    result = django_filters.ChoiceFilter(
        choices=RESULT_CHOICES, method="filter_result", label="Result", empty_label="Any result", widget=PlainSelect
    )
    whose = django_filters.ChoiceFilter(
        choices=(), method="filter_whose", label="Owner", empty_label="Anyone", widget=PlainSelect
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        teams = [(str(team.pk), f"Team {team.name}") for team in self.scope.teams.values()]
        self.form.fields["whose"].choices = [("", "Anyone"), (MINE, "Only me"), *teams]
        for name, label in (("uploaded_after", "Uploaded from"), ("uploaded_before", "Uploaded to")):
            self.form.fields[name].label = label
            self.form.fields[name].widget = forms.DateInput(attrs={"type": "date"})
        self.form.fields["text"].widget.attrs |= {"type": "search", "placeholder": "Reference, notes, or person"}
        for field in self.form.fields.values():
            style(field)

    @property
    def has_more(self) -> bool:
        """Whether a filter other than the search is set: phones then show all filters."""
        return any(value for name, value in self.data.items() if name != "text")

    def filter_result(self, queryset: QuerySet[Scan], name: str, value: str) -> QuerySet[Scan]:
        """Keep scans whose current result is this one."""
        return queryset.filter(RESULTS[value])

    def criteria_of(self, values: Mapping[str, Any]) -> Criteria:
        """Return what the list is narrowed to, with the two filters of the page."""
        criteria = super().criteria_of(values)
        result, whose = values.get("result") or "", values.get("whose") or ""
        if result == SEALED:
            criteria = replace(criteria, sealed_only=True, facets=(*criteria.facets, lambda facet: facet.succeeded))
        elif result.startswith(REVIEWED):
            finding = result.removeprefix(REVIEWED)
            criteria = replace(
                criteria, open_only=True, facets=(*criteria.facets, lambda facet: finding in facet.readings)
            )
        elif result:
            names = ("failed", "cancelled") if result == "failed" else (result,)
            criteria = replace(
                criteria,
                open_only=criteria.open_only or result in SUCCEEDED,
                facets=(*criteria.facets, lambda facet: facet.result in names),
            )
        if whose == MINE:
            criteria = replace(criteria, mine=True)
        elif whose:
            team = int(whose)
            # Two different teams: no scan has both.
            criteria = replace(criteria, team=team if criteria.team in (None, team) else NO_TEAM)
        return criteria

    def filter_whose(self, queryset: QuerySet[Scan], name: str, value: str) -> QuerySet[Scan]:
        """Keep the user's own scans, or those of one of their teams."""
        return queryset.filter(owner=self.request.user) if value == MINE else queryset.filter(team=int(value))
