"""Explanations while they are being written: what is shown, what is held back, and what removes it."""

import json
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from classifier.assistant import jobs, llm
from classifier.assistant.report_section import choices
from classifier.assistant.requests import request_explanation
from classifier.models import AssistantProvider, Explanation
from classifier.selectors.scan import get_scan
from classifier.services.explanation import (
    claim_explanation,
    finish_explanation,
    sweep_explanations,
    write_explanation,
)
from classifier.services.leases import ClaimLost
from tests.assistant.conftest import GOOD
from tests.assistant.fake_providers import answered, failing, raw, streamed, unless_streamed

pytestmark = pytest.mark.django_db
KINDS = ["compatible", "openai", "google", "anthropic"]
MODEL = {"compatible": "llama3", "openai": "gpt-5", "google": "gemini-3-flash", "anthropic": "claude-sonnet-5"}
SUMMARY = "The network reports meningioma with a probability of 91%."
# All but the last piece end within a sentence of the second part.
BEGINNING, END = json.dumps(GOOD).split("can mislead")
PIECES = [*(BEGINNING[at : at + 10] for at in range(0, len(BEGINNING), 10)), f"can mislead{END}"]


@pytest.fixture(autouse=True)
def _every_piece(monkeypatch):
    monkeypatch.setattr(llm, "WRITE_SECONDS", None)


@pytest.fixture
def row(scan, owner):
    """Return a function that queues a request."""
    return lambda: request_explanation(get_scan(owner, scan.pk), by=owner, provider="local")


@pytest.fixture
def written(monkeypatch) -> list[str]:
    """What the worker has written while the answer grew."""
    texts: list[str] = []

    def write(claim, text):
        write_explanation(claim, text)
        texts.append(Explanation.objects.get().partial)

    monkeypatch.setattr(jobs, "write_explanation", write)
    return texts


def finished(row: Explanation) -> Explanation:
    assert jobs.run_explanation()
    row.refresh_from_db()
    assert row.partial == ""
    return row


@pytest.mark.parametrize("kind", KINDS)
def test_each_provider_writes_in_pieces(make_provider, row, written, kind):
    _, server = make_provider(answered(kind, GOOD), kind=kind, model=MODEL[kind])
    done = finished(row())

    assert (done.state, done.failure_message, done.chunk) == ("succeeded", "", len(written))
    assert (done.input_tokens, done.output_tokens, len(server.requests)) == (11, 7, 1)
    assert len(written) >= 3
    assert written[0] == f"### Summary\n\n{SUMMARY}"
    assert [len(text) for text in written] == sorted(len(text) for text in written)
    for text in written:
        assert set(text.splitlines()) <= set(done.text.splitlines())


def test_an_unfinished_sentence_is_held_back(make_provider, row, written):
    said = GOOD | {"summary": "A meningioma is reported. It is not certain. The grade is unknown."}
    make_provider(answered("compatible", said))
    done = finished(row())
    assert written[:2] == [
        "### Summary\n\nA meningioma is reported.",
        "### Summary\n\nA meningioma is reported. It is not certain.",
    ]
    assert said["summary"] in done.text


def test_a_sentence_that_contradicts_is_never_shown_and_that_is_said(make_provider, row, written):
    said = {
        "summary": "A meningioma is reported. It was right in 99% of cases. The image shows a glioma. It is unclear.",
        "limits": ["The grade is unknown.", "It was right in 98% of cases.", "The kind is open."],
    }
    make_provider(answered("compatible", GOOD | said))
    done = finished(row())
    for text in [*written, done.text]:
        assert not any(words in text for words in ("98", "99", "glioma", "right in"))
    assert "One sentence was removed" in written[1] + written[2]
    assert "3 sentences were removed" in written[-1]


def test_an_answer_whose_summary_contradicts_is_shown_at_no_time(make_provider, row, written):
    make_provider(answered("compatible", GOOD | {"summary": "The image shows a glioma. It is 99% certain."}))
    done = finished(row())
    assert (done.state, done.text, written) == ("failed", "", [])
    assert "contradicted the analysis" in done.failure_message


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("end", ["breaks", "is cut off"])
def test_a_failure_in_the_middle_removes_the_text(make_provider, row, written, kind, end):
    cut = {"anthropic": "max_tokens", "google": "MAX_TOKENS"}.get(kind, "length")
    reply = streamed(kind, PIECES, broken=True) if end == "breaks" else streamed(kind, PIECES[:-1], finish=cut)
    _, server = make_provider(reply, kind=kind, model=MODEL[kind])
    done = finished(row())
    assert SUMMARY in written[-1]
    assert (done.state, done.text, len(server.requests)) == ("failed", "", 1)
    assert ("cannot be reached" if end == "breaks" else "cut off") in done.failure_message


