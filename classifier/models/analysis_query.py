"""Querysets and managers of analyses."""

from typing import TYPE_CHECKING, Self

from django.db import models

from classifier.models.sealing import SealingQuerySet

if TYPE_CHECKING:
    from classifier.models.analysis import Analysis  # noqa: F401 - named in annotations


class AnalysisQuerySet(SealingQuerySet["Analysis"]):
    """Analyses."""

    scan_path = "scan__"

    def active(self) -> Self:
        """Return queued and running analyses, through partial indexes that hold only these.

        The states are literals, not parameters: SQLite uses a partial index only if the statement itself shows that no
        other row is needed. With parameters it would scan the whole table.
        """
        states = ", ".join(f"'{state}'" for state in self.model.ACTIVE)
        return self.filter(
            models.Func("state", template=f"%(expressions)s IN ({states})", output_field=models.BooleanField())
        )


AnalysisManager = models.Manager.from_queryset(AnalysisQuerySet)


class OpenAnalyses(AnalysisManager["Analysis"]):
    """The analyses that people may see: those of every read that does not ask for more. None is in shadow mode."""

    def get_queryset(self) -> AnalysisQuerySet:
        """Leave out shadow analyses."""
        return AnalysisQuerySet(self.model, using=self._db).filter(commissioning__isnull=True)
