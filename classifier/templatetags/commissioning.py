"""Template filters of the pages of a commissioning."""

from django import template

from classifier.acceptance.limits import VERDICT_LABELS
from classifier.wording import exact_percent

register = template.Library()


@register.filter
def verdict_label(verdict: str) -> str:
    """Return the label of a verdict."""
    return VERDICT_LABELS.get(verdict, verdict)


@register.filter
def share(value: float) -> str:
    """Return a share as people set it: 0.95 is "95%", 0.025 is "2.5%"."""
    return exact_percent(value)
