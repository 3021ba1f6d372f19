"""Who may view, change and review a scan, in agreement with what the selectors show."""

import pytest

from classifier.permissions import can_change, can_review, can_view
from classifier.selectors.scan import visible_scans

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("person", "views_own", "views_team", "changes"),
    [
        ("owner", True, True, True),
        ("teammate", False, True, False),
        ("outsider", False, False, False),
        ("staff", False, False, False),
    ],
)
def test_permissions(request, scan, team_scan, person, views_own, views_team, changes):
    user = request.getfixturevalue(person)
    assert (can_view(user, scan), can_view(user, team_scan)) == (views_own, views_team)
    assert (can_change(user, scan), can_change(user, team_scan)) == (changes, changes)
    assert (can_review(user, scan), can_review(user, team_scan)) == (views_own, views_team)


@pytest.mark.parametrize("person", ["owner", "teammate", "outsider", "staff"])
def test_a_selector_shows_what_can_be_viewed_and_nothing_else(request, scan, team_scan, person):
    user = request.getfixturevalue(person)
    assert set(visible_scans(user)) == {each for each in (scan, team_scan) if can_view(user, each)}
