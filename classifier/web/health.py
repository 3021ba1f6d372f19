"""Health checks for supervisors and load balancers. Open to all; they tell nothing about anybody."""

from collections.abc import Callable

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import connection
from django.http import HttpRequest, JsonResponse

from brainscan.celery import app
from classifier.selectors.model import model_card


@login_not_required
def live(request: HttpRequest) -> JsonResponse:
    """Answer at all: the process is alive."""
    return JsonResponse({"status": "ok"})


@login_not_required
def ready(request: HttpRequest) -> JsonResponse:
    """Answer 200 when uploads can be taken and queued, 503 with the failing part otherwise."""
    checks = {"database": _passes(_check_database), "broker": _passes(_check_broker), "model": _passes(_check_model)}
    good = all(checks.values())
    body = {"status": "ok" if good else "unavailable", "checks": checks}
    return JsonResponse(body, status=200 if good else 503)


def _passes(check: Callable[[], None]) -> bool:
    try:
        check()
    except Exception:
        return False
    return True


def _check_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _check_broker() -> None:
    with app.connection_for_write() as broker:
        broker.ensure_connection(max_retries=1, timeout=2)


def _check_model() -> None:
    if model_card(settings.MODEL) is None:
        raise LookupError(f"No model card. Received: {settings.MODEL!r}")
