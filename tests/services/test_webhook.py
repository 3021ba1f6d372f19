"""What a webhook may be: its URL, its events, and how many an account has."""

import pytest

from classifier.services.errors import Conflict, Invalid
from classifier.services.webhook import EVENTS, MAX_WEBHOOKS, create_webhook

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "url",
    [
        "", "ris.example.org", "ftp://ris.example.org/", "https://", "https://a b/", "https://ris.example.org:0/",
        "https://ris.example.org:70000/", "https://user:secret@ris.example.org/", "https://ris.example.org/#part",
        "https://ris.example.org/\n", "https://[::1]/", "http://ris.example.org/", "https://r\u00e4s.example.org/",
        "https://ris.example.org/" + "a" * 500,
    ],
)  # fmt: skip
def test_urls_that_cannot_be_used_are_refused(url, owner):
    with pytest.raises(Invalid):
        create_webhook(owner, url=url, events=list(EVENTS))


def test_the_number_of_webhooks_is_limited_and_each_url_is_used_once(owner):
    for number in range(MAX_WEBHOOKS):
        create_webhook(owner, url=f"https://ris.example.org/{number}", events=list(EVENTS))
    with pytest.raises(Conflict, match="already"):
        create_webhook(owner, url="https://ris.example.org/0", events=list(EVENTS))
    with pytest.raises(Conflict, match="20 webhooks"):
        create_webhook(owner, url="https://ris.example.org/more", events=list(EVENTS))


@pytest.mark.parametrize("events", [[], ["scan.deleted"], ["nothing"]])
def test_events_must_be_offered_ones(events, owner):
    with pytest.raises(Invalid):
        create_webhook(owner, url="https://ris.example.org/", events=events)
