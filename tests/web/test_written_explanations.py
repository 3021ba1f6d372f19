"""Explanations by language models on the page of a scan, and over the API."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from classifier.assistant import jobs
from classifier.models import AssistantProvider, Explanation
from classifier.services.explanation import claim_explanation, finish_explanation, sweep_explanations
from tests.factories import make_analysis, make_scan

pytestmark = pytest.mark.django_db


@pytest.fixture
def provider(db):
    """An enabled provider that may get the image. No test here reaches it."""
    return AssistantProvider.objects.create(
        name="local", kind="compatible", model="llama3", url="http://127.0.0.1:9/v1", enabled=True,
        image_allowed=True,
    )  # fmt: skip


def url(scan) -> str:
    return f"/scans/{scan.pk}/explanations/"


def page_of(client, scan) -> str:
    return client.get(scan.get_absolute_url()).content.decode()


def write(text: str = "### Summary\n\nIt is.", **fields) -> None:
    values = {"text": text, "blocked": [], "input_tokens": 1, "output_tokens": 1, "seconds": 1.0} | fields
    assert finish_explanation(claim_explanation(), **values)


def test_a_request_is_queued_and_its_progress_is_shown(browse, owner, scan, provider):
    client = browse(owner)
    response = client.post(url(scan), {"provider": "local"})
    assert response.url.startswith(scan.get_absolute_url())
    row = Explanation.objects.get()
    assert (row.state, row.provider, row.model, row.with_image) == ("queued", "local", "llama3", False)
    page = page_of(client, scan)
    assert "The request is waiting for a worker." in page
    assert f"/explanations/{row.pk}/?wait=" in page


def test_the_text_is_marked_as_machine_written(browse, owner, scan, provider):
    client = browse(owner)
    client.post(url(scan), {"provider": "local"})
    row = Explanation.objects.get()
    write("### Summary\n\nIt is **clear**. <script>x</script> ![a](http://h/)")
    page = client.get(f"{url(scan)}{row.pk}/?seen=queued-0").content.decode()
    for words in ("AI-generated", "local, llama3", "<strong>clear</strong>", "not a diagnosis", "without the image"):
        assert words in page
    assert "<script" not in page
    assert "<img" not in page
    assert "hx-get" not in page


def test_nothing_new_is_an_answer_without_content(browse, owner, scan, provider):
    client = browse(owner)
    client.post(url(scan), {"provider": "local"})
    row = Explanation.objects.get()
    response = client.get(f"{url(scan)}{row.pk}/?seen={row.seen}")
    assert (response.status_code, response.headers["Retry-After"]) == (204, "2")


def test_a_failure_is_reported_beside_the_built_in_text(browse, owner, scan, provider, monkeypatch):
    client = browse(owner)
    client.post(url(scan), {"provider": "local"})
    jobs.run_explanation()
    page = page_of(client, scan)
    assert "The provider local cannot be reached." in page
    assert "The built-in explanation above still applies." in page
    assert "Explain again" in page
    assert "explanation-heading" in page


def test_the_choice_is_remembered(browse, owner, scan, provider):
    AssistantProvider.objects.create(
        name="a-first", kind="compatible", model="m", url="http://127.0.0.1:9/v1", enabled=True
    )
    client = browse(owner)
    client.post(url(scan), {"provider": "local", "with_image": "on"})
    assert Explanation.objects.get().with_image
    page = page_of(client, scan)
    assert '<option value="local" selected>' in page
    assert re.search(r'<input[^>]*name="with_image"[^>]* checked', page)
    assert "makes two more requests" in page


def test_only_enabled_providers_are_offered(browse, owner, scan, provider):
    AssistantProvider.objects.create(name="off", kind="compatible", model="m", url="http://127.0.0.1:9/v1")
    page = page_of(browse(owner), scan)
    assert 'value="local"' in page
    assert 'value="off"' not in page
    browse(owner).post(url(scan), {"provider": "off"})
    assert not Explanation.objects.exists()


def test_a_double_click_sends_one_request(browse, owner, scan, provider):
    client = browse(owner)
    for _ in range(2):
        client.post(url(scan), {"provider": "local"})
    assert Explanation.objects.count() == 1
    assert "already waiting" in page_of(client, scan)


def test_the_limit_of_requests_is_a_sentence(api, owner, provider):
    AssistantProvider.objects.update(requests_per_hour=2)
    client = api(owner)
    codes = []
    for _ in range(3):
        scan = make_scan(owner)
        make_analysis(scan, state="succeeded")
        response = client.post(f"/api/v1/scans/{scan.pk}/explanations/", {"provider": "local"}, format="json")
        codes.append((response.status_code, response.json().get("errors", [{}])[0].get("code")))
    assert codes == [(202, None), (202, None), (409, "rate_limit")]


def test_a_sealed_result_is_sent_to_nobody(browse, api, owner, scan, provider):
    owner.sealed_reading_since = timezone.now() - timedelta(hours=1)
    owner.save()
    browse(owner).post(url(scan), {"provider": "local"})
    response = api(owner).post(f"/api/v1/scans/{scan.pk}/explanations/", {"provider": "local"}, format="json")
    assert response.status_code == 409
    assert not Explanation.objects.exists()
    assert "assistant-heading" not in page_of(browse(owner), scan)


def test_an_explanation_is_not_shown_to_a_reader_whose_result_is_sealed(browse, owner, teammate, team_scan, provider):
    browse(owner).post(url(team_scan), {"provider": "local"})
    write("### Summary\n\nMeningioma it is.")
    row = Explanation.objects.get()
    teammate.sealed_reading_since = timezone.now() - timedelta(hours=1)
    teammate.save()
    client = browse(teammate)
    assert "Meningioma it is" not in page_of(client, team_scan)
    assert client.get(f"{url(team_scan)}{row.pk}/").status_code == 404


def test_the_api_queues_and_answers_when_it_is_ready(api, owner, scan, provider):
    client = api(owner)
    response = client.post(
        f"/api/v1/scans/{scan.pk}/explanations/", {"provider": "local", "with_image": True}, format="json"
    )
    assert response.status_code == 202
    body = response.json()
    assert (body["state"], body["text"], body["ai_generated"], body["with_image"]) == ("queued", "", True, True)
    assert response["Retry-After"] == "2"
    waiting = client.get(response["Location"], headers={"Prefer": "wait=1"})
    assert (waiting.json()["state"], waiting["Preference-Applied"]) == ("queued", "wait=1")
    write(blocked=["number"])
    done = client.get(response["Location"], headers={"Prefer": "wait=5"})
    assert (done.json()["state"], done.json()["removed_sentences"]) == ("succeeded", 1)
    assert "Retry-After" not in done


@pytest.mark.parametrize("value", ["yes", 1, None])
def test_the_image_is_a_yes_or_no(api, owner, scan, provider, value):
    body = {"provider": "local", "with_image": value}
    assert api(owner).post(f"/api/v1/scans/{scan.pk}/explanations/", body, format="json").status_code == 400


def test_the_image_is_refused_where_staff_do_not_allow_it(api, owner, scan, provider):
    AssistantProvider.objects.update(image_allowed=False)
    body = {"provider": "local", "with_image": True}
    response = api(owner).post(f"/api/v1/scans/{scan.pk}/explanations/", body, format="json")
    assert (response.status_code, response.json()["errors"][0]["code"]) == (400, "image_not_allowed")


class TestQueue:
    @pytest.fixture(autouse=True)
    def _row(self, browse, owner, scan, provider):
        browse(owner).post(url(scan), {"provider": "local"})

    def test_a_claim_is_taken_once(self):
        assert claim_explanation() is not None
        assert claim_explanation() is None

    def test_a_dead_workers_claim_is_taken_over_once_and_its_late_answer_is_dropped(self):
        first = claim_explanation()
        later = timezone.now() + timedelta(minutes=10)
        second = claim_explanation(now=later)
        assert second.row.pk == first.row.pk
        values = {"blocked": [], "input_tokens": 1, "output_tokens": 1, "seconds": 1.0}
        assert not finish_explanation(first, text="late", **values)
        assert finish_explanation(second, text="in time", **values)

    def test_after_two_interruptions_it_has_failed(self):
        claim_explanation()
        claim_explanation(now=timezone.now() + timedelta(minutes=10))
        sweep_explanations(now=timezone.now() + timedelta(minutes=20))
        row = Explanation.objects.get()
        assert (row.state, row.failure_message) == ("failed", "The explanation was interrupted. Try again.")

    def test_what_no_worker_takes_fails_with_a_sentence(self):
        sweep_explanations(now=timezone.now() + timedelta(minutes=20))
        assert "No worker took the request" in Explanation.objects.get().failure_message

    def test_a_deleted_scan_takes_the_request_with_it(self, api, owner, scan):
        claim = claim_explanation()
        api(owner).delete(f"/api/v1/scans/{scan.pk}/")
        assert not finish_explanation(claim, text="x", blocked=[], input_tokens=1, output_tokens=1, seconds=1.0)
