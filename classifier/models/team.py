"""Teams: people who see each other's scans."""

from django.conf import settings
from django.db import models
from django.urls import reverse

from classifier.models import lengths


class Team(models.Model):
    """A group of people. All members can view the team's scans."""

    name = models.CharField(max_length=lengths.GIVEN_NAME)
    members = models.ManyToManyField(settings.AUTH_USER_MODEL, through="Membership", related_name="teams")
    sealed_reading_since = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text="Scans uploaded from then on stay closed to each member until they have recorded an impression.",
    )
    keep_file_names = models.BooleanField(default=False, help_text="Store the names of uploaded files.")
    default_model = models.CharField(
        max_length=lengths.MODEL_NAME,
        blank=True,
        help_text="Name of the model for scans of this team. Empty: the default of the installation.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name", "pk")

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Return the URL of the team's page."""
        return reverse("web:team", args=[self.pk])


class Membership(models.Model):
    """Membership of one user in one team."""

    class Role(models.TextChoices):
        """Role in the team. Owners rename it and manage its members."""

        OWNER = "owner", "Owner"
        MEMBER = "member", "Member"

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role, default=Role.MEMBER)
    joined_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("joined_at", "pk")
        constraints = (models.UniqueConstraint(fields=("team", "user"), name="membership_once"),)

    def __str__(self) -> str:
        return f"{self.user} in {self.team}"
