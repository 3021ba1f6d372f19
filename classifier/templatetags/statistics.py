"""Template filters that print the figures of `classifier.reading_agreement`."""

from django import template

from classifier import wording
from classifier.reading_agreement import Kappa, Share
from classifier.web.views.statistics import month_label

register = template.Library()

register.filter("month", month_label)


@register.filter
def share(value: Share) -> str:
    """Return a share as "82%"; "none" without cases."""
    return "none" if value.value is None else wording.percent(value.value)


@register.filter
def interval(value: Share | Kappa | None) -> str:
    """Return the interval of a share as "67–91", or that of kappa as "−0.20 to 0.49"; "" if there is none."""
    if value is None or value.low is None or value.high is None:
        return ""
    if isinstance(value, Kappa):
        return wording.signed_interval(_signed(value.low), _signed(value.high))
    return wording.interval(value.low, value.high)


@register.filter
def kappa(value: Kappa | None) -> str:
    """Return kappa as "0.34"; "not defined" if it is not."""
    return "not defined" if value is None else _signed(value.value)


def _signed(value: float) -> str:
    text = f"{value:.2f}"
    return text.replace("-", "\N{MINUS SIGN}") if float(text) else "0.00"
