"""What holds for every page: caches, policy, ended sessions, and errors."""

from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import OperationalError
from django.http import Http404
from django.test import Client, RequestFactory, override_settings
from django.urls import path
from django.utils.functional import SimpleLazyObject

from brainscan.urls import handler400, handler403, handler404, handler500
from brainscan.urls import urlpatterns as product_urls
from classifier.web.views.errors import page_not_found, server_error


def broken(request):
    raise RuntimeError("made to fail")


def away(request):
    raise OperationalError("the connection was refused by db.internal")


def forbidden(request):
    raise PermissionDenied("You don't have permission to change this scan.")


def malformed(request):
    raise SuspiciousOperation


urlpatterns = [
    *product_urls,
    path("broken/", broken),
    path("away/", away),
    path("forbidden/", forbidden),
    path("malformed/", malformed),
]
assert all((handler400, handler403, handler404, handler500))  # Django looks for it in the module of the URLs.


@pytest.mark.django_db
@pytest.mark.parametrize("page", ["/", "/scans/", "/teams/", "/profile/", "/about/"])
def test_pages_of_the_signed_in_stay_out_of_caches(browse, owner, page):
    response = browse(owner).get(page)
    assert "no-store" in response["Cache-Control"]
    assert "private" in response["Cache-Control"]


@pytest.mark.django_db
def test_the_policy_allows_nothing_inline(browse, owner):
    policy = browse(owner).get("/")["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("referer", "page"),
    [
        ("http://testserver/scans/?result=failed#top", "/scans/?result=failed"),
        ("http://elsewhere.example/scans/", "/"),
        ("http://[broken", "/"),
        ("", "/"),
    ],
)
def test_a_form_whose_session_ended_leads_back_to_its_page(browse, referer, page):
    response = browse().post("/notifications/read/", headers={"Referer": referer})
    assert parse_qs(urlsplit(response.url).query)["next"] == [page]
    assert "nothing was changed" in browse().post("/notifications/read/", follow=True).content.decode()


@pytest.mark.django_db
def test_a_page_for_administrators_refers_to_them(browse, owner):
    page = browse(owner).get("/settings/assistant/").content.decode()
    assert "or your administrator." in " ".join(page.split())


@pytest.mark.django_db
def test_a_polling_page_whose_session_ended_goes_to_the_sign_in(browse, scan):
    headers = {"HX-Request": "true", "HX-Current-URL": f"http://testserver{scan.get_absolute_url()}"}
    response = browse().get(f"{scan.get_absolute_url()}status/", headers=headers)
    assert response.status_code == 401
    assert response["HX-Redirect"] == "/accounts/login/?next=" + scan.get_absolute_url().replace("/", "%2F")
    headers["HX-Current-URL"] = "http://testserver/scans/?result=failed"
    response = browse().get("/scans/", headers=headers)
    assert response["HX-Redirect"] == "/accounts/login/?next=%2Fscans%2F%3Fresult%3Dfailed"


@pytest.mark.django_db
def test_an_upload_whose_session_ended_goes_to_the_sign_in(browse):
    response = browse().post("/scans/upload/", headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/"})
    assert response["HX-Redirect"] == "/accounts/login/?next=%2F"


@pytest.mark.django_db
def test_a_page_of_another_site_is_not_where_one_is_sent(browse, scan):
    headers = {"HX-Request": "true", "HX-Current-URL": "https://evil.example//other.example/x"}
    response = browse().get(f"{scan.get_absolute_url()}status/", headers=headers)
    assert "evil" not in response["HX-Redirect"]


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["http://[", "http://[::1", "//", "", "x"])
def test_an_invalid_current_url_leads_to_the_sign_in(browse, scan, address):
    headers = {"HX-Request": "true", "HX-Current-URL": address}
    response = browse().get(f"{scan.get_absolute_url()}status/", headers=headers)
    assert response.status_code == 401
    assert response["HX-Redirect"].startswith("/accounts/login/?next=")


