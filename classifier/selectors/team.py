"""Reads of teams, scoped to a person."""

from django.db.models import Count, QuerySet

from classifier.models import Team, User


def teams_of(user: User) -> QuerySet[Team]:
    """The teams `user` belongs to, with `member_count`."""
    return Team.objects.filter(pk__in=user.memberships.values("team")).annotate(member_count=Count("memberships"))


def get_team(user: User, team_id: int) -> Team:
    """One of the user's teams. Raises `Team.DoesNotExist` for any other."""
    return teams_of(user).prefetch_related("memberships__user").get(pk=team_id)
