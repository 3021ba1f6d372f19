"""Who may read the metrics."""

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db
# An address of a documentation network: nobody's.
ELSEWHERE = "192.0.2.7"
TOKEN = "a-long-random-token"


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.0.1", "::1", "::ffff:127.0.0.1"])
def test_without_a_token_programs_on_this_machine_may_read(address):
    assert Client(REMOTE_ADDR=address).get("/metrics").status_code == 200


@pytest.mark.parametrize("address", [ELSEWHERE, "172.18.0.1", "::ffff:192.0.2.7", "2001:db8::1", "", "localhost"])
def test_without_a_token_other_machines_may_not(address):
    assert Client(REMOTE_ADDR=address).get("/metrics").status_code == 404


@pytest.mark.parametrize(
    "header", ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded", "Via", "X-Real-IP"]
)
def test_a_proxy_on_this_machine_is_not_this_machine(header):
    assert Client(REMOTE_ADDR="127.0.0.1", headers={header: "127.0.0.1"}).get("/metrics").status_code == 404


@pytest.mark.parametrize(
    "setting", [{"SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https")}, {"SECURE_SSL_REDIRECT": True}]
)
def test_an_installation_behind_a_proxy_trusts_no_address(setting, settings):
    """A proxy need not say for whom it asks."""
    for name, given in setting.items():
        setattr(settings, name, given)
    assert Client(REMOTE_ADDR="127.0.0.1").get("/metrics").status_code == 404


def test_without_a_token_staff_may_read_from_anywhere_and_others_may_not(staff, owner):
    for user, status in ((staff, 200), (owner, 404)):
        client = Client(REMOTE_ADDR=ELSEWHERE)
        client.force_login(user)
        assert client.get("/metrics").status_code == status


def test_staff_whose_account_was_closed_may_not(staff):
    client = Client(REMOTE_ADDR=ELSEWHERE)
    client.force_login(staff)
    staff.is_active = False
    staff.save()
    assert client.get("/metrics").status_code == 404


@pytest.mark.parametrize("address", [ELSEWHERE, "127.0.0.1"])
@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (f"Bearer {TOKEN}", 200),
        (f"bearer  {TOKEN} ", 200),
        (f"Bearer {TOKEN}x", 404),
        (f"Bearer {TOKEN[:-1]}", 404),
        (f"Token {TOKEN}", 404),
        (TOKEN, 404),
        ("Bearer", 404),
        ("Bearer ", 404),
        ("Bearer ÿ", 404),
        ("", 404),
    ],
)
def test_with_a_token_only_requests_that_carry_it_may_read(address, authorization, status, settings):
    settings.METRICS_TOKEN = TOKEN
    client = Client(REMOTE_ADDR=address, HTTP_AUTHORIZATION=authorization)
    assert client.get("/metrics").status_code == status


def test_with_a_token_nobody_reads_without_it(staff, settings):
    settings.METRICS_TOKEN = TOKEN
    client = Client()
    client.force_login(staff)
    assert client.get("/metrics").status_code == 404


def test_only_reading_is_allowed():
    assert Client().post("/metrics").status_code == 405
    assert Client().head("/metrics").status_code == 200
