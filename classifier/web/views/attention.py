"""The page of scans that need attention and, for administrators, the state of the system."""

import shutil
import time
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from classifier.ops.health import ANSWER_SECONDS, CHECKS
from classifier.queue.state import live_workers
from classifier.selectors.attention import attention as find
from classifier.selectors.installation import last_backup
from classifier.selectors.model import default_model
from classifier.services.attention import dismiss, retry
from classifier.web.http import SignedInRequest


@require_http_methods(["GET", "HEAD", "POST"])
def attention(request: SignedInRequest) -> HttpResponse:
    """List what needs attention; retry or dismiss the checked scans of a POST request."""
    if request.method == "POST":
        _apply(request)
        return redirect("web:attention")
    found = find(request.user)
    groups = [
        ("Failed", "The analysis stopped. Retry it, or dismiss it.", found.failed),
        (
            "Not a brain MR image",
            "The image was refused. Check the file; a retry gives the same.",
            found.refused,
        ),
        ("Waiting for more than 5 minutes", "They will be analyzed as soon as a worker is available.", found.waiting),
    ]
    context = {"groups": groups, "total": found.total, "system": _system() if request.user.is_staff else None}
    return render(request, "web/attention.html", context)


def _apply(request: SignedInRequest) -> None:
    ids = [scan_id for text in request.POST.getlist("scan") if (scan_id := _uuid(text))]
    if not ids:
        messages.warning(request, "Select at least one scan.")
    elif request.POST.get("action") == "dismiss":
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
    """Return the checks by name, live workers, default model, newest backup, and free disk space in GB."""
    deadline = time.monotonic() + ANSWER_SECONDS
    for check in CHECKS:
        check.begin()
    return {
        "checks": {check.name.capitalize(): check.passes(deadline=deadline) for check in CHECKS},
        "workers": live_workers(),
        "model": default_model(),
        "backup": last_backup(),
        "free_gb": shutil.disk_usage(settings.DATA_DIR).free / 1e9,
    }
