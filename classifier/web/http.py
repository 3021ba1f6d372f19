"""Helpers of the views: the signed-in user, and 404 for anything that the user cannot view."""

from uuid import UUID

from django.http import Http404, HttpRequest

from classifier.models import Analysis, Scan, Team, User
from classifier.selectors.analysis import get_analysis
from classifier.selectors.scan import get_scan
from classifier.selectors.team import get_team


class SignedInRequest(HttpRequest):
    """A request by a signed-in user. All views require one unless marked otherwise."""

    user: User  # type: ignore[assignment]


def scan_or_404(request: SignedInRequest, scan_id: UUID) -> Scan:
    """Return a scan that the user may see; raise 404 for any other."""
    try:
        return get_scan(request.user, scan_id)
    except Scan.DoesNotExist as error:
        raise Http404("There is no such scan.") from error


def analysis_or_404(request: SignedInRequest, analysis_id: UUID) -> Analysis:
    """Return an analysis of a scan that the user may see; raise 404 for any other."""
    try:
        return get_analysis(request.user, analysis_id)
    except Analysis.DoesNotExist as error:
        raise Http404("There is no such analysis.") from error


def team_or_404(request: SignedInRequest, team_id: int) -> Team:
    """Return one of the user's teams; raise 404 for any other."""
    try:
        return get_team(request.user, team_id)
    except Team.DoesNotExist as error:
        raise Http404("There is no such team.") from error
