"""Conversations: what is asked, what is sent, how answers grow, and what ends them."""

import json
from contextlib import asynccontextmanager

import pytest

from classifier.assistant import chat, jobs, llm
from classifier.assistant.chat import REFUSAL, start_conversation, suggested_questions
from classifier.assistant.facts import facts_of
from classifier.models import AssistantProvider, Conversation, Event, Message
from classifier.selectors.scan import get_scan
from classifier.services.conversation import claim_message, stop_answer, sweep_messages, write_answer
from classifier.services.errors import Conflict, Invalid
from tests.assistant.conftest import CANARY
from tests.assistant.fake_providers import raw

pytestmark = pytest.mark.django_db


@pytest.fixture
def provider(db):
    return AssistantProvider.objects.create(
        name="local", kind="compatible", model="llama3", url="http://127.0.0.1:9/v1", enabled=True,
        image_allowed=True,
    )  # fmt: skip


@pytest.fixture
def say(monkeypatch):
    """Return a function that makes the model say pieces of a text. It gives the list of what the model was sent."""
    from pydantic_ai.models.function import FunctionModel

    monkeypatch.setattr(llm, "WRITE_SECONDS", None)

    def say(*pieces: str) -> list:
        sent: list = []

        async def answer(messages, info):
            sent.append((messages, info))
            for piece in pieces:
                yield piece

        @asynccontextmanager
        async def model(connection):
            yield FunctionModel(stream_function=answer)

        monkeypatch.setattr(llm, "model_of", model)
        return sent

    return say


@pytest.fixture
def talk(provider, scan, owner) -> Conversation:
    return start_conversation(get_scan(owner, scan.pk), by=owner, provider="local", with_image=False)


def ask(conversation, question: str = "What does it rest on?", **fields) -> Message:
    return chat.ask(get_scan(conversation.owner, conversation.scan_id), conversation, question=question, **fields)


def answered(message: Message) -> Message:
    assert jobs.run_answer()
    message.refresh_from_db()
    return message


def test_a_question_is_answered_from_the_analysis(talk, say):
    say("The network reports ", "meningioma with {{confidence}}. ", "The grade is unknown.")
    row = answered(ask(talk))
    assert (row.state, row.failure_message) == ("succeeded", "")
    assert row.answer == "The network reports meningioma with 91%. The grade is unknown."
    assert row.chunk > 1


def test_the_earlier_turns_are_sent_and_nothing_private(provider, marked_scan, owner, say):
    talk = start_conversation(get_scan(owner, marked_scan.pk), by=owner, provider="local", with_image=False)
    say("It rests on one image.")
    answered(ask(talk, "What does it rest on?"))
    sent = say("The grade is unknown.")
    answered(ask(talk, "And the grade?"))
    ((messages, info),) = sent
    text = repr(messages) + str(info.instructions)
    for words in ("What does it rest on?", "It rests on one image.", "And the grade?", "Probably meningioma"):
        assert words in text
    assert CANARY not in text
    assert str(marked_scan.pk) not in text
    assert "image/png" not in text
    assert not info.function_tools


def test_the_image_is_sent_if_it_was_chosen(provider, scan, owner, say):
    talk = start_conversation(get_scan(owner, scan.pk), by=owner, provider="local", with_image=True)
    sent = say("The grade is unknown.")
    answered(ask(talk))
    assert "image/png" in repr(sent)
    assert "image" in Event.objects.filter(kind="assistant.requested").last().payload["fields"]


def test_each_question_is_audited(talk, owner, say):
    ask(talk)
    event = Event.objects.get(kind="assistant.requested")
    assert (event.actor, event.scan_id) == (owner, talk.scan_id)
    assert {"question", "outcome"} <= set(event.payload["fields"])
    assert "rest on" not in json.dumps(event.payload)


@pytest.mark.parametrize(
    "question",
    [
        "What is the diagnosis?",
        "Diagnose this patient.",
        "Please give me a diagnosis",
        "What dose of dexamethasone?",
        "Prescribe something against the edema.",
        "Should I operate?",
        "Which drug helps?",
        "Can we start radiotherapy... should we give steroids?",
    ],
)
def test_a_diagnosis_or_prescription_is_refused_and_nothing_is_sent(talk, question):
    row = ask(talk, question)
    assert (row.state, row.answer) == ("succeeded", REFUSAL)
    assert not jobs.run_answer()
    assert not Event.objects.filter(kind="assistant.requested").exists()


@pytest.mark.parametrize(
    "question", ["What does this result rest on?", "How do such results fare elsewhere?", "What is a meningioma?"]
)
def test_other_questions_are_asked(talk, question):
    assert ask(talk, question).state == "queued"


def test_suggested_questions_fit_and_are_not_refused(talk, scan):
    for question in suggested_questions(facts_of(scan.current_analysis)):
        row = ask(talk, question)
        assert row.state == "queued"
        stop_answer(row)


def test_sentences_that_contradict_are_never_stored(talk, say):
    say("The image shows a glioma. ", "It is right in 99% of cases. ", "A meningioma is reported.")
    row = answered(ask(talk))
    assert "glioma" not in row.answer
    assert "99" not in row.answer
    assert "A meningioma is reported." in row.answer
    assert "2 sentences were removed" in row.answer
    assert row.blocked == ["finding", "number"]


