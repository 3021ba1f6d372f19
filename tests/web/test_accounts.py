"""The pages of accounts use the product's templates and state what people need to know."""

import re
import smtplib
from datetime import UTC, datetime
from unittest.mock import Mock

import pytest
from allauth.account.models import EmailAddress
from django.core.cache import cache

from classifier.models import Scan, User
from classifier.notification_choices import EMAIL, PAGE, wants
from classifier.services.account import set_notification_choices
from tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("path", "heading"),
    [
        ("/accounts/login/", "Sign in"),
        ("/accounts/signup/", "Create account"),
        ("/accounts/password/reset/", "Reset your password"),
        ("/accounts/password/reset/done/", "Check your e-mail"),
        ("/accounts/password/reset/key/a-b/", "This link no longer works"),
        ("/accounts/password/reset/key/done/", "Your password has been changed"),
        ("/accounts/inactive/", "This account is deactivated"),
        ("/accounts/confirm-email/", "Confirm your e-mail address"),
        ("/accounts/confirm-email/a:b/", "This link no longer works"),
    ],
)
def test_account_pages_use_our_templates(browse, path, heading):
    page = browse().get(path).content.decode()
    assert f"<h1>{heading}</h1>" in page
    assert "account-side" in page


@pytest.mark.parametrize(
    ("path", "heading"),
    [
        ("/accounts/logout/", "Sign out?"),
        ("/accounts/password/change/", "Change password"),
        ("/profile/", "Profile"),
    ],
)
def test_account_pages_behind_the_login_use_our_templates(browse, owner, path, heading):
    page = browse(owner).get(path).content.decode()
    assert heading in page
    assert "site-header" in page


def test_the_address_is_changed_nowhere_without_the_password(browse, owner):
    client = browse(owner)
    assert client.post("/accounts/email/", {"action_add": "", "email": "new@hospital.example"}).status_code == 404
    owner.refresh_from_db()
    assert owner.email == "owner@hospital.example"


def test_the_page_that_asks_for_the_password_again_uses_our_templates(browse, owner):
    page = browse(owner).get("/accounts/reauthenticate/").content.decode()
    assert "<h1>Enter your password</h1>" in page
    assert "account-side" in page


def test_an_account_without_a_password_is_given_one(browse, owner):
    owner.set_unusable_password()
    owner.save()
    client = browse(owner)
    page = client.get("/accounts/password/change/", follow=True).content.decode()
    assert "<h1>Choose a password</h1>" in page
    assert "account-side" in page
    client.post("/accounts/password/set/", {"password1": "another long secret", "password2": "another long secret"})
    owner.refresh_from_db()
    assert owner.check_password("another long secret")


def fields_of(name: str, **fields) -> dict[str, str]:
    made = {"username": name, "email": f"{name}@hospital.example", "password1": PASSWORD, "password2": PASSWORD}
    return made | fields


@pytest.mark.parametrize("name", ["\N{CYRILLIC SMALL LETTER A}lex", "müller", "two words", "<b>", "a/b"])
def test_a_user_name_that_may_be_mistaken_is_refused(browse, owner, name):
    response = browse().post("/accounts/signup/", fields_of(name, email="new@hospital.example"))
    assert b"Use only the letters a to z, digits, and @ . + - _" in response.content
    assert not User.objects.filter(email="new@hospital.example").exists()


@pytest.mark.parametrize("name", ["OWNER", "Owner", "owner"])
def test_a_user_name_that_differs_only_in_case_is_refused(browse, owner, name):
    response = browse().post("/accounts/signup/", fields_of(name, email="new@hospital.example"))
    assert b"Another account uses this user name." in response.content
    assert not User.objects.filter(email="new@hospital.example").exists()


def test_plain_user_names_are_taken(browse, owner):
    response = browse().post("/accounts/signup/", fields_of("Anna.Berg_2+x-y@ward", email="new@hospital.example"))
    assert response.status_code == 302
    assert User.objects.get(email="new@hospital.example").username == "Anna.Berg_2+x-y@ward"


