"""The administration: what staff see there, and how they manage people and teams."""

import pytest

from classifier.models import User
from tests.factories import UserFactory, make_analysis, make_scan


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
