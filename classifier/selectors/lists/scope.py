"""The scans that a person may see, as keys of the indexes, with the time from which results are sealed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from classifier.models import Team, User
from classifier.selectors.lists.sql import Values, fetch

FEW_CELLS = 8
"""The databases plan more selections slowly, and SQLite takes a limited number."""


@dataclass(frozen=True, slots=True)
class Cell:
    """Scans that share their owner, their team, or both.

    Attributes:
        owner: key of the owner; None for any.
        team: key of the team; None for scans without a team.
        any_team: whether the team does not matter; then `team` is None.
        sealed_since: scans uploaded from then on are sealed until the reader has recorded an impression.
    """

    owner: int | None = None
    team: int | None = None
    any_team: bool = False
    sealed_since: datetime | None = None


@dataclass(frozen=True)
class Scope:
    """What a person may see, read once for a page with several lists and figures.

    Attributes:
        user: the person.
        teams: the person's teams by key, in the order of their names.
    """

    user: User
    teams: dict[int, Team]

    @property
    def sealed_since(self) -> datetime | None:
        """The time from which results are sealed for the person."""
        return self.user.sealed_reading_since

    def team_cell(self, team: Team) -> Cell:
        """Return the cell of a team's scans."""
        return Cell(team=team.pk, sealed_since=earliest(self.sealed_since, team.sealed_reading_since))

    @cached_property
    def _facets(self) -> dict[tuple[Cell, ...], dict[Cell, dict[str, int]]]:
        return {}

    def facets(self, cells: Iterable[Cell], *, months: tuple[str, str] = ("", "")) -> dict[Cell, dict[str, int]]:
        """Return what `facets_of` returns; of all months, it is read once for a page."""
        if months != ("", ""):
            return facets_of(cells, months=months)
        key = tuple(cells)
        if key not in self._facets:
            self._facets[key] = facets_of(key)
        return self._facets[key]

    @cached_property
    def own_teams(self) -> list[Team]:
        """The teams of the person's own scans, those that the person has left included, in one query."""
        sql = (
            "SELECT id, sealed_reading_since FROM classifier_team WHERE id IN "
            "(SELECT team_number FROM classifier_scancount WHERE owner_number = %s AND team_number <> 0)"
        )
        return list(Team.objects.raw(sql, [self.user.pk]))

    def cells(self) -> list[Cell]:
        """Return disjoint cells that together hold every visible scan."""
        left = [team for team in self.own_teams if team.pk not in self.teams]
        return [*(self.team_cell(team) for team in self.teams.values()), *self._own_cells(left)]

    def own_cells(self) -> list[Cell]:
        """Return disjoint cells of the person's own scans: those without a team, and those of each team."""
        return self._own_cells(self.own_teams)

    def _own_cells(self, teams: Iterable[Team]) -> list[Cell]:
        return [
            Cell(owner=self.user.pk, sealed_since=self.sealed_since),
            *(
                Cell(
                    owner=self.user.pk,
                    team=team.pk,
                    sealed_since=earliest(self.sealed_since, team.sealed_reading_since),
                )
                for team in teams
            ),
        ]


def scope_of(user: User) -> Scope:
    """Return what `user` may see, in one query."""
    return Scope(user, {team.pk: team for team in Team.objects.filter(memberships__user=user)})


def facets_of(
    cells: Iterable[Cell], *, months: tuple[str, str] = ("", ""), before: Mapping[Cell, str] | None = None
) -> dict[Cell, dict[str, int]]:
    """Return the facets of each cell with the number of scans, in one query; those without scans are left out.

    Args:
        cells: cells with a team, an owner, or both.
        months: first and last month of the upload, as 2026-01; "" for any.
        before: the month of each cell before which the upload lies.
    """
    by_key = {(cell.owner or 0, cell.team or 0): cell for cell in cells}
    values, parts = Values(), []
    for (owner, team), cell in by_key.items():
        part = f"team_number = {values.add(team)} AND owner_number = {values.add(owner)}"
        if before:
            part += f" AND month < {values.add(before[cell])}"
        if months[0]:
            part += f" AND month >= {values.add(months[0])}"
        if months[1]:
            part += f" AND month <= {values.add(months[1])}"
        parts.append(part)
    if not parts:
        return {}
    if len(parts) > FEW_CELLS:
        parts = [" OR ".join(f"({part})" for part in parts)]
    # Each by itself, PostgreSQL reads the index alone.
    keys = "owner_number, team_number, facet"
    counts = f"SELECT {keys}, sum(number) FROM classifier_scancount"
    selections = [f"{counts} WHERE {part} GROUP BY {keys} HAVING sum(number) > 0" for part in parts]
    rows = fetch(" UNION ALL ".join(selections), values)
    found: dict[Cell, dict[str, int]] = {cell: {} for cell in by_key.values()}
    for owner, team, facet, number in rows:
        found[by_key[owner, team]][facet] = int(number)
    return found


def earliest(*times: datetime | None) -> datetime | None:
    """Return the earliest of the times that are given."""
    return min((time for time in times if time is not None), default=None)


def latest(*times: datetime | None) -> datetime | None:
    """Return the latest of the times that are given."""
    return max((time for time in times if time is not None), default=None)