def test_an_address_that_would_be_cut_short_is_refused(browse, owner):
    host = ".".join(["x" * 60] * 5)
    email = f"anna@{host}"
    response = browse().post("/accounts/signup/", fields_of("anna", email=email))
    assert f"at most 254 characters; this one has {len(email)}" in response.content.decode()
    assert not User.objects.filter(username="anna").exists()


def is_ours(mail, subject: str) -> str:
    """Check a mail's voice and return its text without its links."""
    assert mail.subject == subject
    text = re.sub(r"http://testserver/\S+", "", mail.body)
    for foreign in ("testserver", "example.com", "Thank you for using", "Hello from", "&#", "&amp;"):
        assert foreign not in text + mail.subject
    assert "contact your administrator" in text
    return text


def test_the_mail_with_a_new_password_uses_our_templates(browse, owner, mailoutbox):
    browse().post("/accounts/password/reset/", {"email": owner.email})
    text = is_ours(mailoutbox[0], "BrainScan: choose a new password")
    assert "http://testserver/accounts/password/reset/key/" in mailoutbox[0].body
    assert "Your account remains unchanged" in text


@pytest.mark.parametrize("is_open", [True, False])
def test_the_mail_to_an_address_without_an_account_uses_our_templates(browse, owner, mailoutbox, settings, is_open):
    settings.SIGN_UP = is_open
    browse().post("/accounts/password/reset/", {"email": "o'neil&sons@hospital.example"})
    text = is_ours(mailoutbox[0], "BrainScan: no account with this address")
    assert "o'neil&sons@hospital.example" in text
    assert ("/accounts/signup/" in mailoutbox[0].body) is is_open


def test_the_mail_to_a_person_with_an_account_uses_our_templates(browse, owner, mailoutbox, settings):
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    EmailAddress.objects.create(user=owner, email=owner.email, verified=True, primary=True)
    response = browse().post("/accounts/signup/", fields_of("other", email=owner.email))
    assert response.url == "/accounts/confirm-email/"
    is_ours(mailoutbox[0], "BrainScan: you already have an account")
    assert "http://testserver/accounts/password/reset/" in mailoutbox[0].body


@pytest.mark.parametrize("address", ["owner@hospital.example", "nobody@hospital.example"])
@pytest.mark.parametrize(
    "error",
    [ConnectionRefusedError(111, "Connection refused"), smtplib.SMTPRecipientsRefused({"a@b.example": (550, b"")})],
)
def test_a_password_reset_says_that_the_mail_server_is_away(browse, owner, monkeypatch, caplog, address, error):
    monkeypatch.setattr("django.core.mail.EmailMessage.send", Mock(side_effect=error))
    response = browse().post("/accounts/password/reset/", {"email": address})
    assert response.status_code == 503
    assert "The e-mail could not be sent" in response.content.decode()
    assert "account_email_failed" in caplog.text
    assert "b.example" not in caplog.text


def test_an_account_whose_confirmation_was_not_sent_gets_it_when_its_owner_signs_in(
    browse, mailoutbox, settings, monkeypatch
):
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    with monkeypatch.context() as away:
        away.setattr("django.core.mail.EmailMessage.send", Mock(side_effect=TimeoutError("timed out")))
        assert browse().post("/accounts/signup/", fields_of("anna")).status_code == 503
    cache.clear()  # The time until another e-mail to the same address may be sent.
    response = browse().post("/accounts/login/", {"login": "anna", "password": PASSWORD})
    assert response.url == "/accounts/confirm-email/"
    is_ours(mailoutbox[0], "BrainScan: confirm your e-mail address")


