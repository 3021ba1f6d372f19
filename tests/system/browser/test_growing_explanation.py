"""An explanation by a language model grows on the page while it is written."""

import json
import time
from collections.abc import Callable, Iterator
from threading import Event
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.assistant.fake_providers import answered, fake_provider
from tests.assistant.wire import openai_events
from tests.system.browser.conftest import PHONE, SAMPLES

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.real_weights]
PATIENCE = 60
# The parts then end in different pieces that the worker writes.
PACE = 0.2
ANSWER = {
    "summary": "The network reports a tumor with a probability of {{p_tumor}}. It read this single image and nothing "
    "else. It is right in ninety percent of cases.",
    "picture": [],
    "against": ["A single slice can mislead.", "The sequence of the image is not known."],
    "limits": ["The grade is unknown.", "Lesions outside of the slice are missed."],
    "next_steps": ["A neuroradiologist usually reads the whole examination."],
}
TEXT = json.dumps(ANSWER)
PIECES = [TEXT[at : at + 12] for at in range(0, len(TEXT), 12)]
# Within the first point of what speaks against, and within the last part.
FIRST_STOP, SECOND_STOP = TEXT.index("can mislead") // 12, TEXT.index("usually reads") // 12
SAVE = """
from classifier.models import User
from classifier.services.assistant import save_provider
staff, _ = User.objects.get_or_create(username="provider-staff", defaults={{"is_staff": True}})
save_provider(
    None, by=staff, key="", kind="compatible", name="slow", model="slow", url="{url}/v1", enabled=True,
    timeout_seconds=300,
)
"""
DELETE = """
from classifier.models import AssistantProvider
AssistantProvider.objects.filter(name="slow").delete()
"""


@pytest.fixture
def provider(running_app) -> Iterator[Callable[[str], None]]:
    """Return a function that enables a provider at a URL. Other tests find none."""
    yield lambda url: running_app.manage("shell", "-c", SAVE.format(url=url))
    running_app.manage("shell", "-c", DELETE)


@pytest.mark.parametrize("options", [{"viewport": {"width": 1440, "height": 900}}, PHONE], ids=["desktop", "phone"])
def test_finished_sentences_appear_one_after_the_other(open_page, sign_up, provider, options):
    goes_on, ends = Event(), Event()

    def reply(body: dict[str, Any]) -> tuple[int, dict[str, str], Iterator[bytes]]:
        events = openai_events(body, PIECES, "")

        def data() -> Iterator[bytes]:
            for number, event in enumerate(events):
                if number == FIRST_STOP:
                    goes_on.wait(PATIENCE)
                if number == SECOND_STOP:
                    ends.wait(PATIENCE)
                time.sleep(PACE)
                yield event

        return 200, {"Content-Type": "text/event-stream"}, data()

    with fake_provider(reply) as server:
        provider(server.url)
        page = open_page(**options)
        sign_up(page)
        page.set_input_files("#id_image", SAMPLES / "meningioma-1.jpg")
        page.locator("select[name=provider]").select_option("slow")
        page.get_by_role("button", name="Explain", exact=True).click()

        written = page.locator(".written")
        expect(written).to_contain_text("Being written…")
        expect(written).to_contain_text("It read this single image and nothing else.")
        expect(written).not_to_contain_text("A single slice")
        goes_on.set()
        expect(written).to_contain_text("The sequence of the image is not known.")
        expect(written).to_contain_text("One sentence was removed")
        expect(written).to_contain_text("Being written…")
        expect(written).not_to_contain_text("Next steps")
        ends.set()
        expect(written).to_contain_text("A neuroradiologist usually reads the whole examination.")
        expect(written).not_to_contain_text("Being written…")
        expect(written).not_to_contain_text("ninety")


def test_an_answer_can_be_copied_when_it_has_arrived(open_page, sign_up, provider):
    with fake_provider(answered("compatible", "The grade is unknown.")) as server:
        provider(server.url)
        page = open_page(permissions=["clipboard-read", "clipboard-write"])
        sign_up(page)
        page.set_input_files("#id_image", SAMPLES / "meningioma-1.jpg")
        page.locator("select[name=provider]").select_option("slow")
        page.get_by_role("button", name="Ask questions").click()
        page.locator(".suggested button").first.click()
        page.locator("#last").get_by_role("button", name="Copy").click()
        expect(page.locator("[data-announce]")).to_have_text("Copied.")
        assert page.evaluate("navigator.clipboard.readText()") == "The grade is unknown."