def test_a_provider_that_is_switched_off_meanwhile_writes_no_further(make_provider, row, written, monkeypatch):
    make_provider(answered("compatible", GOOD))
    write = jobs.write_explanation

    def write_then_switch_off(claim, text):
        write(claim, text)
        AssistantProvider.objects.update(enabled=False)

    monkeypatch.setattr(jobs, "write_explanation", write_then_switch_off)
    done = finished(row())
    assert (done.state, done.text, len(written)) == ("failed", "", 1)
    assert done.failure_message == jobs.OFF_MEANWHILE


class TestClaims:
    def test_a_late_worker_does_not_write_over_a_newer_claim(self, make_provider, row, monkeypatch):
        """A second worker takes over while the first one writes."""
        taken: list = []

        def write(claim, text):
            write_explanation(claim, text)
            taken.append(claim_explanation(now=timezone.now() + timedelta(minutes=10)))
            assert Explanation.objects.get().partial == ""
            write_explanation(taken[0], "### Summary\n\nThe second one.")
            monkeypatch.setattr(jobs, "write_explanation", write_explanation)

        monkeypatch.setattr(jobs, "write_explanation", write)
        make_provider(answered("compatible", GOOD))
        waiting = row()
        assert jobs.run_explanation()
        waiting.refresh_from_db()
        assert (waiting.state, waiting.attempts) == ("running", 2)
        assert waiting.partial == "### Summary\n\nThe second one."
        assert finish_explanation(taken[0], text="x", blocked=[], input_tokens=1, output_tokens=1, seconds=1.0)

    def test_a_stale_claim_and_a_deleted_row_raise(self, make_provider, row, scan):
        make_provider(answered("compatible", GOOD))
        row()
        first = claim_explanation()
        second = claim_explanation(now=timezone.now() + timedelta(minutes=10))
        with pytest.raises(ClaimLost):
            write_explanation(first, "late")
        write_explanation(second, "in time")
        scan.delete()
        with pytest.raises(ClaimLost):
            write_explanation(second, "late")

    def test_the_text_of_a_lost_row_is_removed(self, make_provider, row):
        make_provider(answered("compatible", GOOD))
        waiting = row()
        claim_explanation()
        write_explanation(claim_explanation(now=timezone.now() + timedelta(minutes=10)), "half")
        sweep_explanations(now=timezone.now() + timedelta(minutes=20))
        waiting.refresh_from_db()
        assert (waiting.state, waiting.partial) == ("failed", "")

    @pytest.mark.parametrize("state", ["queued", "succeeded", "failed"])
    def test_the_database_keeps_a_partial_text_to_running_rows(self, make_provider, row, state):
        make_provider(answered("compatible", GOOD))
        waiting = row()
        with pytest.raises(IntegrityError), transaction.atomic():
            Explanation.objects.filter(pk=waiting.pk).update(state=state, partial="half")


NO_STREAMS = {
    "rejects": (failing(400), 2),
    "has no such address": (failing(404), 2),
    "does not implement it": (failing(501), 2),
    "ignores it": (raw(json.dumps({"id": "x", "choices": []}).encode()), 2),
    "streams no JSON": (streamed("compatible", ["The network ", "reports meningioma."]), 2),
}


class TestFallback:
    @pytest.mark.parametrize(("reply", "requests"), NO_STREAMS.values(), ids=NO_STREAMS)
    def test_a_provider_that_cannot_stream_is_asked_for_the_whole(self, make_provider, row, written, reply, requests):
        _, server = make_provider(unless_streamed(answered("compatible", GOOD), reply))
        done = finished(row())
        assert (done.state, written, len(server.requests)) == ("succeeded", [], requests)
        assert SUMMARY in done.text

    def test_a_malformed_stream_is_removed_before_the_answer_is_asked_for_again(self, make_provider, row, written):
        malformed = streamed("compatible", [*PIECES[:-1], '", 7, }'])
        _, server = make_provider(unless_streamed(answered("compatible", GOOD), malformed))
        done = finished(row())
        assert SUMMARY in written[-2]
        assert (written[-1], done.state, len(server.requests)) == ("", "succeeded", 2)

    @pytest.mark.parametrize("status", [401, 429, 503])
    def test_a_provider_that_fails_is_not_asked_again(self, make_provider, row, status):
        _, server = make_provider(failing(status))
        assert (finished(row()).state, len(server.requests)) == ("failed", 1)

    def test_a_provider_that_gives_no_form_at_all_is_asked_twice(self, make_provider, row):
        _, server = make_provider(answered("compatible", "This is no JSON."))
        assert "not in the required form" in finished(row()).failure_message
        assert len(server.requests) == 2