def test_an_address_is_confirmed_with_the_link_in_the_mail(browse, owner, mailoutbox, settings):
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    client = browse()
    assert client.post("/accounts/signup/", fields_of("anna")).url == "/accounts/confirm-email/"
    assert "anna" in is_ours(mailoutbox[0], "BrainScan: confirm your e-mail address")
    link = next(word for word in mailoutbox[0].body.split() if word.startswith("http://testserver"))
    page = client.get(link.removeprefix("http://testserver")).content.decode()
    assert "anna@hospital.example belongs to the account anna." in page
    assert "account-side" in page
    client.post(link.removeprefix("http://testserver"))
    assert EmailAddress.objects.get(email="anna@hospital.example").verified


def test_a_mistake_at_sign_up_is_reported_beside_its_field(browse, owner):
    fields = {"username": "owner", "email": "x", "password1": "12345678", "password2": "1"}
    page = browse().post("/accounts/signup/", fields).content.decode()
    assert page.count('class="field-error"') >= 3
    assert "too common" in page


def test_a_wrong_password_is_reported(browse, owner):
    page = browse().post("/accounts/login/", {"login": "owner", "password": "x"}).content.decode()
    assert 'role="alert"' in page
    assert "Wrong user name, e-mail address, or password." in page


def test_closed_sign_up_is_not_offered(browse, settings):
    assert b"/accounts/signup/" in browse().get("/accounts/login/").content
    settings.SIGN_UP = False
    assert b"Your administrator creates accounts." in browse().get("/accounts/login/").content
    assert b"Sign-up is closed" in browse().get("/accounts/signup/").content


def test_the_page_asked_for_follows_the_sign_in(browse, owner, scan):
    client = browse()
    sign_in = client.get(scan.get_absolute_url()).url
    assert sign_in == f"/accounts/login/?next={scan.get_absolute_url()}"
    page = client.get(sign_in).content.decode()
    assert f'name="next" value="{scan.get_absolute_url()}"' in page
    fields = {"login": "owner", "password": PASSWORD, "next": scan.get_absolute_url()}
    assert client.post("/accounts/login/", fields).url == scan.get_absolute_url()


def profile(owner, **fields) -> dict[str, str]:
    return {"first_name": "", "last_name": "", "email": owner.email, "current_password": "", **fields}


def test_a_name_is_changed_and_shown(browse, owner):
    client = browse(owner)
    page = client.post("/profile/", profile(owner, first_name="Mara", last_name="Lindqvist"), follow=True)
    assert b"Saved." in page.content
    assert b"Mara Lindqvist" in page.content


def test_another_address_needs_the_password(browse, owner):
    client, address = browse(owner), "new@hospital.example"
    response = client.post("/profile/", profile(owner, email=address))
    assert response.status_code == 400
    assert b"Enter your current password" in response.content
    owner.refresh_from_db()
    assert owner.email != address
    client.post("/profile/", profile(owner, email=address, current_password=PASSWORD))
    owner.refresh_from_db()
    assert owner.email == address
    assert list(EmailAddress.objects.filter(user=owner).values_list("email", "primary")) == [(address, True)]


def test_the_address_of_somebody_else_is_refused(browse, owner):
    UserFactory(username="other", email="taken@hospital.example")
    fields = profile(owner, email="TAKEN@hospital.example", current_password=PASSWORD)
    response = browse(owner).post("/profile/", fields)
    assert response.status_code == 400
    assert b"Another account uses this e-mail address." in response.content


def test_after_changing_the_address_one_signs_in_with_it(browse, owner):
    fields = profile(owner, email="new@hospital.example", current_password=PASSWORD)
    browse(owner).post("/profile/", fields)
    response = browse().post("/accounts/login/", {"login": "new@hospital.example", "password": PASSWORD})
    assert response.status_code == 302


def test_the_first_account_is_told_what_to_do_until_there_is_another(browse):
    client = browse()
    client.post("/accounts/signup/", fields_of("first"))
    page = client.get("/").content.decode()
    assert "You are the administrator of this installation" in page
    assert "http://testserver/accounts/signup/" in page
    UserFactory()
    assert "You are the administrator" not in client.get("/").content.decode()


