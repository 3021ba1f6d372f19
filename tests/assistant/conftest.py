"""An enabled provider on a local server, and jobs that run in the test itself."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from classifier.models import AssistantProvider, Scan, User
from classifier.services.assistant import save_provider
from tests.assistant.fake_providers import FakeProvider, Reply, fake_provider
from tests.factories import make_analysis, make_scan

KEY = "sk-canary-0123456789abcdef"
CANARY = "CANARY7531"
GOOD = {
    "summary": "The network reports meningioma with a probability of {{confidence}}.",
    "picture": [],
    "against": ["A single slice can mislead."],
    "limits": ["The grade is unknown."],
    "next_steps": ["A neuroradiologist usually reads the whole examination."],
}


@pytest.fixture
def serve() -> Iterator:
    """Return a function that starts a server with a reply."""
    with ExitStack() as stack:
        yield lambda reply: stack.enter_context(fake_provider(reply))


@pytest.fixture
def make_provider(staff: User, serve):
    """Return a function that configures and enables a provider on a local server."""

    def make(reply: Reply, *, kind: str = "compatible", **fields: object) -> tuple[AssistantProvider, FakeProvider]:
        server = serve(reply)
        url = f"{server.url}/v1" if kind in ("openai", "compatible") else server.url
        values = {"name": "local", "model": "gpt-test", "enabled": True, "timeout_seconds": 20} | fields
        return save_provider(None, by=staff, key=KEY, kind=kind, url=url, **values), server

    return make


@pytest.fixture
def marked_scan(owner: User) -> Scan:
    """A scan whose every private field holds a canary."""
    owner.first_name = owner.last_name = f"{CANARY}name"
    owner.save()
    scan = make_scan(owner, patient_reference=f"{CANARY}ref", notes=f"{CANARY}notes")
    make_analysis(scan, state="succeeded", model_version="2.1.0")
    return scan
