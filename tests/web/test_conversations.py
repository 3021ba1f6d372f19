"""The page of a conversation, and the API."""

from datetime import timedelta

import pytest
from django.utils import timezone

from classifier.models import AssistantProvider, Conversation, Message
from classifier.services.conversation import claim_message, finish_answer, write_answer

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _provider(db):
    AssistantProvider.objects.create(
        name="local", kind="compatible", model="llama3", url="http://127.0.0.1:9/v1", enabled=True,
        image_allowed=True,
    )  # fmt: skip


@pytest.fixture
def talk(browse, owner, scan) -> Conversation:
    browse(owner).post(f"/scans/{scan.pk}/conversations/", {"provider": "local"})
    return Conversation.objects.get()


def ask(browse, owner, talk, **fields):
    return browse(owner).post(f"{talk.get_absolute_url()}messages/", fields)


def page_of(browse, user, talk) -> str:
    return browse(user).get(talk.get_absolute_url()).content.decode()


def test_it_starts_on_the_page_of_the_scan_and_is_listed_there(browse, owner, scan, talk):
    assert "Ask about this result." in page_of(browse, owner, talk)
    assert "What speaks against it?" in page_of(browse, owner, talk)
    assert talk.get_absolute_url() in browse(owner).get(scan.get_absolute_url()).content.decode()


def test_the_answer_appears_while_it_is_written(browse, owner, talk):
    ask(browse, owner, talk, question="Why?")
    row = Message.objects.get()
    address = f"{talk.get_absolute_url()}messages/{row.pk}/"
    assert f"{address}?wait=" in page_of(browse, owner, talk)
    claim = claim_message()
    write_answer(claim, "It is **so**.")
    part = browse(owner).get(f"{address}?seen=queued-0").content.decode()
    assert "<strong>so</strong>" in part
    assert "The language model is writing." in part
    assert "Stop" in part
    finish_answer(claim, "It is **so**. <img src=x onerror=alert(1)>", blocked=[])
    part = browse(owner).get(f"{address}?seen=running-1").content.decode()
    assert "hx-get" not in part
    assert "<img" not in part
    for words in ("AI-generated", "Copy", "Try again", "Edit question"):
        assert words in part


def test_nothing_new_has_no_content(browse, owner, talk):
    ask(browse, owner, talk, question="Why?")
    row = Message.objects.get()
    response = browse(owner).get(f"{talk.get_absolute_url()}messages/{row.pk}/?seen={row.seen}")
    assert response.status_code == 204


def test_the_first_question_gives_the_title(browse, owner, talk):
    ask(browse, owner, talk, question="Why is it so?")
    talk.refresh_from_db()
    assert talk.title == "Why is it so?"


def test_it_is_renamed(browse, owner, talk):
    browse(owner).post(f"{talk.get_absolute_url()}rename/", {"title": " For the  board "})
    talk.refresh_from_db()
    assert talk.title == "For the board"
    assert browse(owner).post(f"{talk.get_absolute_url()}rename/", {"title": ""}).status_code == 400


def test_it_is_deleted_after_a_question(browse, owner, talk):
    client = browse(owner)
    assert "Delete this conversation?" in client.post(f"{talk.get_absolute_url()}delete/").content.decode()
    client.post(f"{talk.get_absolute_url()}delete/", {"confirmed": "yes"})
    assert not Conversation.objects.exists()


def test_stop_try_again_and_edit(browse, owner, talk):
    ask(browse, owner, talk, question="Why?")
    row = Message.objects.get()
    browse(owner).post(f"{talk.get_absolute_url()}messages/{row.pk}/stop/")
    assert Message.objects.get().state == "stopped"
    ask(browse, owner, talk, replaces=row.pk)
    row = Message.objects.get()
    assert (row.question, row.state) == ("Why?", "queued")
    browse(owner).post(f"{talk.get_absolute_url()}messages/{row.pk}/stop/")
    page = browse(owner).get(f"{talk.get_absolute_url()}?edit={row.pk}").content.decode()
    assert "Edit the question." in page
    assert ">Why?</textarea>" in page
    ask(browse, owner, talk, question="Why not?", replaces=row.pk)
    assert Message.objects.get().question == "Why not?"


def test_a_refused_question_keeps_its_text(browse, owner, talk):
    ask(browse, owner, talk, question="Why?")
    response = ask(browse, owner, talk, question="And now?")
    assert response.status_code == 400
    assert "Wait for the answer" in response.content.decode()
    assert "And now?</textarea>" in response.content.decode()


def test_a_teammate_sees_no_conversation_of_another(browse, owner, teammate, team_scan):
    browse(owner).post(f"/scans/{team_scan.pk}/conversations/", {"provider": "local"})
    made = Conversation.objects.get()
    assert browse(teammate).get(made.get_absolute_url()).status_code == 404
    assert made.get_absolute_url() not in browse(teammate).get(team_scan.get_absolute_url()).content.decode()


def test_a_sealed_result_closes_its_conversations(browse, owner, scan, talk):
    owner.sealed_reading_since = timezone.now() - timedelta(hours=1)
    owner.save()
    assert browse(owner).get(talk.get_absolute_url()).status_code == 404
    assert browse(owner).post(f"/scans/{scan.pk}/conversations/", {"provider": "local"}).url == scan.get_absolute_url()
    assert Conversation.objects.count() == 1


@pytest.mark.parametrize("bad", ["x", "00000000-0000-0000-0000-000000000000"])
def test_an_unknown_message_is_not_found(browse, owner, talk, bad):
    assert ask(browse, owner, talk, question="Why?", replaces=bad).status_code == 404


class TestApi:
    def test_a_conversation_from_beginning_to_end(self, api, owner, scan):
        client, base = api(owner), f"/api/v1/scans/{scan.pk}/conversations/"
        made = client.post(base, {"provider": "local", "with_image": True}, format="json")
        assert (made.status_code, made.json()["with_image"]) == (201, True)
        messages = f"{base}{made.json()['id']}/messages/"
        asked = client.post(messages, {"question": "Why?"}, format="json")
        assert (asked.status_code, asked.json()["state"], asked["Retry-After"]) == (202, "queued", "2")
        claim = claim_message()
        finish_answer(claim, "So.", blocked=[])
        done = client.get(asked["Location"], headers={"Prefer": "wait=5"})
        assert (done.json()["state"], done.json()["answer"]) == ("succeeded", "So.")
        assert [row["number"] for row in client.get(messages).json()] == [1]
        again = client.post(messages, {"question": "And?"}, format="json")
        stopped = client.post(f"{again['Location']}stop/")
        assert stopped.json()["state"] == "stopped"
        assert [row["id"] for row in client.get(base).json()] == [made.json()["id"]]
        assert client.delete(f"{base}{made.json()['id']}/").status_code == 204
        assert client.get(base).json() == []

    def test_a_prescription_is_refused_at_once(self, api, owner, scan, talk):
        address = f"/api/v1/scans/{scan.pk}/conversations/{talk.pk}/messages/"
        response = api(owner).post(address, {"question": "Which drug helps?"}, format="json")
        assert (response.status_code, response.json()["state"]) == (201, "succeeded")
        assert "does not diagnose and does not prescribe" in response.json()["answer"]

    @pytest.mark.parametrize("body", [{}, {"question": 3}, {"question": None}, {"question": "x" * 1001}])
    def test_a_question_is_a_text(self, api, owner, scan, talk, body):
        address = f"/api/v1/scans/{scan.pk}/conversations/{talk.pk}/messages/"
        assert api(owner).post(address, body, format="json").status_code == 400
