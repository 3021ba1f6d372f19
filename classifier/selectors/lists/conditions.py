"""Conditions on single rows of `classifier_scan s`, for what no index range says."""

from datetime import UTC, datetime

from classifier.selectors.lists.criteria import Criteria, Place
from classifier.selectors.lists.scope import Scope
from classifier.selectors.lists.sql import Values, contains


def visible(scope: Scope, criteria: Criteria, values: Values) -> str:
    """Return the condition that a scan is the person's, or one of their teams', as the criteria ask."""
    parts = []
    if criteria.mine or not (scope.teams or criteria.team is not None):
        parts.append(f"s.owner_id = {values.add(scope.user.pk)}")
    if criteria.team is not None:
        parts.append(f"s.team_id = {values.add(criteria.team)}")
    if not parts:
        own = f"s.owner_id = {values.add(scope.user.pk)}"
        parts.append(f"({own} OR s.team_id IN ({values.all(list(scope.teams))}))")
    return " AND ".join(parts)


def in_range(since: datetime | None, until: datetime | None, place: Place | None, values: Values) -> list[str]:
    """Return the conditions on the time of the upload, one bound at each end: an index range has no more."""
    parts = []
    if place is not None and place.newer and (since is None or place.created_at >= since):
        parts.append(f"s.created_at >= {values.add(place.created_at)}")
        parts.append(f"(s.created_at > {values.add(place.created_at)} OR s.id > {values.add(place.scan_id)})")
    elif since is not None:
        parts.append(f"s.created_at >= {values.add(since)}")
    if place is not None and not place.newer and (until is None or place.created_at < until):
        parts.append(f"s.created_at <= {values.add(place.created_at)}")
        parts.append(f"(s.created_at < {values.add(place.created_at)} OR s.id < {values.add(place.scan_id)})")
    elif until is not None:
        parts.append(f"s.created_at < {values.add(until)}")
    return parts


def months(criteria: Criteria, place: Place | None) -> tuple[str, str]:
    """Return the first and last month, in UTC, in which the scans of a list can have been uploaded; "" for any."""
    low = [criteria.since] if criteria.since else []
    high = [criteria.until] if criteria.until else []
    if place is not None:
        (low if place.newer else high).append(place.created_at)
    return _month(max(low)) if low else "", _month(min(high)) if high else ""


def _month(at: datetime) -> str:
    # Not strftime: it writes years before 1000 with fewer digits.
    return at.astimezone(UTC).isoformat()[:7]


def is_open(scope: Scope, values: Values) -> str:
    """Return the condition that the result of a scan is open to the reader; see `models.sealing.sealed_condition`."""
    read = _read(scope, values)
    by_team = (
        "EXISTS (SELECT 1 FROM classifier_team st WHERE st.id = s.team_id AND st.sealed_reading_since <= s.created_at)"
    )
    own = "" if scope.sealed_since is None else f" OR s.created_at >= {values.add(scope.sealed_since)}"
    return f"({read} OR NOT ({by_team}{own}))"


def in_figures(scope: Scope, values: Values) -> str:
    """Return the condition that figures count a scan: it is visible, and its result open and not withheld."""
    return f"{visible(scope, Criteria(), values)} AND {is_open(scope, values)} AND s.facet NOT LIKE '%%|withheld|%%'"


def is_unread(scope: Scope, values: Values) -> str:
    """Return the condition that there is a result, and that the reader has said nothing about the scan."""
    said = (
        "EXISTS (SELECT 1 FROM classifier_review v WHERE v.scan_id = s.id "
        f"AND v.reviewer_id = {values.add(scope.user.pk)})"
    )
    read = _read(scope, values)
    return f"NOT {said} AND NOT {read} AND {has_state('succeeded', values)}"


def needs_attention(scope: Scope, before: datetime, values: Values) -> str:
    """Return the condition that a scan was not dismissed, and failed, was refused openly, or waited since `before`."""
    dismissed = (
        "EXISTS (SELECT 1 FROM classifier_dismissal d WHERE d.analysis_id = s.current_analysis_id "
        f"AND d.user_id = {values.add(scope.user.pk)})"
    )
    waited = f"a.queued_at < {values.add(before)}"
    refused = f"(a.outcome = 'not_brain_mri' AND {is_open(scope, values)})"
    return (
        f"NOT {dismissed} AND EXISTS (SELECT 1 FROM classifier_analysis a WHERE a.id = s.current_analysis_id "
        f"AND (a.state = 'failed' OR (a.state IN ('queued', 'running') AND {waited}) OR {refused}))"
    )


def _read(scope: Scope, values: Values) -> str:
    return (
        "EXISTS (SELECT 1 FROM classifier_impression i WHERE i.scan_id = s.id "
        f"AND i.reader_id = {values.add(scope.user.pk)})"
    )


def is_among_read(scope: Scope, values: Values) -> str:
    """Return the condition that the reader has recorded an impression, for many scans."""
    read = f"SELECT scan_id FROM classifier_impression WHERE reader_id = {values.add(scope.user.pk)}"
    # PostgreSQL would look up each scan. With IS TRUE it reads what the person has read once.
    return f"(s.id IN ({read})) IS TRUE"


def has_state(state: str, values: Values) -> str:
    """Return the condition on the state of the current analysis."""
    return (
        "EXISTS (SELECT 1 FROM classifier_analysis a WHERE a.id = s.current_analysis_id "
        f"AND a.state = {values.add(state)})"
    )


def has_word(word: str, values: Values) -> str:
    """Return the condition that the reference or the notes contain a word."""
    return f"({contains('s.patient_reference', word, values)} OR {contains('s.notes', word, values)})"