def test_an_answer_that_only_contradicts_is_not_shown(talk, say):
    say("The image shows a glioma.")
    row = answered(ask(talk))
    assert (row.state, row.answer) == ("failed", "")
    assert "contradicted the analysis" in row.failure_message


def test_an_unfinished_sentence_waits_for_its_end(talk, say, monkeypatch):
    written = []
    monkeypatch.setattr(chat, "write_answer", lambda claim, text: written.append(text) or write_answer(claim, text))
    say("A meningioma is reported. It is right in ", "99% of cases.")
    answered(ask(talk))
    assert written
    assert all("right in" not in text for text in written)


def test_an_answer_is_stopped_and_what_is_written_stays(talk, say, monkeypatch):
    say("A meningioma is reported. ", "The grade is unknown. ", "It goes on.")
    row = ask(talk)

    def write_then_stop(claim, text):
        held = write_answer(claim, text)
        stop_answer(row)
        return held

    monkeypatch.setattr(chat, "write_answer", write_then_stop)
    answered(row)
    assert row.state == "stopped"
    assert "It goes on." not in row.answer
    # The next question can be asked.
    assert ask(talk).number == 2


def test_a_queued_question_is_stopped_before_anything_is_sent(talk, say):
    sent = say("Never.")
    row = ask(talk)
    stop_answer(row)
    assert not jobs.run_answer()
    assert not sent


def test_an_edited_question_replaces_everything_after_it(talk, say):
    say("A meningioma is reported.")
    first, _ = answered(ask(talk, "One?")), answered(ask(talk, "Two?"))
    row = answered(ask(talk, "Another?", replaces=first))
    assert [(m.number, m.question) for m in talk.messages.all()] == [(1, "Another?")]
    assert row.state == "succeeded"


@pytest.mark.parametrize("question", ["", "  ", "x" * 1001])
def test_a_question_has_a_length(talk, question):
    with pytest.raises(Invalid):
        ask(talk, question)


def test_one_question_at_a_time(talk):
    ask(talk)
    with pytest.raises(Conflict) as caught:
        ask(talk)
    assert caught.value.code == "already_asked"


def test_a_conversation_has_a_length(talk, say, monkeypatch):
    monkeypatch.setattr("classifier.services.conversation.MAX_QUESTIONS", 2)
    say("A meningioma is reported.")
    for _ in range(2):
        answered(ask(talk))
    with pytest.raises(Conflict) as caught:
        ask(talk)
    assert caught.value.code == "too_many_questions"


def test_the_limit_of_requests_counts_questions(talk, say):
    AssistantProvider.objects.update(requests_per_hour=1)
    say("A meningioma is reported.")
    answered(ask(talk))
    with pytest.raises(Conflict) as caught:
        ask(talk)
    assert caught.value.code == "rate_limit"


def test_conversations_about_a_scan_have_a_limit(provider, scan, owner, monkeypatch):
    monkeypatch.setattr("classifier.services.conversation.MAX_CONVERSATIONS", 1)
    loaded = get_scan(owner, scan.pk)
    start_conversation(loaded, by=owner, provider="local", with_image=False)
    with pytest.raises(Conflict):
        start_conversation(loaded, by=owner, provider="local", with_image=False)


def test_a_provider_that_is_down_is_a_sentence(talk):
    row = answered(ask(talk))
    assert (row.state, row.failure_message) == ("failed", "The provider local cannot be reached.")


def test_nothing_is_sent_after_the_provider_was_switched_off(talk, say):
    sent = say("Never.")
    row = ask(talk)
    AssistantProvider.objects.update(enabled=False)
    assert answered(row).state == "failed"
    assert not sent
    with pytest.raises(Invalid):
        ask(talk)


def test_a_conversation_ends_with_its_scan(talk, api, owner):
    claim_message() or ask(talk)
    claim = claim_message()
    api(owner).delete(f"/api/v1/scans/{talk.scan_id}/")
    assert not write_answer(claim, "x")
    assert not Conversation.objects.exists()


def test_an_interrupted_answer_fails_after_two_attempts(talk):
    from datetime import timedelta

    from django.utils import timezone

    row = ask(talk)
    claim_message()
    claim_message(now=timezone.now() + timedelta(minutes=10))
    sweep_messages(now=timezone.now() + timedelta(minutes=20))
    row.refresh_from_db()
    assert (row.state, row.failure_message) == ("failed", "The answer was interrupted. Try again.")


@pytest.mark.parametrize(("finish_reason", "note"), [("stop", ""), ("length", f"\n\n{chat.CUT}")])
def test_the_wire_format_of_a_stream(make_provider, scan, owner, monkeypatch, finish_reason, note):
    monkeypatch.setattr(llm, "WRITE_SECONDS", None)
    pieces = ["A meningioma ", "is reported. ", "The grade is unknown."]
    chunks = [
        {
            "id": "c", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "gpt-test",
            "choices": [{"index": 0, "delta": {"role": "assistant", "content": piece}, "finish_reason": None}],
        }
        for piece in pieces
    ]  # fmt: skip
    chunks.append(chunks[0] | {"choices": [{"index": 0, "delta": {}, "finish_reason": finish_reason}]})
    body = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
    _, server = make_provider(raw(body.encode(), content_type="text/event-stream"))
    talk = start_conversation(get_scan(owner, scan.pk), by=owner, provider="local", with_image=False)
    row = answered(ask(talk))
    assert (row.state, row.answer) == ("succeeded", "".join(pieces) + note)
    assert server.requests[0][2]["stream"] is True
