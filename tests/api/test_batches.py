"""Batches in the API."""

import uuid

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from classifier.models import Batch, Scan
from tests.factories import make_analysis, png_bytes

pytestmark = pytest.mark.django_db
SCANS, BATCHES = "/api/v1/scans/", "/api/v1/batches/"


def upload(client, batch, content: bytes | None = None, **headers: str):
    file = SimpleUploadedFile("slice.png", png_bytes() if content is None else content)
    return client.post(SCANS, {"image": file, "batch": str(batch)}, headers=headers)


def test_files_of_one_batch_are_listed_with_what_became_of_them(api, owner):
    client, batch = api(owner), uuid.uuid4()
    assert upload(client, batch).status_code == 202
    assert upload(client, batch, b"<html>").status_code == 415
    make_analysis(Scan.objects.get(), state="succeeded")

    body = client.get(f"{BATCHES}{batch}/").json()
    assert body["counts"] == {"tumor": 1, "refused": 1}
    assert [(file["number"], file["state"], file["name"]) for file in body["files"]] == [
        (1, "tumor", ""),
        (2, "refused", ""),
    ]
    assert body["files"][0]["scan"].endswith(f"{SCANS}{Scan.objects.get().pk}/")
    assert body["files"][1]["refusal"].startswith("The file is a web page")
    assert [row["id"] for row in client.get(BATCHES).json()["results"]] == [str(batch)]


def test_a_repeated_upload_keeps_its_place(api, owner):
    client, batch, content = api(owner), uuid.uuid4(), png_bytes()
    for expected in (202, 200):
        assert upload(client, batch, content, **{"Idempotency-Key": "k"}).status_code == expected
    assert Batch.objects.get(pk=batch).files.count() == 1


def test_a_batch_belongs_to_the_person_who_began_it(api, owner, outsider):
    batch = uuid.uuid4()
    upload(api(owner), batch)
    response = upload(api(outsider), batch)
    assert response.status_code == 404
    assert response.json()["errors"][0]["detail"] == "There is no such batch."
    assert api(outsider).get(f"{BATCHES}{batch}/").status_code == 404
    assert api(outsider).get(BATCHES).json()["results"] == []


def test_a_batch_has_a_limit(api, owner, monkeypatch):
    from classifier.services import batch as services

    monkeypatch.setattr(services, "MAX_BATCH_FILES", 1)
    client, batch = api(owner), uuid.uuid4()
    upload(client, batch)
    response = upload(client, batch)
    assert response.status_code == 400
    assert response.json()["errors"][0]["code"] == "batch_full"
    assert Scan.objects.count() == 1
