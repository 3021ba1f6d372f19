"""`manage.py assistant_check`, with a small real network and models behind local servers."""

import io
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from classifier.models import AssistantProvider, AssistantTrial, Explanation
from classifier.selectors.assistant import scores
from tests.assistant.conftest import GOOD, make_provider, serve  # noqa: F401  # fixtures
from tests.assistant.eyes import BRIGHT, STRIPES, agrees, asked, looks, picture
from tests.assistant.fake_providers import failing
from tests.inference.conftest import make_tiny_model

pytestmark = pytest.mark.django_db
# The tiny network answers anything, so the summary names no finding.
SAID = GOOD | {"summary": "The network gave an answer.", "picture": [BRIGHT, STRIPES]}


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    make_tiny_model(folder / "tiny")
    return folder


@pytest.fixture
def check(models_dir, settings, tmp_path):
    """Return a function that runs the command on two pictures and gives what it prints."""
    settings.MODELS_DIR, settings.MODEL = models_dir, "tiny"
    samples = tmp_path / "pictures"
    samples.mkdir()
    for side in ("left", "right"):
        (samples / f"{side}.png").write_bytes(picture(bright=side))

    def run(*arguments: str, provider: str = "local") -> str:
        out = io.StringIO()
        call_command("assistant_check", "--provider", provider, "--images", str(samples), *arguments, stdout=out)
        return out.getvalue()

    return run


def test_a_model_that_uses_the_picture_differs_from_one_that_agrees(make_provider, check):  # noqa: F811
    _, server = make_provider(looks("compatible", SAID), image_allowed=True)
    told = json.loads(check("--json"))
    assert told["provider"] == "local"
    assert [row["image"] for row in told["images"]] == ["left.png", "right.png"]
    assert told["figures"] | {"seconds": 0} == {
        "explanations": 2, "errors": 0, "check_errors": 0, "removed": 0, "contradictions": 0, "statements": 4,
        "on_blank": 0, "not_from_picture": 2, "unchecked": 0, "seconds": 0, "tokens": 54,
    }  # fmt: skip
    assert len(server.requests) == 6
    AssistantProvider.objects.all().delete()
    make_provider(agrees("compatible", SAID), image_allowed=True)
    assert json.loads(check("--json"))["figures"]["on_blank"] == 4


def test_the_table_says_what_was_measured_and_the_scoreboard_keeps_it(make_provider, check, browse, staff):  # noqa: F811
    make_provider(agrees("compatible", SAID), image_allowed=True)
    printed = check()
    assert "left.png" in printed
    assert "Statements kept on a blank picture   100% of 4" in printed
    trial = AssistantTrial.objects.get()
    assert (trial.provider, trial.model, trial.images) == ("local", "gpt-test", 2)
    (score,) = scores()
    assert (score.source, score.on_blank, score.unchanged) == ("Samples", "100% of 4", "100% of 4")
    page = browse(staff).get("/settings/assistant/").content.decode()
    assert "100% of 4" in page
    assert not Explanation.objects.exists()


def test_contradictions_and_errors_are_counted(make_provider, check):  # noqa: F811
    replies = iter([looks("compatible", SAID | {"against": ["It measures 12 mm."]}), failing(503)])

    def reply(body):
        return (looks("compatible", SAID) if asked(body) else next(replies))(body)

    make_provider(reply, image_allowed=True)
    figures = json.loads(check("--json"))["figures"]
    assert (figures["explanations"], figures["errors"], figures["contradictions"]) == (2, 1, 1)


def test_a_limit_sends_fewer_images(make_provider, check):  # noqa: F811
    _, server = make_provider(looks("compatible", SAID), image_allowed=True)
    check("--limit", "1")
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("fields", "provider", "said"),
    [
        ({"image_allowed": True}, "other", "There is no provider 'other'. Providers on this installation: local."),
        ({}, "local", "gets no image"),
        ({"image_allowed": True, "url": "http://127.0.0.1:9/v1"}, "local", "cannot be reached"),
    ],
)
def test_a_provider_that_cannot_be_checked_is_a_sentence(make_provider, check, fields, provider, said):  # noqa: F811
    made, _ = make_provider(looks("compatible", SAID), image_allowed=fields.get("image_allowed", False))
    if "url" in fields:
        AssistantProvider.objects.filter(pk=made.pk).update(url=fields["url"])
    with pytest.raises(CommandError, match=said):
        check(provider=provider)
    assert not AssistantTrial.objects.exists()


def test_a_wrong_key_ends_the_check_at_once(make_provider, check):  # noqa: F811
    _, server = make_provider(failing(401), image_allowed=True)
    with pytest.raises(CommandError, match="did not accept the key"):
        check()
    assert len(server.requests) == 1