@pytest.mark.django_db
def test_what_can_be_read_can_be_asked_for_without_its_body(browse, owner, team, team_scan):
    client = browse(owner)
    scan = team_scan.get_absolute_url()
    pages = ["/", "/scans/", scan, f"{scan}status/", f"{scan}edit/", f"{scan}delete/"]
    for page in [*pages, "/teams/", team.get_absolute_url(), "/profile/", "/about/"]:
        response = client.head(page)
        assert response.status_code == 200, page
        assert not response.content


@pytest.mark.django_db
@pytest.mark.parametrize("signed_in", [True, False])
def test_an_unknown_url_gets_the_products_error_page(browse, owner, signed_in):
    response = browse(owner if signed_in else None).get("/nowhere/")
    assert response.status_code == 404
    assert b"Page not found" in response.content


@pytest.mark.django_db
@override_settings(ROOT_URLCONF="tests.web.test_responses")
def test_an_error_is_a_page_that_needs_nothing(browse, owner):
    client = browse(owner)
    client.raise_request_exception = False
    response = client.get("/broken/")
    assert response.status_code == 500
    assert b"Something went wrong" in response.content
    assert b"made to fail" not in response.content


@pytest.mark.django_db
@override_settings(ROOT_URLCONF="tests.web.test_responses")
def test_a_database_that_is_away_asks_for_patience(browse, owner):
    client = browse(owner)
    client.raise_request_exception = False
    response = client.get("/away/")
    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert b"Temporarily unavailable" in response.content
    assert b"db.internal" not in response.content


@pytest.mark.django_db
@override_settings(ROOT_URLCONF="tests.web.test_responses")
@pytest.mark.parametrize("page", ["/nowhere/", "/broken/", "/away/", "/forbidden/", "/malformed/"])
def test_error_pages_keep_the_navigation_for_those_who_are_signed_in(browse, owner, page):
    for user in (owner, None):
        client = browse(user)
        client.raise_request_exception = False
        content = client.get(page).content
        assert (b'aria-label="Main"' in content) == (user is not None)


@pytest.mark.django_db
def test_an_error_page_survives_the_navigation(browse, owner, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("made to fail")

    monkeypatch.setattr("classifier.web.views.errors.get_token", fail)
    response = browse(owner).get("/nowhere/")
    assert response.status_code == 404
    assert b"Page not found" in response.content


@pytest.mark.django_db
@override_settings(ROOT_URLCONF="tests.web.test_responses")
def test_a_database_that_fails_while_the_user_is_looked_up_gives_a_page(monkeypatch):
    request = RequestFactory().get("/nowhere/")
    request.user = SimpleLazyObject(lambda: away(request))
    assert b"Page not found" in page_not_found(request, Http404()).content


def test_the_error_page_needs_neither_request_nor_database():
    assert b"Something went wrong" in server_error(RequestFactory().get("/")).content


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("headers", "cookie", "sentence"),
    [
        ({}, "", b"Cookies are blocked"),
        ({"origin": "https://elsewhere.example"}, "x" * 32, b"This address is not trusted"),
        ({}, "x" * 32, b"This page has expired"),
    ],
)
def test_a_refused_form_says_the_cause(owner, headers, cookie, sentence):
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner)
    if cookie:
        client.cookies["csrftoken"] = cookie
    response = client.post("/teams/", {"name": "x"}, headers=headers)
    assert response.status_code == 403
    assert sentence in response.content


@pytest.mark.django_db
def test_a_form_with_too_many_parts_gets_the_products_error_page(browse, owner):
    response = browse(owner).post("/teams/", {f"field{n}": "" for n in range(1100)})
    assert response.status_code == 400
    assert b"This request could not be processed" in response.content


@pytest.mark.django_db
def test_too_long_a_text_is_not_blamed_on_the_files(browse, owner):
    response = browse(owner).post("/scans/upload/", {"notes": "x" * 2 * 2**20, "patient_reference": "P-1"})
    page = response.content.decode()
    assert response.status_code == 400
    assert "too much text" in page
    assert "upload fewer files" not in page


@pytest.mark.django_db
def test_the_account_menu_leads_staff_to_the_administration(browse, owner, staff):
    assert b'href="/admin/"' not in browse(owner).get("/").content
    assert b'href="/admin/"' in browse(staff).get("/").content
