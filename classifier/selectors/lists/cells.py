"""The cells whose scans a list shows."""

from collections.abc import Sequence
from dataclasses import replace

from classifier.selectors.lists.criteria import Criteria
from classifier.selectors.lists.scope import Cell, Scope


def time_cells(scope: Scope, criteria: Criteria) -> list[Cell]:
    """Return cells whose scans, together, are all that are visible; some scans are in two of them."""
    if criteria.team is not None:
        return [Cell(owner=scope.user.pk if criteria.mine else None, team=criteria.team)]
    own = Cell(owner=scope.user.pk, any_team=True)
    return [own] if criteria.mine else [own, *(scope.team_cell(team) for team in scope.teams.values())]


def facet_cells(scope: Scope, criteria: Criteria, *, owners: Sequence[int] | None = None) -> list[Cell]:
    """Return disjoint cells of what is visible, or of what is visible of the scans of some owners."""
    if criteria.team is not None:
        cell = scope.team_cell(scope.teams[criteria.team])
        wanted = [replace(cell, owner=scope.user.pk) if criteria.mine else cell]
    else:
        wanted = scope.own_cells() if criteria.mine else scope.cells()
    if owners is None:
        return wanted
    cells = []
    for owner in owners:
        if owner == scope.user.pk and criteria.team is None:
            cells += scope.own_cells()
        elif owner == scope.user.pk or not criteria.mine:
            cells += [replace(cell, owner=owner) for cell in wanted if cell.team in scope.teams]
    return cells
