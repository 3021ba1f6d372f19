"""Permissions on scans, shared by services, pages and the API.

A scan that a user cannot view does not exist for them: `classifier.selectors.scan.visible_scans` is `can_view` as a
query, so pages and the API answer 404. Changing a scan that the user can only view is answered with 403.
"""

from classifier.models import Scan, User

CHANGE_REFUSED = "You don't have permission to change this scan."


def can_view(user: User, scan: Scan) -> bool:
    """Return True for the owner and, if the scan belongs to a team, for its members."""
    if scan.owner_id == user.pk:
        return True
    return scan.team_id is not None and user.memberships.filter(team=scan.team_id).exists()


def can_change(user: User, scan: Scan) -> bool:
    """Return True for the owner: only they describe, move or delete a scan."""
    return scan.owner_id == user.pk


def can_review(user: User, scan: Scan) -> bool:
    """Return True for everyone who can view the scan: a second opinion is what a team is for."""
    return can_view(user, scan)
