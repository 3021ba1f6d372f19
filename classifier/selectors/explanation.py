"""Reads of explanations, scoped to the user, and of the providers that people may choose."""

import time
from uuid import UUID

from django.db.models import QuerySet

from classifier.models import AssistantProvider, Explanation, Scan, User
from classifier.queue.waiting import explanation_waiter
from classifier.selectors.review import statements_of
from classifier.selectors.scan import open_scans

AWAKE_SECONDS = 0.1
"""Pause of a request that waits for the end and was woken by a piece. Requests that wait for the same text keep its
wake-up alive for each other, so without a pause they would spin."""


def explanations_of(user: User, scan: Scan) -> QuerySet[Explanation]:
    """Return the explanations of a visible scan, newest first; none while its result is closed to `user`."""
    visible = open_scans(user).order_by().filter(pk=scan.pk).values("pk")
    return Explanation.objects.filter(scan__in=visible).select_related("requested_by", "picture_check")


def get_explanation(user: User, scan: Scan, explanation_id: UUID) -> Explanation:
    """Return an explanation of a visible scan. Raise `Explanation.DoesNotExist` for any other."""
    return explanations_of(user, scan).get(pk=explanation_id)


def wait_until_explained(explanation: Explanation, *, seconds: float) -> Explanation:
    """Return the explanation as soon as it is finished, or in its current state after `seconds`.

    Raises:
        Explanation.DoesNotExist: If it is deleted in the meantime.
    """
    deadline = time.monotonic() + seconds
    while not explanation.is_finished and (left := deadline - time.monotonic()) > 0:
        explanation_waiter.wait(explanation.pk, seconds=left)
        explanation.refresh_from_db()
        if not explanation.is_finished:
            time.sleep(AWAKE_SECONDS)
    return explanation


def enabled_providers() -> QuerySet[AssistantProvider]:
    """Return the providers that staff have enabled, by name."""
    return AssistantProvider.objects.filter(enabled=True)


def all_providers() -> QuerySet[AssistantProvider]:
    """Return every provider, by name, for the page of staff."""
    return AssistantProvider.objects.all()


def review_fields(user: User, scan: Scan) -> list[dict[str, str]]:
    """Return the reviews of the current analysis that may be sent to a provider: without names, times, and comments."""
    return [
        {"verdict": review.verdict, "finding": review.finding, "certainty": review.certainty}
        for review in statements_of(user, scan).reviews
        if review.analysis_id == scan.current_analysis_id
    ]
