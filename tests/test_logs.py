"""What is logged, and what must never be."""

import logging

import pytest

from brainscan.logs import WithoutRoutine

pytestmark = pytest.mark.django_db


def test_a_search_for_a_patient_is_not_logged(browse, owner, caplog):
    with caplog.at_level(logging.INFO):
        browse(owner).get("/scans/", {"text": "Mustermann", "patient_reference": "P-77"})
    assert "GET /scans/" in caplog.text
    assert "Mustermann" not in caplog.text
    assert "P-77" not in caplog.text


@pytest.mark.parametrize(
    ("event", "kept"),
    [
        ({"event": "request_started", "request": "GET /"}, False),
        ({"event": "request_finished", "request": "GET /", "code": 200}, True),
        ({"event": "request_finished", "request": "GET /health/live", "code": 200}, False),
        ({"event": "request_finished", "request": "GET /health/ready", "code": 503}, False),
        ({"event": "request_finished", "request": "GET /scans/1/status/", "code": 503}, True),
        ({"event": "request_finished", "request": "GET /scans/1/status/", "code": 200}, False),
        ({"event": "analysis_failed"}, True),
    ],
)
def test_routine_is_left_out(event, kept):
    record = logging.LogRecord("x", logging.INFO, "", 0, event, None, None)
    assert WithoutRoutine().filter(record) is kept


@pytest.mark.parametrize(("path", "kept"), [("/health/ready", False), ("/scans/", True)])
def test_what_is_not_well_is_logged_when_it_changes_and_not_with_every_question(path, kept):
    args = ("Service Unavailable", path)
    record = logging.LogRecord("django.request", logging.ERROR, "", 0, "%s: %s", args, None)
    assert WithoutRoutine().filter(record) is kept


def test_plain_messages_are_kept():
    assert WithoutRoutine().filter(logging.LogRecord("x", logging.INFO, "", 0, "text", None, None))
