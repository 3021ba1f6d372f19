"""What holds for every page: caches, policy, ended sessions, errors, and the About page."""

import json
import shutil

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import OperationalError
from django.http import Http404
from django.test import Client, RequestFactory, override_settings
from django.urls import path
from django.utils.functional import SimpleLazyObject

from brainscan.urls import handler400, handler403, handler404, handler500
from brainscan.urls import urlpatterns as product_urls
from classifier.models import User
from classifier.web.views.errors import page_not_found, server_error
from tests.factories import UserFactory, make_analysis, make_scan


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
assert all((handler400, handler403, handler404, handler500))  # Django looks for it in the module of the addresses.


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
def test_a_polling_page_whose_session_ended_goes_to_the_sign_in(browse, scan):
    headers = {"HX-Request": "true", "HX-Current-URL": f"http://testserver{scan.get_absolute_url()}"}
    response = browse().get(f"{scan.get_absolute_url()}status/", headers=headers)
    assert response.status_code == 401
    assert response["HX-Redirect"] == "/accounts/login/?next=" + scan.get_absolute_url().replace("/", "%2F")


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
def test_a_page_that_is_no_address_leads_to_the_sign_in(browse, scan, address):
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
def test_an_unknown_address_is_a_page_of_ours(browse, owner, signed_in):
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
def test_a_form_with_too_many_parts_is_a_page_of_ours(browse, owner):
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


@pytest.fixture
def models(tmp_path, settings):
    """A folder of models with the shipped card alone."""
    folder = tmp_path / "models"
    (folder / "xception").mkdir(parents=True)
    shutil.copy(settings.MODELS_DIR / "xception" / "card.json", folder / "xception")
    settings.MODELS_DIR = folder
    return folder


def change(models, **fields) -> None:
    path = models / "xception" / "card.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


@pytest.mark.django_db
def test_about_says_what_the_card_says(browse, owner, models):
    card = json.loads((models / "xception" / "card.json").read_text())
    page = browse(owner).get("/about/").content.decode()
    assert 'id="model-xception"' in page
    assert card["version"] in page
    assert "not for diagnosis" in page
    assert "CC0" in page


@pytest.mark.django_db
def test_about_shows_each_evaluation_with_its_protocol(browse, owner, models):
    change(models, metrics=[{"protocol": "patient", "accuracy": 0.9512, "accuracy_low": 0.94, "accuracy_high": 0.96}])
    page = browse(owner).get("/about/").content.decode()
    assert "Protocol patient" in page
    assert "95.1% (95% CI 94.0–96.0)" in page


HOSPITALS = {
    "all": {
        "images": 200, "patients": 9, "sensitivity": 0.9, "specificity": 0.8, "said_no_tumor_of_tumors": 0.02,
        "said_tumor_of_tumors": 0.8, "refused": 0.01, "uncertain": 0.2,
    },
    "sets": [
        {
            "set": "lgg", "sequence": "FLAIR", "images": 100, "patients": 5, "tumors": 50, "refused": 0.01,
            "area": 0.9, "area_within": 0.95, "area_within_low": 0.9, "area_within_high": 0.98,
        }
    ],
    "without_tumor": [
        {"set": "volunteers", "label": "healthy", "stripped": True, "images": 40, "called_tumor": 0.05,
         "said_tumor": 0.02, "refused": 0.0}
    ],
    "erased": {"pairs": 10, "original_called_tumor": 0.9, "still_called_tumor": 0.1},
}  # fmt: skip


@pytest.mark.django_db
def test_about_tells_what_happens_at_other_hospitals(browse, owner, models):
    change(models, metrics=[{"protocol": "patient", "accuracy": 0.9, "hospitals": HOSPITALS}])
    client = browse(owner)
    page = client.get("/about/").content.decode()
    assert "0.95 (0.90–0.98)" in page
    words = " ".join(page.split())
    assert "Of 100 images with a tumor, 2 are missed" in words
    assert "Of 100 images without a tumor, 20 are reported as a tumor." in words
    assert "volunteers, healthy, skull stripped" in page
    assert "10.0% of the slices without their tumor" in page
    # At 10% prevalence 0.01 / 0.73 of the negatives have a tumor.
    assert "1.4% have one" in page
    half = client.get("/about/?prevalence=50").content.decode()
    assert "11.1% have one" in half


@pytest.mark.django_db
@pytest.mark.parametrize("prevalence", ["0", "100", "-5", "many", "٣", "9999999999"])
def test_a_prevalence_that_cannot_be_is_ignored(browse, owner, models, prevalence):
    change(models, metrics=[{"protocol": "patient", "accuracy": 0.9, "hospitals": HOSPITALS}])
    page = browse(owner).get("/about/", {"prevalence": prevalence})
    assert page.status_code == 200
    assert b'value="10"' in page.content


