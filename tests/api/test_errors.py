"""Every error below `/api/` has the API's shape, also those that Django raises before a view runs."""

from unittest.mock import Mock

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError
from django.test import override_settings
from django.urls import path

from brainscan.urls import handler500
from brainscan.urls import urlpatterns as product_urls
from tests.factories import png_bytes

pytestmark = pytest.mark.django_db
SCANS = "/api/v1/scans/"


def broken(request):
    raise RuntimeError("made to fail")


def unavailable(request):
    raise OperationalError("the connection was refused by db.internal")


urlpatterns = [*product_urls, path("api/broken/", broken), path("api/unavailable/", unavailable)]
assert handler500  # Django looks for it in the module of the URLs.


def error_of(response) -> tuple[int, str, str]:
    assert response["Content-Type"] == "application/json"
    assert "no-store" in response["Cache-Control"]
    body = response.json()
    [error] = body["errors"]
    assert set(error) == {"code", "detail", "attr"}
    assert error["detail"].endswith(".")
    return response.status_code, body["type"], error["code"]


@pytest.mark.parametrize("part", ["not-an-id", "%0A", "a%0Ab", "%00", "00000000000000000000000000000000"])
@pytest.mark.parametrize("rest", ["", "image", "analyses/", "nothing/here"])
def test_an_id_that_is_no_uuid_is_not_found(api, owner, part, rest):
    response = api(owner).get(f"{SCANS}{part}/{rest}")
    assert error_of(response) == (404, "client_error", "not_found")


@pytest.mark.parametrize("url", ["/api/", "/api/v2/scans/", "/api/nothing"])
def test_an_unknown_url_outside_the_version_is_not_found(browse, owner, url):
    assert error_of(browse(owner).get(url)) == (404, "client_error", "not_found")
    assert error_of(browse().get(url)) == (404, "client_error", "not_found")


@pytest.mark.parametrize("url", [SCANS, "/api/schema/", "/api/nothing/"])
def test_a_disallowed_host_is_a_bad_request(browse, url):
    response = browse().get(url, headers={"Host": "evil.example"})
    assert error_of(response) == (400, "client_error", "bad_request")
    assert "evil" not in response.content.decode()


def test_pages_keep_their_own_errors(browse, owner):
    assert browse(owner).get("/nowhere/")["Content-Type"].startswith("text/html")
    assert browse(owner).get("/api/docs/")["Content-Type"].startswith("text/html")


@override_settings(ROOT_URLCONF="tests.api.test_errors")
def test_an_unexpected_error_reveals_nothing(browse, owner):
    client = browse(owner)
    client.raise_request_exception = False
    response = client.get("/api/broken/")
    assert error_of(response) == (500, "server_error", "error")
    assert "made to fail" not in response.content.decode()


@override_settings(ROOT_URLCONF="tests.api.test_errors")
def test_an_unavailable_database_says_when_to_retry(browse, owner):
    client = browse(owner)
    client.raise_request_exception = False
    response = client.get("/api/unavailable/")
    assert error_of(response) == (503, "server_error", "unavailable")
    assert response["Retry-After"] == "5"


def test_an_image_is_sent_whatever_type_is_accepted(api, owner, scan):
    for accept in ("image/png", "application/json", "text/html"):
        response = api(owner).get(f"{SCANS}{scan.pk}/image", headers={"Accept": accept})
        assert (response.status_code, response["Content-Type"]) == (200, "image/png")
    response = api(owner).get(f"{SCANS}{scan.pk}/", headers={"Accept": "image/png"})
    assert error_of(response) == (406, "client_error", "not_acceptable")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"patient_reference": "<b>Müller</b>"}, "invalid_patient_reference"),
        ({"patient_reference": "P" * 65}, "invalid_patient_reference"),
        ({"notes": "x" * 4001}, "max_length"),
        ({"team": "first"}, "invalid"),
        ({"team": "99999"}, "does_not_exist"),
    ],
)
def test_an_invalid_field_of_an_upload_is_named(api, owner, fields, code):
    body = {"image": SimpleUploadedFile("slice.png", png_bytes()), **fields}
    response = api(owner).post(SCANS, body, format="multipart")
    assert error_of(response) == (400, "validation_error", code)
    assert response.json()["errors"][0]["attr"] == next(iter(fields))


@pytest.mark.parametrize(
    "url", ["analyses/{analysis}/reviews/", "scans/{scan}/explanations/", "scans/{scan}/analyses/", "report-files/"]
)
def test_json_that_is_nested_too_deeply_is_a_bad_request(api, owner, scan, url):
    path = "/api/v1/" + url.format(scan=scan.pk, analysis=scan.current_analysis.pk)
    response = api(owner).post(path, "[" * 100_000, content_type="application/json")
    assert error_of(response) == (400, "client_error", "parse_error")


def test_an_error_of_the_server_is_a_sentence(api, owner, monkeypatch):
    monkeypatch.setattr("classifier.api.scans.criteria_of", Mock(side_effect=RuntimeError("made to fail")))
    client = api(owner)
    client.raise_request_exception = False
    response = client.get(SCANS)
    assert error_of(response) == (500, "server_error", "error")
    assert "made to fail" not in response.content.decode()


@pytest.mark.parametrize("url", ["notifications/", "report-files/", "batches/", "scans/"])
def test_an_invalid_cursor_is_reported_in_a_sentence(api, owner, url):
    response = api(owner).get(f"/api/v1/{url}", {"cursor": "zzz"})
    assert error_of(response) == (404, "client_error", "not_found")
