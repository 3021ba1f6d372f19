"""Template filters that print the figures of `classifier.reading_agreement`."""

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from classifier import wording
from classifier.reading_agreement import Flips, Kappa, Share
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
    if value is None:
        return ""
    low, high = (value.low, value.high) if isinstance(value, Kappa) else value.limits
    if low is None or high is None:
        return ""
    if isinstance(value, Kappa):
        return wording.signed_interval(_signed(low), _signed(high))
    return wording.interval(low, high)


@register.simple_tag
def share_cells(value: Share | None) -> SafeString:
    """Return the cells of a share with its interval. The tables have a row for each month."""
    if value is None:
        return SafeString('<td class="end muted" colspan="2">withheld</td>')
    return format_html(
        '<td class="end">{}</td><td class="end nowrap">{} <span class="small muted cell-words">({})</span></td>',
        value.total,
        share(value),
        interval(value),
    )


@register.simple_tag
def flip_cells(flips: Flips | None) -> SafeString:
    """Return the cells of the counts of flips."""
    if flips is None:
        return SafeString('<td class="end muted" colspan="5">withheld</td>')
    counts = (flips.to_right, flips.to_wrong, flips.stayed_right, flips.stayed_wrong, flips.open)
    return format_html_join("", '<td class="end">{}</td>', ((count,) for count in counts))


@register.filter
def kappa(value: Kappa | None) -> str:
    """Return kappa as "0.34"; "not defined" if it is not."""
    return "not defined" if value is None else _signed(value.value)


def _signed(value: float) -> str:
    text = f"{value:.2f}"
    return text.replace("-", "\N{MINUS SIGN}") if float(text) else "0.00"
