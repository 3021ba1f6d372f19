"""The page of scans that need attention and, for administrators, the state of the system."""

import shutil
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from classifier.ops.health import check_components
from classifier.queue.state import live_workers
from classifier.selectors.attention import LONG_WAIT, RECENT
from classifier.selectors.attention import attention as find
from classifier.selectors.installation import last_backup
from classifier.selectors.model import default_model
from classifier.selectors.notification import failed_emails
from classifier.services.attention import dismiss, retry
from classifier.services.errors import NotAllowed
from classifier.services.notification_email import PAUSES, dismiss_emails, retry_emails
from classifier.web.http import SignedInRequest

EMAIL_ACTIONS = {"retry_emails": retry_emails, "dismiss_emails": dismiss_emails}


@require_http_methods(["GET", "HEAD", "POST"])
def attention(request: SignedInRequest) -> HttpResponse:
    """List what needs attention; retry or dismiss the checked scans of a POST request."""
    if request.method == "POST":
        _apply(request)
        return redirect("web:attention")
    found = find(request.user)
    minutes = LONG_WAIT // timedelta(minutes=1)
    groups = [
        ("Failed", "The analysis stopped. Retry it, or dismiss it.", found.failed),
        (
            "Not a brain MR image",
            "The image was refused. Check the file; a retry gives the same result.",
            found.refused,
        ),
        (
            f"Waiting for more than {minutes} minutes",
            "They will be analyzed as soon as a worker is available.",
            found.waiting,
        ),
    ]
    context = {
        "groups": groups,
        "recent_days": RECENT.days,
        "waiting_minutes": minutes,
        "scans": found.scans,
        "is_cut": found.is_cut,
        "webhooks": found.webhooks,
        "system": _system() if request.user.is_staff else None,
    }
    return render(request, "web/attention.html", context)


def _apply(request: SignedInRequest) -> None:
    action = request.POST.get("action")
    if action in EMAIL_ACTIONS:
        try:
            number = EMAIL_ACTIONS[action](by=request.user)
        except NotAllowed as error:
            raise PermissionDenied(str(error)) from error
        words = "Will be sent again" if action == "retry_emails" else "Dismissed"
        messages.success(request, f"{words}: {number} e-mail{'' if number == 1 else 's'}.")
        return
    ids = [scan_id for text in request.POST.getlist("scan") if (scan_id := _uuid(text))]
    if not ids:
        messages.warning(request, "Select at least one scan.")
    elif action == "dismiss":
        messages.success(request, f"Dismissed: {dismiss(request.user, ids)}.")
    else:
        queued, skipped = retry(request.user, ids)
        note = f" Skipped: {skipped}; only failed analyses can be retried." if skipped else ""
        messages.success(request, f"Queued again: {queued}.{note}")


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _system() -> dict[str, Any]:
    """Return the checks by name, live workers, model, newest backup, failed e-mails, and free space in GB."""
    return {
        "checks": {name.capitalize(): passes for name, passes in check_components().items()},
        "workers": live_workers(),
        "model": default_model(),
        "backup": last_backup(),
        "emails": failed_emails(),
        "email_attempts": len(PAUSES) + 1,
        "free_gb": shutil.disk_usage(settings.DATA_DIR).free / 1e9,
    }
