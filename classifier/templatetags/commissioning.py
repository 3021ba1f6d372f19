"""Template filters of the pages of a commissioning."""

from django import template

register = template.Library()


@register.filter
def share(value: float) -> str:
    """Return a share as people set it: 0.95 is "95%", 0.025 is "2.5%"."""
    return f"{round(100 * value, 2):g}%"
