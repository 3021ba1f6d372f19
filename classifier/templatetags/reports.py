"""Template tags and filters of reports."""

from typing import Any

from django import template

from classifier import wording
from classifier.models import Scan, User
from classifier.reports import formatting
from classifier.selectors.report_facts import scan_facts

register = template.Library()
register.filter("moment", formatting.moment)
register.filter("day", formatting.day)
register.filter("percent", wording.percent)


@register.inclusion_tag("reports/_print_facts.html")
def print_facts(scan: Scan, user: User) -> dict[str, Any]:
    """Show, on paper only, the facts that a report has and the page of a scan does not.

    The caller has loaded the scan for `user`, and its result is not sealed.
    """
    return {"facts": scan_facts(user, scan)}
