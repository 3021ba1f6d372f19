"""Class activation maps of analyses."""

from django.db import models

from classifier.models.analysis import Analysis


class ClassMaps(models.Model):
    """The class activation maps of a succeeded analysis: float16, `(rows, columns, 4)`, C order.

    They have their own table, so that lists of analyses never read them.
    """

    analysis = models.OneToOneField(Analysis, on_delete=models.CASCADE, related_name="class_maps", primary_key=True)
    rows = models.PositiveSmallIntegerField()
    columns = models.PositiveSmallIntegerField()
    data = models.BinaryField()

    class Meta:
        verbose_name_plural = "class maps"

    def __str__(self) -> str:
        return f"Class maps of {self.analysis_id}"