class TestReaders:
    @pytest.fixture
    def running(self, make_provider, scan, owner) -> Explanation:
        """A request whose answer is half written, by a provider that may get the image."""
        make_provider(answered("compatible", GOOD), image_allowed=True)
        made = request_explanation(get_scan(owner, scan.pk), by=owner, provider="local", with_image=True)
        self.claim = claim_explanation()
        write_explanation(self.claim, "### Summary\n\nA **meningioma** is reported.")
        return Explanation.objects.get(pk=made.pk)

    def test_the_page_shows_what_is_written_and_asks_for_more(self, browse, owner, scan, running):
        status = f"{scan.get_absolute_url()}explanations/{running.pk}/"
        for url in (scan.get_absolute_url(), f"{status}?seen=running-1-0&wait=1"):
            page = browse(owner).get(url).content.decode()
            for words in ("A <strong>meningioma</strong> is reported.", "Being written…", "AI-generated", "withdrawn"):
                assert words in page
            assert f"seen={running.seen}" in page
            assert "is being checked against it" not in page
        assert browse(owner).get(status, {"seen": running.seen}).status_code == 204
        write_explanation(self.claim, "### Summary\n\nA meningioma is reported. The grade is unknown.")
        assert "The grade is unknown." in browse(owner).get(status, {"seen": running.seen}).content.decode()

    def test_a_failure_takes_the_text_from_the_page(self, browse, owner, scan, running):
        jobs.fail_explanation(self.claim, "The provider local cannot be reached.")
        page = browse(owner).get(f"{scan.get_absolute_url()}explanations/{running.pk}/").content.decode()
        assert "cannot be reached" in page
        assert "is reported" not in page

    def test_the_api_has_no_partial_text(self, api, owner, scan, running):
        url = f"/api/v1/scans/{scan.pk}/explanations/"
        for body in (api(owner).get(f"{url}{running.pk}/").json(), api(owner).get(url).json()[0]):
            assert (body["state"], body["text"], body["finished_at"]) == ("running", "", None)
            assert "is reported" not in json.dumps(body)

    def test_no_report_can_hold_it(self, api, owner, scan, running):
        assert choices(owner, get_scan(owner, scan.pk)) == []
        report = api(owner).post(f"/api/v1/scans/{scan.pk}/reports/", {"impression": "Seen."}, format="json").json()
        response = api(owner).put(
            f"/api/v1/reports/{report['id']}/explanation/", {"explanation": str(running.pk)}, format="json"
        )
        assert (response.status_code, response.json()["errors"][0]["code"]) == (409, "no_text")

    def test_a_sealed_reader_does_not_see_it(self, browse, owner, scan, running):
        owner.sealed_reading_since = timezone.now() - timedelta(hours=1)
        owner.save()
        client = browse(owner)
        assert "is reported" not in client.get(scan.get_absolute_url()).content.decode()
        assert client.get(f"{scan.get_absolute_url()}explanations/{running.pk}/").status_code == 404

    def test_a_program_that_waits_for_the_end_is_not_answered_with_a_piece(
        self, api, owner, scan, running, monkeypatch
    ):
        woken: list = []

        def wake(pk, *, seconds):
            """Wake the request as a piece does: two of them, then the end."""
            if len(woken) < 2:
                write_explanation(self.claim, f"### Summary\n\nPiece {len(woken)}.")
            else:
                jobs.fail_explanation(self.claim, "The provider local cannot be reached.")
            woken.append(pk)

        monkeypatch.setattr("classifier.selectors.explanation.explanation_waiter.wait", wake)
        url = f"/api/v1/scans/{scan.pk}/explanations/{running.pk}/"
        assert api(owner).get(url, headers={"Prefer": "wait=5"}).json()["state"] == "failed"
        assert woken == [running.pk] * 3
