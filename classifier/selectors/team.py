"""Reads of teams, scoped to the user."""

from django.db.models import Count, QuerySet

from classifier.models import Team, User


def teams_of(user: User) -> QuerySet[Team]:
    """Return the teams of `user`."""
    return Team.objects.filter(pk__in=user.memberships.values("team"))


def teams_with_counts(user: User) -> QuerySet[Team]:
    """Return the teams of `user`, each with `member_count`."""
    return teams_of(user).annotate(member_count=Count("memberships"))


def get_team(user: User, team_id: int) -> Team:
    """Return one of the user's teams. Raise `Team.DoesNotExist` for any other."""
    return teams_of(user).prefetch_related("memberships__user").get(pk=team_id)
