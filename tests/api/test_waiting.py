"""`Prefer: wait`: a client that waits for the end of an analysis."""

import time
from contextlib import ExitStack

import pytest

from classifier.models import Scan
from classifier.queue import waiting_slots
from classifier.queue.claim import claim_analyses, fail_analysis
from classifier.queue.waiting import CompletionWaiter
from tests.factories import make_analysis, make_scan

pytestmark = pytest.mark.django_db
SCANS = "/api/v1/scans/"


def test_waiting_answers_at_once_when_finished(api, owner, scan, monkeypatch):
    monkeypatch.setattr(CompletionWaiter, "wait", lambda *_, **__: pytest.fail("waited"))
    response = api(owner).get(f"{SCANS}{scan.pk}/", headers={"Prefer": "wait=30"})
    assert response["Preference-Applied"] == "wait=30"


def before_the_third_look(act, monkeypatch) -> None:
    """Let something happen while a client waits."""
    looks: list[float] = []
    look = CompletionWaiter._poll

    def act_and_look(watch: CompletionWaiter) -> None:
        looks.append(time.monotonic())
        if len(looks) == 3:
            act()
        look(watch)

    monkeypatch.setattr(CompletionWaiter, "_poll", act_and_look)


def test_waiting_answers_as_soon_as_it_ends(api, owner, monkeypatch):
    scan = make_scan(owner)
    make_analysis(scan)
    before_the_third_look(
        lambda: fail_analysis(claim_analyses(limit=1)[0], code="x", message="It stopped."), monkeypatch
    )
    began = time.monotonic()
    analysis = api(owner).get(f"{SCANS}{scan.pk}/", headers={"Prefer": "wait=30"}).json()["analysis"]
    assert analysis["failure"] == {"code": "x", "message": "It stopped."}
    assert time.monotonic() - began < 15


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("wait=5", 5),
        ("respond-async, wait=90", 30),
        ('WAIT="7"', 7),
        ("wait=0", 0),
        ("wait=" + "9" * 5000, 30),
        ("wait=abc", 0),
        ("", 0),
        ("await=3", 0),
    ],
)
def test_the_prefer_header_is_read_as_its_rfc_says(header, seconds):
    from classifier.api.preferences import wait_seconds

    assert wait_seconds(header) == seconds


def test_waiting_for_a_scan_that_is_deleted_meanwhile_is_a_404(api, owner, monkeypatch):
    scan = make_scan(owner)
    make_analysis(scan)
    before_the_third_look(lambda: Scan.objects.all().delete(), monkeypatch)
    assert api(owner).get(f"{SCANS}{scan.pk}/", headers={"Prefer": "wait=5"}).status_code == 404


def test_only_some_may_wait_at_once(api, owner, monkeypatch):
    scan = make_scan(owner)
    make_analysis(scan)
    monkeypatch.setattr(CompletionWaiter, "wait", lambda *_, **__: pytest.fail("waited"))
    with ExitStack() as stack:
        for _ in range(waiting_slots.MAX_WAITING_PER_USER):
            assert stack.enter_context(waiting_slots.waiting_slot(owner.pk))
        response = api(owner).get(f"{SCANS}{scan.pk}/", headers={"Prefer": "wait=30"})
    assert response.status_code == 200
    assert "Preference-Applied" not in response
    assert response["Retry-After"] == "1"
    with waiting_slots.waiting_slot(owner.pk) as free:
        assert free


def test_one_person_leaves_places_to_others():
    with ExitStack() as stack:
        places = [
            stack.enter_context(waiting_slots.waiting_slot(person))
            for person in range(10)
            for _ in range(waiting_slots.MAX_WAITING_PER_USER + 1)
        ]
    assert sum(places) == waiting_slots.MAX_WAITING
    assert places[: waiting_slots.MAX_WAITING_PER_USER + 1] == [True] * waiting_slots.MAX_WAITING_PER_USER + [False]
