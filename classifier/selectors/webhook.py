"""Reads of webhooks, scoped to their owner."""

from uuid import UUID

from django.db.models import Count, Q, QuerySet

from classifier.models import User, Webhook, WebhookDelivery
from classifier.selectors.lists.sql import Values, fetch


def webhooks_of(user: User) -> QuerySet[Webhook]:
    """Return the webhooks of `user`, newest first, each with its number of failed messages."""
    failed = Count("deliveries", filter=Q(deliveries__given_up_at__isnull=False))
    return Webhook.objects.filter(owner=user).annotate(failed_deliveries=failed)


def get_webhook(user: User, webhook_id: UUID) -> Webhook:
    """Return one of the user's webhooks. Raise `Webhook.DoesNotExist` for any other."""
    return webhooks_of(user).get(pk=webhook_id)


def deliveries_of(webhook: Webhook) -> QuerySet[WebhookDelivery]:
    """Return the messages to a webhook, newest first."""
    return webhook.deliveries.all()


def failing_webhooks(user: User) -> list[Webhook]:
    """Return the webhooks of `user` that were switched off after failures, or have failed messages."""
    troubled = Q(is_active=False, failing_since__isnull=False) | Q(failed_deliveries__gt=0)
    return list(webhooks_of(user).filter(troubled))


def failing_webhook_count(user: User) -> int:
    """Return the number of webhooks that `failing_webhooks` returns."""
    values = Values()
    sql = (
        "SELECT count(*) FROM classifier_webhook w WHERE ((NOT w.is_active AND w.failing_since IS NOT NULL) OR EXISTS "
        "(SELECT 1 FROM classifier_webhookdelivery d WHERE d.webhook_id = w.id AND d.given_up_at IS NOT NULL)) "
        f"AND w.owner_id = {values.add(user.pk)}"
    )
    return int(fetch(sql, values)[0][0])
