"""Explanations by language models over each provider's wire format."""

import json
import logging
from datetime import timedelta

import pytest
from django.utils import timezone

from classifier.assistant import jobs
from classifier.assistant.requests import request_explanation
from classifier.models import AssistantProvider, Event, Explanation
from classifier.selectors.scan import get_scan
from classifier.services.assistant import claim_test, fail_interrupted_tests, request_test
from tests.assistant.conftest import CANARY, GOOD, KEY
from tests.assistant.fake_providers import answered, failing, raw, slow

pytestmark = pytest.mark.django_db
KINDS = ["compatible", "openai", "google", "anthropic"]
MODEL = {"compatible": "llama3", "openai": "gpt-5", "google": "gemini-3-flash", "anthropic": "claude-sonnet-5"}


def explain(scan, owner, *, with_image: bool = False) -> Explanation:
    row = request_explanation(get_scan(owner, scan.pk), by=owner, provider="local", with_image=with_image)
    assert jobs.run_explanation()
    row.refresh_from_db()
    return row


@pytest.mark.parametrize("kind", KINDS)
def test_each_provider_explains(make_provider, owner, scan, kind):
    _, server = make_provider(answered(kind, GOOD), kind=kind, model=MODEL[kind])
    row = explain(scan, owner)

    assert (row.state, row.failure_message) == ("succeeded", "")
    assert "The network reports meningioma with a probability of 91%." in row.text
    assert (row.input_tokens, row.output_tokens) == (11, 7)
    assert row.model == MODEL[kind]
    ((_, headers, _body),) = server.requests
    assert KEY in {headers.get("authorization", "")[7:], headers.get("x-api-key"), headers.get("x-goog-api-key")}


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_private_is_in_a_request(make_provider, marked_scan, owner, kind):
    _, server = make_provider(answered(kind, GOOD), kind=kind, model=MODEL[kind])
    explain(marked_scan, owner)
    sent = json.dumps(server.requests)
    assert CANARY not in sent
    assert str(marked_scan.pk) not in sent
    assert str(marked_scan.current_analysis_id) not in sent
    assert owner.username not in sent
    assert "image/png" not in sent
    assert "Probably meningioma" in sent


@pytest.mark.parametrize("kind", KINDS)
def test_the_image_is_sent_only_if_staff_and_person_allow_it(make_provider, scan, owner, kind):
    import base64

    _, server = make_provider(answered(kind, GOOD), kind=kind, model=MODEL[kind], image_allowed=True)
    with scan.image.open("rb") as file:
        start = base64.b64encode(file.read()).decode()[:200]
    explain(scan, owner)
    assert start not in json.dumps(server.requests[0])
    explain(scan, owner, with_image=True)
    sent = json.dumps(server.requests[1])
    assert start in sent or start.replace("+", "-").replace("/", "_") in sent


FAILURES = {
    "wrong key": (failing(401), "did not accept the key"),
    "too many": (failing(429), "too many requests"),
    "over quota": (failing(429, {"error": {"code": "insufficient_quota", "message": "q"}}), "quota"),
    "down": (failing(503), "an internal error"),
    "unknown model": (failing(404), "does not know this model"),
    "rejected": (failing(400), "rejected the request"),
    "redirect": (failing(302, headers={"Location": "http://127.0.0.1:9/"}), "provider local"),
    "malformed": (answered("compatible", "this is no JSON"), "empty or not in the required form"),
    "empty": (answered("compatible", ""), "empty or not in the required form"),
    "no completion": (raw(b"{}"), "provider local"),
    "no JSON at all": (raw(b"<html>" + KEY.encode()), "empty or not in the required form"),
    "cut off": (answered("compatible", '{"summary": "The net', finish="length"), "cut off"),
    "refused": (answered("compatible", "", finish="content_filter"), "refused to answer"),
}


@pytest.mark.parametrize(("reply", "said"), FAILURES.values(), ids=FAILURES)
def test_a_failure_is_a_sentence_without_anything_that_was_sent(make_provider, scan, owner, reply, said, caplog):
    caplog.set_level(logging.DEBUG)
    make_provider(reply)
    row = explain(scan, owner)
    assert row.state == "failed"
    assert said in row.failure_message
    assert row.text == ""
    assert KEY not in caplog.text + row.failure_message


def test_a_slow_provider_is_given_up(make_provider, scan, owner):
    make_provider(slow(30), timeout_seconds=5)
    row = explain(scan, owner)
    assert "did not answer within 5 seconds" in row.failure_message


def test_a_server_that_is_not_there_is_a_sentence(make_provider, scan, owner, staff):
    provider, _ = make_provider(answered("compatible", GOOD))
    AssistantProvider.objects.filter(pk=provider.pk).update(url="http://127.0.0.1:9/v1")
    assert "cannot be reached" in explain(scan, owner).failure_message


