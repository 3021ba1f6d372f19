"""The pages of webhooks, and the API that manages the same ones."""

import pytest

from classifier.models import Webhook
from classifier.services.webhook import EVENTS, secret_of

pytestmark = pytest.mark.django_db


def test_pages_and_api_manage_the_same_webhooks(browse, api, owner):
    client = browse(owner)
    page = client.post("/profile/webhooks/", {"url": " https://ris.example.org/ ", "events": ["scan.created"]})
    webhook = Webhook.objects.get()
    secret = secret_of(webhook)
    assert secret in page.content.decode()
    assert secret not in client.get("/profile/webhooks/").content.decode()
    assert secret not in client.get(f"/profile/webhooks/{webhook.pk}/").content.decode()

    rest = api(owner)
    [listed] = rest.get("/api/v1/webhooks/").json()
    assert (listed["url"], listed["events"], "secret" in listed) == (
        "https://ris.example.org/",
        ["scan.created"],
        False,
    )
    made = rest.post("/api/v1/webhooks/", {"url": "https://b.example.org/", "events": list(EVENTS)}, format="json")
    assert made.status_code == 201
    assert made.json()["secret"] == secret_of(Webhook.objects.get(pk=made.json()["id"]))
    url = f"/api/v1/webhooks/{webhook.pk}/"
    assert rest.post(f"{url}ping/").status_code == 202
    assert rest.post(f"{url}ping/").json()["errors"][0]["code"] == "ping_waiting"
    [delivery] = rest.get(f"{url}deliveries/").json()["results"]
    assert (delivery["event"], delivery["state"], delivery["attempts"]) == ("ping", "waiting", 0)
    assert rest.patch(url, {"is_active": False}, format="json").json()["is_active"] is False
    assert rest.post(f"{url}ping/").json()["errors"][0]["code"] == "webhook_off"
    assert "Off" in client.get(f"/profile/webhooks/{webhook.pk}/").content.decode()
    client.post(f"/profile/webhooks/{webhook.pk}/", {"action": "on"})
    assert rest.get(url).json()["is_active"] is True
    assert "Delete this webhook?" in client.get(f"/profile/webhooks/{webhook.pk}/delete/").content.decode()
    assert rest.delete(url).status_code == 204
    assert Webhook.objects.count() == 1


def test_an_invalid_form_says_what_is_wrong(browse, owner):
    page = browse(owner).post("/profile/webhooks/", {"url": "http://ris.example.org/", "events": ["scan.created"]})
    assert page.status_code == 400
    assert "Use https." in page.content.decode()
    assert Webhook.objects.count() == 0