def test_nobody_else_sees_the_notice(browse, owner, staff):
    for user in (owner, staff):
        assert "You are the administrator" not in browse(user).get("/").content.decode()


@pytest.mark.parametrize(
    ("page", "sent", "field"),
    [
        ("/accounts/login/", None, "id_login"),
        ("/accounts/signup/", None, "id_username"),
        ("/accounts/password/reset/", None, "id_email"),
        ("/accounts/signup/", {"username": "someone", "email": "x"}, "id_email"),
    ],
)
def test_the_cursor_is_where_something_is_to_be_entered(browse, page, sent, field):
    client = browse()
    content = (client.post(page, sent) if sent else client.get(page)).content.decode()
    focused = re.findall(r"<input[^>]* autofocus[^>]*>", content)
    assert len(focused) == 1
    assert f'id="{field}"' in focused[0]
    assert ('aria-invalid="true"' in focused[0]) == bool(sent)


@pytest.mark.parametrize(
    ("profile", "cookie", "shown"),
    [
        ("", "", "UTC"),
        ("", "Europe/Berlin", "CET"),
        ("Asia/Tokyo", "Europe/Berlin", "JST"),
        ("", "../../etc/passwd", "UTC"),
        ("", "Nowhere/Land", "UTC"),
    ],
)
def test_times_are_in_the_zone_of_the_reader_and_name_it(browse, owner, scan, profile, cookie, shown):
    owner.time_zone = profile
    owner.save()
    Scan.objects.filter(pk=scan.pk).update(created_at=datetime(2026, 1, 15, 23, 30, tzinfo=UTC))
    client = browse(owner)
    client.cookies["timezone"] = cookie
    page = client.get(scan.get_absolute_url()).content.decode()
    at = {"UTC": "15 Jan 2026, 23:30:00", "CET": "16 Jan 2026, 00:30:00", "JST": "16 Jan 2026, 08:30:00"}[shown]
    assert f"{at} {shown}" in page


def test_the_time_zone_is_chosen_on_the_profile(browse, owner):
    fields = {"first_name": "A", "last_name": "B", "email": owner.email}
    assert browse(owner).post("/profile/", {**fields, "time_zone": "Mars/Base"}).status_code == 400
    page = browse(owner).post("/profile/", {**fields, "time_zone": "Europe/Zurich"}, follow=True).content.decode()
    assert "Times are shown in Europe/Zurich." in page
    assert '<option value="Europe/Zurich" selected>Europe/Zurich</option>' in page
    assert page.count(" selected>") == 1


@pytest.fixture
def no_mail_server(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"


def test_pages_say_that_no_email_is_sent(no_mail_server, browse, owner):
    client = browse()
    for address in ("/accounts/signup/", "/accounts/password/reset/", "/accounts/confirm-email/"):
        assert "no mail server" in client.get(address).content.decode(), address
    answer = client.post("/accounts/password/reset/", {"email": owner.email}, follow=True)
    assert "in the server's log" in answer.content.decode()
    assert "we have sent" not in answer.content.decode()


def test_without_a_mail_server_the_choice_of_emails_is_closed_and_kept(no_mail_server, browse, owner):
    set_notification_choices(owner, page=[], email=["failed"])
    page = browse(owner).get("/profile/").content.decode()
    assert "no mail server" in page
    boxes = re.findall(r'<input[^>]*type="checkbox"[^>]*name="email"[^>]*>', page)
    assert boxes
    assert all("disabled" in box for box in boxes)

    browse(owner).post("/profile/notifications/", {"page": ["reviewed"]})
    owner.refresh_from_db()
    assert wants(owner, "failed", EMAIL)
    assert wants(owner, "reviewed", PAGE)
