"""The first account, and the accounts after it."""

import threading

import pytest
from django.db import connection

from classifier.models import User


def sign_up(client, name: str):
    return client.post(
        "/accounts/signup/",
        {
            "username": name,
            "email": f"{name}@hospital.example",
            "password1": "correct horse battery",
            "password2": "correct horse battery",
        },
    )


@pytest.mark.django_db
def test_the_first_account_is_administrator_and_the_second_is_not(browse):
    assert sign_up(browse(), "first").status_code == 302
    assert sign_up(browse(), "second").status_code == 302
    assert User.objects.get(username="first").is_superuser
    assert User.objects.get(username="first").is_staff
    assert not User.objects.get(username="second").is_staff


@pytest.mark.django_db(transaction=True)
def test_of_accounts_made_at_once_one_is_first():
    errors: list[Exception] = []

    def make(number: int) -> None:
        try:
            User.objects.create_user(f"user{number}", f"user{number}@hospital.example", "x")
        except Exception as error:  # reported by the main thread
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=make, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert User.objects.count() == 6
    assert User.objects.filter(is_superuser=True).count() == 1


@pytest.mark.django_db
def test_two_accounts_never_share_an_email(browse):
    sign_up(browse(), "first")
    response = browse().post(
        "/accounts/signup/",
        {
            "username": "other",
            "email": "FIRST@hospital.example",
            "password1": "correct horse battery",
            "password2": "correct horse battery",
        },
    )
    assert not User.objects.filter(username="other").exists()
    assert response.status_code in (200, 302)


@pytest.mark.django_db
def test_sign_up_can_be_closed(browse, settings):
    settings.SIGN_UP = False
    sign_up(browse(), "late")
    assert not User.objects.exists()


@pytest.mark.django_db
def test_signing_in_by_user_name_or_email(browse, owner):
    for login in ("owner", owner.email):
        client = browse()
        response = client.post("/accounts/login/", {"login": login, "password": "correct horse battery"})
        assert response.status_code == 302
        assert client.get("/").status_code == 200


@pytest.mark.django_db
def test_a_wrong_password_is_refused(browse, owner):
    client = browse()
    assert client.post("/accounts/login/", {"login": "owner", "password": "wrong"}).status_code == 200
    assert client.get("/").status_code == 302


@pytest.mark.django_db
def test_a_password_is_reset_by_email(browse, owner, mailoutbox):
    client = browse()
    client.post("/accounts/password/reset/", {"email": owner.email})
    link = next(word for word in mailoutbox[0].body.split() if "/accounts/password/reset/key/" in word)
    page = client.get(link.removeprefix("http://testserver"), follow=True)
    client.post(page.request["PATH_INFO"], {"password1": "another long secret", "password2": "another long secret"})
    assert client.post("/accounts/login/", {"login": "owner", "password": "another long secret"}).status_code == 302


@pytest.mark.django_db
def test_signing_out(browse, owner):
    client = browse(owner)
    client.post("/accounts/logout/")
    assert client.get("/").status_code == 302


@pytest.mark.django_db
def test_an_address_that_an_administrator_replaced_resets_nothing_any_more(browse, staff, mailoutbox):
    sign_up(browse(), "colleague")
    person = User.objects.get(username="colleague")
    page = f"/admin/classifier/user/{person.pk}/change/"
    joined = person.date_joined
    response = browse(staff).post(
        page,
        {
            "username": "colleague",
            "email": "new@hospital.example",
            "is_active": "on",
            "date_joined_0": f"{joined:%Y-%m-%d}",
            "date_joined_1": f"{joined:%H:%M:%S}",
        },
    )
    assert response.status_code == 302
    browse().post("/accounts/password/reset/", {"email": "colleague@hospital.example"})
    assert not any("/password/reset/key/" in mail.body for mail in mailoutbox)
    browse().post("/accounts/password/reset/", {"email": "new@hospital.example"})
    assert any("/password/reset/key/" in mail.body for mail in mailoutbox)