@pytest.mark.django_db
def test_about_counts_each_finding(browse, owner, models):
    assert "was not measured for each finding" in browse(owner).get("/about/").content.decode()
    card = json.loads((models / "xception" / "card.json").read_text())
    table = [[8, 1, 1, 0], [0, 5, 5, 0], [1, 0, 19, 0], [0, 0, 0, 10]]
    groups = [
        {"confidence": 0.6, "accuracy": 0.5, "images": 20},
        {"confidence": 0.9, "accuracy": 0.95, "images": 40},
        {"confidence": 0.3, "accuracy": 0.0, "images": 1},
    ]
    evaluation = {"version": card["version"], "per_class": {}, "confusion": table}
    evaluation["probabilities"] = {"reliability": groups}
    (models / "xception" / "evaluation").mkdir()
    (models / "xception" / "evaluation" / "patient.json").write_text(json.dumps(evaluation))
    page = " ".join(browse(owner).get("/about/").content.decode().split())
    assert "Of 100 images with a meningioma, 50 have another most probable finding." in page
    assert "8 of 10" in page
    assert "1 of 40" in page
    assert "97.5%" in page
    assert "Technical details" in page
    assert '"points": [[0.6, 0.5], [0.9, 0.95]]' in page
    assert '<th scope="row">60%</th> <td class="end">50%</td> <td class="end">20</td>' in page
    assert page.count("Accuracy where a finding is reported") == 1


@pytest.mark.django_db
def test_about_admits_that_nothing_was_measured(browse, owner, models):
    change(models, metrics=[])
    assert b"Treat the model as not evaluated" in browse(owner).get("/about/").content


@pytest.mark.django_db
def test_about_survives_a_damaged_card_and_a_missing_model(browse, owner, models):
    (models / "xception" / "card.json").write_text("{")
    assert b"cannot be used" in browse(owner).get("/about/").content
    shutil.rmtree(models / "xception")
    assert b"No model is installed" in browse(owner).get("/about/").content


@pytest.mark.django_db
def test_staff_pages_show_rows_and_change_none(browse, staff, owner):
    scan = make_scan(owner, patient_reference="P-77", notes="private words")
    analysis = make_analysis(scan, state="failed")
    client = browse(staff)
    for address in (f"/admin/classifier/scan/{scan.pk}/change/", f"/admin/classifier/analysis/{analysis.pk}/change/"):
        page = client.get(address).content.decode()
        assert "image.png" not in page
        assert "P-77" not in page
        assert "private words" not in page
        assert 'name="_save"' not in page
        assert client.post(address.replace("change", "delete"), {"post": "yes"}).status_code == 403
    assert client.get("/admin/classifier/scan/add/").status_code == 403


@pytest.mark.django_db
def test_staff_manage_people_and_teams(browse, staff, team, owner, scan):
    client = browse(staff)
    assert b"owner" in client.get(f"/admin/classifier/team/{team.pk}/change/").content
    assert client.get(f"/admin/classifier/user/{owner.pk}/change/").status_code == 200
    # Their scans protect people from being deleted with everything they uploaded.
    page = client.post(f"/admin/classifier/user/{owner.pk}/delete/", {"post": "yes"}).content
    assert b"Cannot delete user" in page
    assert User.objects.filter(pk=owner.pk).exists()


def person(name: str, **fields) -> dict[str, str]:
    secret = "correct horse battery"
    made = {"username": name, "email": f"{name}@hospital.example", "password1": secret, "password2": secret}
    return {"usable_password": "true"} | made | fields


@pytest.mark.django_db
def test_staff_make_one_account_after_another(browse, staff):
    client = browse(staff)
    for name in ("one", "two"):
        assert client.post("/admin/classifier/user/add/", person(name)).status_code == 302
    assert User.objects.get(username="two").email == "two@hospital.example"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("email", "sentence"),
    [
        ("", "This field is required."),
        ("OWNER@hospital.example", "Another account uses this e-mail address."),
        ("x", "Enter a valid email address."),
        ("x" * 250 + "@hospital.example", "at most 254 characters"),
    ],
)
def test_staff_give_every_account_an_address_of_its_own(browse, staff, owner, email, sentence):
    client = browse(staff)
    page = client.post("/admin/classifier/user/add/", person("one", email=email)).content.decode()
    assert sentence in page
    assert not User.objects.filter(username="one").exists()
    other = UserFactory(username="other")
    joined = {"date_joined_0": "2026-01-01", "date_joined_1": "00:00"}
    change = {"username": "other", "email": email, "is_active": "on", **joined}
    page = client.post(f"/admin/classifier/user/{other.pk}/change/", change).content.decode()
    assert sentence in page
    other.refresh_from_db()
    assert other.email == "other@hospital.example"


@pytest.mark.django_db
def test_staff_save_an_account_with_the_address_it_has(browse, staff, owner):
    joined = {"date_joined_0": "2026-01-01", "date_joined_1": "00:00"}
    change = {"username": "owner", "email": owner.email, "first_name": "Mara", "is_active": "on", **joined}
    assert browse(staff).post(f"/admin/classifier/user/{owner.pk}/change/", change).status_code == 302
    owner.refresh_from_db()
    assert owner.first_name == "Mara"
