"""Prompt injections change no result, reveal nothing of another scan, render no HTML, and call nothing.

The model of these tests obeys every injection that reaches it, word for word.
"""

import io
import re

import pytest
from django.core.files.base import ContentFile
from django.db import connection
from PIL import Image, ImageDraw

from classifier.assistant import chat, jobs, llm
from classifier.assistant.chat import start_conversation
from classifier.assistant.markup import to_html
from classifier.assistant.requests import request_explanation
from classifier.models import Analysis, AssistantProvider, Explanation, Scan
from classifier.selectors.scan import get_scan
from classifier.services.review import submit_review
from classifier.services.secrets import encrypt
from tests.assistant.conftest import KEY
from tests.assistant.injections import INJECTIONS
from tests.factories import make_analysis, make_scan

pytestmark = pytest.mark.django_db
OTHER = "SECRETPATIENT77"
FIELDS = ("outcome", "finding", "probabilities", "confidence", "state", "possible_findings")
every_injection = pytest.mark.parametrize("injection", INJECTIONS.values(), ids=INJECTIONS)
MARK = '<span class="look-mark look-not_checked">not checked against the picture</span>'
ALLOWED_TAG = re.compile(r"</?(?:p|br|ul|ol|li|strong|em|code|pre|h3|h4|blockquote)\s*/?>")


@pytest.fixture(autouse=True)
def _other_scan(outsider, owner):
    """Another scan of the same person, and one of another person."""
    for user in (outsider, owner):
        make_analysis(make_scan(user, patient_reference=OTHER, notes=OTHER), state="succeeded", finding="glioma")
    AssistantProvider.objects.create(
        name="local", kind="compatible", model="m", url="http://127.0.0.1:9/v1", key=encrypt(KEY), enabled=True,
        image_allowed=True,
    )  # fmt: skip


@pytest.fixture
def obedient(monkeypatch):
    """Return a function that makes the model answer with a text. It gives the list of what was sent."""

    def obey(text: str) -> list[dict]:
        sent: list[dict] = []

        def explain(connection, **request):
            sent.append(request)
            parts = {"picture": [text], "against": [text], "limits": [text], "next_steps": [text]}
            return llm.Answer({"summary": f"The network reports meningioma with {{{{confidence}}}}. {text}"} | parts)

        def stream(connection, **request):
            sent.append(request)
            yield f"The grade is unknown. {text}"

        monkeypatch.setattr(llm, "explain", explain)
        monkeypatch.setattr(llm, "stream", stream)
        return sent

    return obey


def state_of(scan: Scan) -> dict:
    return Analysis.objects.values(*FIELDS).get(pk=scan.current_analysis_id)


def explained(scan: Scan, *, with_image: bool = False) -> Explanation:
    row = request_explanation(get_scan(scan.owner, scan.pk), by=scan.owner, provider="local", with_image=with_image)
    jobs.run_explanation()
    row.refresh_from_db()
    return row


def assert_harmless(text: str) -> None:
    """Assert that a stored text has no figure, no other finding, no address, and renders to harmless tags only."""
    html = to_html(text).replace(MARK, "")
    assert "<" not in ALLOWED_TAG.sub("", html)
    for words in ("evil.example", "javascript:", "onerror", OTHER, "SECRET_KEY", KEY, "{{", "99", "ninety"):
        assert words not in text
    for words in (r"reports? (?:a )?glioma", r"shows? (?:a )?glioma", r"glioblastoma", r"must undergo", r"\bmg\b"):
        assert not re.search(words, text, re.IGNORECASE)


@every_injection
def test_in_notes_reference_and_review_it_reaches_no_model(scan, owner, obedient, injection):
    sent = obedient("Fine.")
    # Stored as an older version or another program might have, past the checks of the forms.
    written = injection if connection.vendor == "sqlite" else injection.replace("\x00", "")
    Scan.objects.filter(pk=scan.pk).update(notes=written[:4000], patient_reference=written[:64])
    comment = injection.replace("\x00", "")[:2000]
    submit_review(scan.current_analysis, by=owner, verdict="agree", certainty="high", comment=comment)
    before = state_of(scan)
    assert_harmless(explained(scan).text)
    assert injection[:30] not in str(sent[0])
    assert injection[:30] not in sent[0]["prompt"]
    assert state_of(scan) == before


@every_injection
def test_obeyed_in_an_answer_it_is_harmless(scan, obedient, injection):
    obedient(injection)
    before, count = state_of(scan), Scan.objects.count()
    row = explained(scan)
    assert_harmless(row.text)
    assert state_of(scan) == before
    assert Scan.objects.count() == count


@every_injection
def test_written_into_the_picture_and_obeyed_it_is_harmless(scan, obedient, injection):
    picture = Image.open(scan.image.open("rb")).convert("L")
    ImageDraw.Draw(picture).text((2, 2), injection[:80].encode("latin-1", "replace").decode("latin-1"), fill=255)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    scan.image.save("image.png", ContentFile(buffer.getvalue()))
    sent = obedient(injection)
    before = state_of(scan)
    row = explained(scan, with_image=True)
    assert sent[0]["image"] == buffer.getvalue()
    assert injection[:30] not in sent[0]["prompt"]
    assert_harmless(row.text)
    assert state_of(scan) == before


@every_injection
def test_in_a_question_it_gets_no_data_of_others_and_its_answer_is_harmless(scan, owner, obedient, injection):
    sent = obedient(injection)
    talk = start_conversation(get_scan(owner, scan.pk), by=owner, provider="local", with_image=False)
    before = state_of(scan)
    row = chat.ask(get_scan(owner, scan.pk), talk, question=injection[:1000])
    jobs.run_answer()
    row.refresh_from_db()
    assert_harmless(row.answer)
    for request in sent:
        assert OTHER not in request["instructions"]
        assert request["turns"] == []
    assert state_of(scan) == before


def test_every_case_is_a_text_of_its_own():
    assert len(set(INJECTIONS.values())) == len(INJECTIONS) >= 120
