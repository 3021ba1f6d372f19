"""Reads of webhooks, scoped to their owner."""

from uuid import UUID

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from classifier.models import User, Webhook, WebhookDelivery


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
    failed = Exists(WebhookDelivery.objects.filter(webhook=OuterRef("pk"), given_up_at__isnull=False).order_by())
    troubled = Q(is_active=False, failing_since__isnull=False) | Q(failed)
    return Webhook.objects.filter(troubled, owner=user).count()
