"""Providers of language models, as staff configure them."""

from typing import ClassVar

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q

from classifier.models import lengths


class AssistantProvider(models.Model):
    """A language model that people may choose for explanations, once staff have enabled it.

    The key is stored encrypted (`classifier.services.secrets`) and never shown. A connection test is a job of the
    worker: `test_state` goes from `waiting` to `running` and then to `succeeded` or `failed`.
    """

    class Kind(models.TextChoices):
        """The interface that the provider speaks."""

        GOOGLE = "google", "Google Gemini"
        OPENAI = "openai", "OpenAI"
        ANTHROPIC = "anthropic", "Anthropic"
        COMPATIBLE = "compatible", "OpenAI-compatible server (Ollama, vLLM, llama-server)"

    class Test(models.TextChoices):
        """State of the connection test."""

        NONE = "", "Not tested"
        WAITING = "waiting", "Waiting for a worker"
        RUNNING = "running", "Testing"
        SUCCEEDED = "succeeded", "Connected"
        FAILED = "failed", "Failed"

    TESTING: ClassVar[tuple[str, ...]] = (Test.WAITING, Test.RUNNING)
    NAME: ClassVar[str] = rf"^[a-z0-9][a-z0-9-]{{0,{lengths.PROVIDER_NAME - 1}}}$"

    name = models.CharField(
        max_length=lengths.PROVIDER_NAME,
        unique=True,
        validators=[RegexValidator(NAME, "Use lower-case letters, digits, and hyphens.")],
        help_text="Name for people and programs.",
    )
    kind = models.CharField(max_length=16, choices=Kind)
    model = models.CharField(
        max_length=lengths.LANGUAGE_MODEL, help_text="Name of the model, as the provider spells it."
    )
    url = models.URLField(max_length=300, blank=True, help_text="Base URL. Empty: the provider's own.")
    key = models.TextField(blank=True, editable=False, help_text="API key, encrypted.")
    from_environment = models.BooleanField(default=False, editable=False)
    enabled = models.BooleanField(default=False)
    image_allowed = models.BooleanField(default=False)
    picture_check = models.BooleanField(
        default=True, help_text="Whether statements about the picture are checked, with two more requests."
    )
    requests_per_hour = models.PositiveIntegerField(
        default=20, validators=[MinValueValidator(1), MaxValueValidator(1000)], help_text="For each person."
    )
    max_tokens = models.PositiveIntegerField(
        default=1500, validators=[MinValueValidator(200), MaxValueValidator(16000)], help_text="Length of an answer."
    )
    timeout_seconds = models.PositiveIntegerField(
        default=60, validators=[MinValueValidator(5), MaxValueValidator(300)], help_text="Time for an answer."
    )
    test_state = models.CharField(max_length=10, choices=Test, blank=True, editable=False)
    test_message = models.CharField(max_length=lengths.SENTENCE, blank=True, editable=False)
    tested_at = models.DateTimeField(null=True, editable=False)
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, editable=False, related_name="+"
    )
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("name",)
        constraints = (
            models.CheckConstraint(name="assistant_provider_not_builtin", condition=~Q(name="built-in")),
            models.UniqueConstraint(
                fields=("from_environment",),
                condition=Q(from_environment=True),
                name="assistant_provider_environment_once",
            ),
        )

    def __str__(self) -> str:
        return self.name
