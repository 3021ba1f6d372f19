"""Template tags and filters of the pages."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from django import template
from django.conf import settings
from django.db import DatabaseError
from django.forms import BaseForm, BoundField
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from classifier import explanation, wording
from classifier.assistant.markup import to_html
from classifier.findings import FINDING_LABELS, OUTCOME_LABELS
from classifier.links import url_of
from classifier.models import Analysis, Scan, User
from classifier.selectors import notification as selectors
from classifier.selectors.installation import sends_email
from classifier.web import cards
from classifier.web.forms import style

register = template.Library()

# Labels of fields in allauth's forms.
LABELS = {
    "Username": "User name",
    "Email": "E-mail address",
    "Password (again)": "Confirm password",
    "New Password": "New password",
    "New Password (again)": "Confirm new password",
    "Current Password": "Current password",
}

register.filter("probability", wording.probability)
register.filter("sentence", wording.sentence)
register.filter("short_sentence", wording.short_sentence)
register.filter("mark_of", wording.mark)
register.filter("withheld", wording.withheld)
register.filter("duration", wording.duration)
register.filter("choice", wording.choice)
register.filter("reason", explanation.reason)
register.filter("remaining_reasons", explanation.remaining_reasons)
register.filter("markdown", to_html)
register.filter("newest_measurement", cards.newest_measurement)
register.filter("finding_rows", cards.finding_rows)
register.filter("hospital_figures", cards.hospital_figures)
register.filter("reliability_chart", cards.reliability_chart)


register.simple_tag(sends_email, name="sends_email")


@register.filter
def true_minus(text: str) -> str:
    """Return a number with a minus sign: a hyphen is shorter, and lines break at it."""
    return str(text).replace("-", "−")


@register.filter
def unbroken(text: str) -> SafeString:
    """Return a figure whose interval stays in one line: "94.1% (88.0–97.6)"."""
    figure, opening, interval = str(text).partition(" (")
    if not opening:
        return format_html('<span class="nowrap">{}</span>', figure)
    return format_html('{} <span class="nowrap">({}</span>', figure, interval)


@register.filter
def finding_label(finding: str) -> str:
    """Return the display name of a finding."""
    return FINDING_LABELS.get(finding, finding)


@register.filter
def answer_label(answer: str) -> str:
    """Return the display name of what a model said: a finding, or an outcome without one."""
    return FINDING_LABELS.get(answer) or OUTCOME_LABELS.get(answer, answer)


@register.simple_tag
@lru_cache(maxsize=256)
def mark(name: str) -> SafeString:
    """Draw the colored mark of a finding, outcome, or state, hidden from screen readers."""
    return format_html(
        '<svg class="sign sign-{0}" aria-hidden="true"><use href="{1}#{0}"></use></svg>', name, static("img/marks.svg")
    )


@register.simple_tag
def unread_notifications(user: User) -> int:
    """Return the number of unread notifications; 0 while the database does not answer, for error pages."""
    try:
        return selectors.unread_notifications(user)
    except DatabaseError:
        return 0


@register.simple_tag
@lru_cache(maxsize=256)
def icon(name: str) -> SafeString:
    """Draw one of the vendored icons, hidden from screen readers."""
    sprite = static("vendor/bootstrap-icons/sprite.svg")
    return format_html('<svg class="icon" aria-hidden="true"><use href="{}#{}"></use></svg>', sprite, name)


@register.filter
def thumbnail_url(scan: Scan) -> str:
    """Return the URL of the thumbnail of a scan."""
    return url_of("web:scan_thumbnail", scan.pk)


@register.filter
def saliency_query(analysis: Analysis) -> str:
    """Return the query that names one analysis's saliency map, so that a browser never shows another from its cache."""
    return urlencode({"finding": analysis.saliency_finding, "analysis": analysis.pk})


@register.simple_tag(takes_context=True)
def current_page(context: dict[str, Any], *names: str) -> SafeString | str:
    """Return `aria-current="page"` when the page's URL name is one of `names`."""
    match = getattr(context.get("request"), "resolver_match", None)
    return SafeString('aria-current="page"') if match is not None and match.view_name in names else ""


@register.filter
def styled(field: BoundField, label: str = "") -> BoundField:
    """Style a field of an allauth form like our own: no placeholder, and `label` or our standard label."""
    field.label = label or LABELS.get(str(field.label), field.label)
    style(field.field)
    field.field.widget.attrs.pop("placeholder", None)
    return field


@register.filter
def without_help(field: BoundField) -> BoundField:
    """Leave out the help of a field, so that nothing refers to it either."""
    field.help_text = ""
    return field


@register.simple_tag
def autofocus(form: BaseForm) -> str:
    """Put the cursor into the first invalid field of a form, else into its first field."""
    fields = form.visible_fields()
    first = next((field for field in fields if field.errors), fields[0] if fields else None)
    if first is not None:
        first.field.widget.attrs["autofocus"] = True
    return ""


@register.simple_block_tag
def figures_table(content: SafeString, *headings: str, labeled: Sequence[str] = ()) -> SafeString:
    """Draw a table of figures around its rows. The columns after the first are aligned right.

    Args:
        content: The rows.
        headings: The headings of the first columns.
        labeled: Those of the others if their cells repeat them as `data-label`: then a phone shows a cell on a line.
    """
    context = {"headings": (*headings, *labeled), "rows": content, "stacks": bool(labeled)}
    return render_to_string("web/_figures_table.html", context)


@register.filter
def beside(cells: Sequence[Any], headings: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Return each cell of a row with the heading of its column, which a phone shows beside it."""
    return list(zip(cells, headings, strict=True))


@register.simple_tag
def headings(*names: str) -> tuple[str, ...]:
    """Return the headings of a table's columns, for `beside`."""
    return names


@register.inclusion_tag("web/_first_steps.html", takes_context=True)
def first_steps(context: dict[str, Any]) -> dict[str, Any]:
    """Show the first account of an installation what to do, until there is another account."""
    user = context["user"]
    shown = bool(user.founder) and not User.objects.exclude(pk=user.pk).exists()
    sign_up_url = context["request"].build_absolute_uri(reverse("account_signup")) if shown else ""
    return {"shown": shown, "user": user, "sign_up_url": sign_up_url, "sign_up_open": bool(settings.SIGN_UP)}


@register.simple_tag
def sign_up_open() -> bool:
    """Return whether people may create their own accounts."""
    return bool(settings.SIGN_UP)
