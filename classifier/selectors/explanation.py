"""Reads of explanations, scoped to the user."""

from django.db.models import QuerySet

from classifier.models import Explanation, Scan, User
from classifier.selectors.scan import open_scans


def explanations_of(user: User, scan: Scan) -> QuerySet[Explanation]:
    """Return the explanations of a visible scan, newest first; none while its result is closed to `user`."""
    visible = open_scans(user).order_by().filter(pk=scan.pk).values("pk")
    return Explanation.objects.filter(scan__in=visible).select_related("requested_by")
