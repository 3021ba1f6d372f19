"""The product's one Django application."""

from django.apps import AppConfig


class ClassifierConfig(AppConfig):
    """Scans, analyses and the people who look at them."""

    name = "classifier"
    verbose_name = "BrainScan"
