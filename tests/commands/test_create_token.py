"""`manage.py create_token`."""

import io

import pytest
from django.core.management import CommandError, call_command
from rest_framework.test import APIClient

from classifier.models import User

pytestmark = pytest.mark.django_db


def token_for(*arguments: str) -> str:
    out = io.StringIO()
    call_command("create_token", *arguments, stdout=out)
    lines = out.getvalue().splitlines()
    assert len(lines) == 1
    return lines[0]


def test_the_token_opens_the_api(owner):
    client = APIClient(headers={"Authorization": f"Token {token_for('owner')}"})
    assert client.get("/api/v1/scans/").status_code == 200


def test_a_wrong_token_does_not(owner):
    client = APIClient(headers={"Authorization": f"Token {token_for('owner')[:-1]}x"})
    assert client.get("/api/v1/scans/").status_code == 401


def test_an_account_is_found_by_email(owner):
    assert token_for(owner.email.upper())


def test_a_missing_account_is_reported():
    with pytest.raises(CommandError, match="Add --create"):
        call_command("create_token", "nobody")


def test_create_makes_an_account_without_a_password():
    assert token_for("pacs", "--create")
    user = User.objects.get(username="pacs")
    assert not user.has_usable_password()


@pytest.mark.parametrize("name", ["two words", "a/b", ""])
def test_an_impossible_name_is_refused(name):
    with pytest.raises(CommandError) as refused:
        call_command("create_token", name, "--create")
    assert "email" not in str(refused.value)


def test_a_deactivated_account_gets_none(owner):
    owner.is_active = False
    owner.save()
    with pytest.raises(CommandError, match="deactivated"):
        call_command("create_token", "owner")


def test_a_program_is_never_the_administrator_and_the_first_person_is():
    token_for("pacs", "--create")
    person = User.objects.create_user("meyer", "meyer@hospital.example", "correct horse battery")
    assert not User.objects.get(username="pacs").is_superuser
    assert person.is_superuser


def test_a_name_in_other_case_is_the_same_account(owner):
    token_for("OWNER", "--create")
    assert User.objects.filter(username__iexact="owner").count() == 1
