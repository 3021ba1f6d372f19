"""Providers: off by default, keys encrypted and never shown, and what staff may set."""

import logging

import pytest
from django.db import connection

from classifier.models import AssistantProvider, Event
from classifier.services.assistant import KEY_LOST, Connection, adopt_environment, connection_of, save_provider
from classifier.services.errors import Conflict, Invalid, NotAllowed
from classifier.services.secrets import decrypt, encrypt
from tests.assistant.conftest import KEY

pytestmark = pytest.mark.django_db
FIELDS = {"name": "gemini", "kind": "google", "model": "gemini-3-flash"}
FORM = FIELDS | {"requests_per_hour": 20, "max_tokens": 1500, "timeout_seconds": 60}
PAGE = "/settings/assistant/"


def test_no_provider_is_there_by_default(browse, owner, scan):
    assert not AssistantProvider.objects.exists()
    page = browse(owner).get(scan.get_absolute_url()).content.decode()
    assert "assistant-heading" not in page
    assert "Explanation by a language model" not in page


def test_a_provider_is_off_until_it_is_enabled(staff):
    assert save_provider(None, by=staff, key=KEY, **FIELDS).enabled is False


def test_the_key_is_encrypted_at_rest(staff):
    row = save_provider(None, by=staff, key=KEY, **FIELDS)
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM classifier_assistantprovider")
        assert KEY not in repr(cursor.fetchall())
    assert connection_of(row).key == KEY
    assert KEY not in repr(connection_of(row))


def test_equal_keys_are_stored_differently_and_another_secret_cannot_read_them(settings):
    stored = encrypt(KEY)
    assert stored != encrypt(KEY)
    assert decrypt(stored) == KEY
    settings.SECRET_KEY = "another" * 10
    assert decrypt(stored) is None
    assert encrypt("") == decrypt("") == ""


def test_a_lost_key_is_reported(staff, settings):
    row = save_provider(None, by=staff, key=KEY, **FIELDS)
    settings.SECRET_KEY = "another" * 10
    with pytest.raises(Conflict) as caught:
        connection_of(row)
    assert str(caught.value) == KEY_LOST


def test_no_page_shows_the_key(browse, staff, caplog):
    caplog.set_level(logging.DEBUG)
    client = browse(staff)
    response = client.post(PAGE, FORM | {"key": KEY, "enabled": "on"}, follow=True)
    row = AssistantProvider.objects.get()
    pages = [response, client.get(PAGE), client.get(f"{PAGE}{row.pk}/")]
    pages.append(client.post(PAGE, FORM | {"key": KEY, "kind": "none"}))
    for page in pages:
        assert KEY not in page.content.decode()
        assert row.key not in page.content.decode()
    assert pages[-1].status_code == 400
    assert KEY not in caplog.text
    assert KEY not in repr(list(Event.objects.values()))


def test_an_empty_field_keeps_the_key_and_a_new_url_removes_it(browse, staff):
    row = save_provider(None, by=staff, key=KEY, **FIELDS)
    client = browse(staff)
    client.post(f"{PAGE}{row.pk}/", FORM | {"model": "gemini-3-pro", "key": ""})
    row.refresh_from_db()
    assert (row.model, connection_of(row).key) == ("gemini-3-pro", KEY)
    client.post(f"{PAGE}{row.pk}/", FORM | {"url": "https://other.example/", "key": ""})
    row.refresh_from_db()
    assert connection_of(row).key == ""


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"name": "built-in"}, "invalid_name"),
        ({"name": "Two words"}, "invalid_name"),
        ({"kind": "compatible"}, "invalid_url"),
        ({"url": "ftp://host/"}, "invalid_url"),
        ({"url": "https://user:password@host/"}, "invalid_url"),
        ({"url": "file:///etc/passwd"}, "invalid_url"),
        ({"enabled": True}, "no_key"),
        ({"kind": "other"}, "invalid_provider"),
        ({"timeout_seconds": 100000}, "invalid_provider"),
    ],
)
def test_wrong_values_are_refused(staff, change, code):
    with pytest.raises(Invalid) as caught:
        save_provider(None, by=staff, **(FIELDS | change))
    assert caught.value.code == code
    assert not AssistantProvider.objects.exists()


def test_two_providers_have_two_names(staff):
    save_provider(None, by=staff, **FIELDS)
    with pytest.raises(Invalid):
        save_provider(None, by=staff, **FIELDS)


def test_only_staff_configure(owner):
    with pytest.raises(NotAllowed):
        save_provider(None, by=owner, **FIELDS)


def test_changes_are_events(staff):
    row = save_provider(None, by=staff, key=KEY, **FIELDS)
    save_provider(row, by=staff, enabled=True)
    events = Event.objects.filter(kind="assistant.configured")
    assert [event.payload["enabled"] for event in events] == [False, True]
    assert events[0].actor == staff


def test_a_provider_is_deleted_after_a_question(browse, staff):
    row = save_provider(None, by=staff, key=KEY, **FIELDS)
    client = browse(staff)
    assert "Delete the provider gemini?" in client.post(f"{PAGE}{row.pk}/delete/").content.decode()
    assert AssistantProvider.objects.exists()
    client.post(f"{PAGE}{row.pk}/delete/", {"confirmed": "yes"})
    assert not AssistantProvider.objects.exists()


class TestEnvironment:
    @pytest.fixture(autouse=True)
    def _variables(self, settings):
        settings.ASSISTANT_KIND, settings.ASSISTANT_MODEL, settings.ASSISTANT_KEY = "openai", "gpt-5", KEY

    def test_it_gives_a_provider_that_is_off(self, browse, staff):
        page = browse(staff).get(PAGE).content.decode()
        row = AssistantProvider.objects.get()
        assert (row.name, row.enabled, row.key) == ("environment", False, "")
        assert connection_of(row).key == KEY
        assert KEY not in page

    def test_its_url_is_not_changed_on_the_page(self, staff):
        adopt_environment()
        row = save_provider(AssistantProvider.objects.get(), by=staff, model="other", enabled=True)
        assert (row.model, row.enabled) == ("gpt-5", True)

    def test_another_url_switches_it_off(self, staff, settings):
        adopt_environment()
        save_provider(AssistantProvider.objects.get(), by=staff, enabled=True)
        settings.ASSISTANT_URL = "https://elsewhere.example/v1"
        adopt_environment()
        assert AssistantProvider.objects.get().enabled is False


def test_the_page_lists_every_field_that_is_sent(browse, staff):
    page = browse(staff).get(PAGE).content.decode()
    for words in ("The reported finding", "Verdict, finding, and certainty", "its pixels without metadata"):
        assert words in page
    assert "What is never sent" in page
    assert "Patient reference, notes, file names" in page


def test_a_connection_shows_no_key():
    shown = repr(Connection(name="a", kind="google", model="m", url="", max_tokens=1, timeout_seconds=1, key=KEY))
    assert KEY not in shown
