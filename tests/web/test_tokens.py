"""API tokens on the profile."""

import re
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from knox.models import AuthToken
from rest_framework.test import APIClient

from classifier.models import ApiToken
from classifier.services import token as tokens
from tests.factories import png_bytes

pytestmark = pytest.mark.django_db

PAGE = "/profile/tokens/"


def create(client, **fields) -> str:
    """Create a token on the page; return its text."""
    page = client.post(PAGE, {"name": "PACS", **fields}).content.decode()
    found = re.search(r"<code>(\w+)</code>", page)
    assert found
    return found[1]


def call(text: str):
    return APIClient(headers={"Authorization": f"Token {text}"}).get("/api/v1/scans/")


def test_a_new_token_is_shown_once_and_works(browse, owner):
    client = browse(owner)
    text = create(client)
    assert call(text).status_code == 200
    page = client.get(PAGE).content.decode()
    assert "PACS" in page
    assert text not in page


def test_the_curl_line_names_this_installation_and_uploads(browse, owner):
    page = browse(owner).post(PAGE, {"name": "PACS"}, headers={"host": "localhost:8123"}).content.decode()
    assert "-F image=@scan.png http://localhost:8123/api/v1/scans/" in page
    text = re.search(r"Authorization: Token (\w+)", page)[1]
    client = APIClient(headers={"Authorization": f"Token {text}"})
    image = SimpleUploadedFile("scan.png", png_bytes(), "image/png")
    assert client.post("/api/v1/scans/", {"image": image}, format="multipart").status_code == 202


def test_last_use_is_written_once_a_minute(browse, owner, monkeypatch):
    text = create(browse(owner))
    assert "Never" in browse(owner).get(PAGE).content.decode()
    call(text)
    first = ApiToken.objects.get().last_used_at
    assert first is not None
    call(text)
    assert ApiToken.objects.get().last_used_at == first
    # Another process, which remembers nothing, leaves it too.
    monkeypatch.setattr(tokens, "_recorded_at", {})
    call(text)
    assert ApiToken.objects.get().last_used_at == first
    monkeypatch.setattr(tokens, "_recorded_at", {})
    ApiToken.objects.update(last_used_at=timezone.now() - timedelta(minutes=2))
    call(text)
    assert ApiToken.objects.get().last_used_at >= first


def test_a_token_expires(browse, owner):
    text = create(browse(owner), days="30")
    expiry = AuthToken.objects.get().expiry
    assert timedelta(days=29) < expiry - timezone.now() <= timedelta(days=30)
    AuthToken.objects.update(expiry=timezone.now() - timedelta(seconds=1))
    assert "Expired" in browse(owner).get(PAGE).content.decode()
    assert call(text).status_code == 401


@pytest.mark.parametrize("name", ["", "   ", "x" * 81, "pacs"])
def test_a_name_is_needed_and_used_once(browse, owner, name):
    client = browse(owner)
    create(client)
    response = client.post(PAGE, {"name": name})
    assert response.status_code == 400
    assert b'aria-invalid="true"' in response.content
    assert ApiToken.objects.count() == 1


def test_deleting_asks_and_then_refuses_requests(browse, owner):
    client = browse(owner)
    text = create(client)
    page = f"{PAGE}{ApiToken.objects.get().pk}/delete/"
    assert "Delete the token “PACS”?" in client.post(page).content.decode()
    assert call(text).status_code == 200
    assert client.post(page, {"confirmed": "yes"}).status_code == 302
    assert call(text).status_code == 401


def test_a_token_is_its_owners_only(browse, owner, outsider, staff):
    create(browse(owner))
    page = f"{PAGE}{ApiToken.objects.get().pk}/delete/"
    for other in (outsider, staff):
        assert browse(other).post(page, {"confirmed": "yes"}).status_code == 404
        assert "Delete PACS" not in browse(other).get(PAGE).content.decode()
    assert ApiToken.objects.count() == 1