@pytest.mark.parametrize("kind", KINDS)
def test_a_connection_is_tested_without_data(make_provider, staff, kind):
    provider, server = make_provider(answered(kind, "ready"), kind=kind, model=MODEL[kind], enabled=False)
    request_test(provider, by=staff)
    assert jobs.run_test()
    provider.refresh_from_db()
    assert (provider.test_state, "answered within" in provider.test_message) == ("succeeded", True)
    assert len(server.requests) == 1
    assert not jobs.run_test()


def test_a_test_that_runs_is_no_failed_one_until_its_worker_has_died(make_provider, staff, browse):
    provider, _ = make_provider(failing(401))
    request_test(provider, by=staff)
    claim_test()
    assert claim_test() is None
    fail_interrupted_tests()
    assert "Testing" in browse(staff).get("/settings/assistant/").content.decode()
    fail_interrupted_tests(now=timezone.now() + timedelta(minutes=7))
    provider.refresh_from_db()
    assert (provider.test_state, provider.test_message) == ("failed", "The test was interrupted. Test again.")


def test_a_failed_test_says_why(make_provider, staff):
    provider, _ = make_provider(failing(401))
    request_test(provider, by=staff)
    jobs.run_test()
    provider.refresh_from_db()
    assert provider.test_state == "failed"
    assert "did not accept the key" in provider.test_message


def test_a_request_is_audited_before_it_is_sent(make_provider, scan, owner):
    _, server = make_provider(answered("compatible", GOOD), image_allowed=True)
    request_explanation(get_scan(owner, scan.pk), by=owner, provider="local", with_image=True)
    event = Event.objects.get(kind="assistant.requested")
    assert (event.scan_id, event.actor) == (scan.pk, owner)
    assert event.payload["provider"] == "local"
    assert {"outcome", "finding", "numbers", "image"} <= set(event.payload["fields"])
    assert "meningioma" not in json.dumps(event.payload)
    assert not server.requests


def test_only_what_was_audited_is_sent(make_provider, scan, owner):
    _, server = make_provider(answered("compatible", GOOD))
    row = request_explanation(get_scan(owner, scan.pk), by=owner, provider="local")
    Explanation.objects.filter(pk=row.pk).update(fields=["outcome"])
    jobs.run_explanation()
    sent = json.dumps(server.requests)
    assert "Probably meningioma" in sent
    assert "possible_findings" not in sent
    assert "side_of_the_image" not in sent


def test_nothing_is_sent_after_the_provider_was_switched_off(make_provider, scan, owner):
    provider, server = make_provider(answered("compatible", GOOD))
    row = request_explanation(get_scan(owner, scan.pk), by=owner, provider="local")
    AssistantProvider.objects.filter(pk=provider.pk).update(enabled=False)
    jobs.run_explanation()
    row.refresh_from_db()
    assert (row.state, "Nothing was sent" in row.failure_message) == ("failed", True)
    assert not server.requests


def test_nothing_is_sent_for_a_person_who_has_lost_access(make_provider, team_scan, teammate):
    _, server = make_provider(answered("compatible", GOOD))
    row = request_explanation(get_scan(teammate, team_scan.pk), by=teammate, provider="local")
    teammate.memberships.all().delete()
    jobs.run_explanation()
    row.refresh_from_db()
    assert row.state == "failed"
    assert not server.requests


CONTRADICTIONS = {
    "a number": {"summary": "The network reports meningioma with 97 percent."},
    "another finding": {"summary": "The image shows a glioma."},
    "an unknown reference": {"summary": "Meningioma with {{certainty}}."},
}


@pytest.mark.parametrize("change", CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_an_answer_that_contradicts_is_not_shown(make_provider, scan, owner, change):
    make_provider(answered("compatible", GOOD | change))
    row = explain(scan, owner)
    assert (row.state, row.text) == ("failed", "")
    assert "contradicted the analysis" in row.failure_message
    assert row.blocked


def test_a_sentence_that_contradicts_is_removed_and_that_is_reported(make_provider, scan, owner):
    make_provider(answered("compatible", GOOD | {"limits": ["It was right in 99% of cases.", "The grade is unknown."]}))
    row = explain(scan, owner)
    assert "99" not in row.text
    assert "The grade is unknown." in row.text
    assert "One sentence was removed: it gave a number that is not from this analysis." in row.text


def test_without_the_image_statements_about_it_are_left_out(make_provider, scan, owner):
    make_provider(answered("compatible", GOOD | {"picture": ["A bright mass is seen."]}))
    assert "bright mass" not in explain(scan, owner).text


def test_references_are_rendered_from_the_row(make_provider, scan, owner):
    said = "Meningioma has {{ p_meningioma }}, glioma remains possible with {{p_glioma}}."
    make_provider(answered("compatible", GOOD | {"summary": said}))
    assert "Meningioma has 91%, glioma remains possible with 3%." in explain(scan, owner).text
