"""Settings that staff make for the whole installation."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from classifier.models import lengths


class Installation(models.Model):
    """The settings of the installation that staff change while it runs: one row, or none before the first change."""

    ONLY: ClassVar[int] = 1

    id = models.PositiveSmallIntegerField(primary_key=True, default=ONLY, editable=False)
    default_model = models.CharField(
        max_length=lengths.MODEL_NAME,
        blank=True,
        help_text="Name of a model. Empty: the one that the setting MODEL names.",
    )
    changed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    changed_at = models.DateTimeField(default=timezone.now)
    model_versions = models.JSONField(
        default=dict, editable=False, help_text="The version of each model that a worker has started with last."
    )

    last_backup = models.JSONField(
        null=True, editable=False, help_text="The newest backup: `at`, `path`, and its numbers; see `manage.py backup`."
    )

    class Meta:
        verbose_name_plural = "installation"
        constraints = (models.CheckConstraint(name="installation_once", condition=Q(id=1)),)

    def __str__(self) -> str:
        return "Installation"
