"""Named API tokens."""

from django.db import models
from django.utils import timezone

from classifier.models import lengths


class ApiToken(models.Model):
    """The name and use of an API token. Knox stores the token itself, as a hash, with its owner and expiry."""

    auth_token = models.OneToOneField(
        "knox.AuthToken", on_delete=models.CASCADE, related_name="details", editable=False
    )
    name = models.CharField(max_length=lengths.GIVEN_NAME)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, editable=False, help_text="Within a minute. Empty: never used.")

    class Meta:
        verbose_name = "API token"
        verbose_name_plural = "API tokens"
        ordering = ("-created_at", "-pk")

    def __str__(self) -> str:
        return self.name

    @property
    def has_expired(self) -> bool:
        """Whether requests with the token are refused because of its age."""
        expiry = self.auth_token.expiry
        return expiry is not None and expiry < timezone.now()
