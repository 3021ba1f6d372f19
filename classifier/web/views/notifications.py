"""Notifications of the user."""

from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from classifier.notification_text import text
from classifier.selectors.notification import links_of, notifications_of, unread_notifications
from classifier.services.notification import KEPT, mark_all_read, mark_read
from classifier.web.http import SignedInRequest
from classifier.web.pagination import TEXT_PAGE_LENGTH, numbered_page


@require_safe
def notifications(request: SignedInRequest) -> HttpResponse:
    """List the notifications, newest first."""
    page = numbered_page(notifications_of(request.user), request, length=TEXT_PAGE_LENGTH)
    rows = list(page.object_list)
    links = links_of(request.user, rows)
    shown = [{"row": row, "text": text(row), "has_link": bool(links[row.pk])} for row in rows]
    return render(request, "web/notifications.html", {"page": page, "rows": shown, "kept_days": KEPT.days})


@require_safe
def notification_count(request: SignedInRequest) -> JsonResponse:
    """Return the number of unread notifications, for pages that are open."""
    return JsonResponse({"unread": unread_notifications(request.user)})


@require_POST
def notification_open(request: SignedInRequest, notification_id: int) -> HttpResponse:
    """Mark a notification as read and go to what it is about."""
    row = notifications_of(request.user).filter(pk=notification_id).first()
    if row is None or not mark_read(request.user, notification_id):
        raise Http404("There is no such notification.")
    return redirect(links_of(request.user, [row])[row.pk] or "web:notifications")


@require_POST
def notifications_read(request: SignedInRequest) -> HttpResponse:
    """Mark all notifications as read."""
    mark_all_read(request.user)
    return redirect("web:notifications")
