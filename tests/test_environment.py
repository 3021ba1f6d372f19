"""Invalid settings stop the start with a message; valid ones are understood."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from brainscan import environment
from devtools.running import ROOT


def manage(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    kept = {"PATH": os.environ["PATH"], "SECRET_KEY": "x" * 50}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=kept | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("DEBUG", "maybe"), ("PORT", "99999"), ("PORT", ""), ("BATCH_SIZE", "0"), ("REDIS_URL", "garbage")),
        *(("ALLOWED_HOSTS", "https://scans.example.org"), ("CSRF_TRUSTED_ORIGINS", "scans.example.org")),
    ],
)
def test_an_invalid_value_is_named_without_a_traceback(name, value, tmp_path):
    done = manage("check", **({"DATA_DIR": str(tmp_path)} | {name: value}))
    assert done.returncode == 1
    assert done.stderr.startswith(f"BrainScan cannot start: {name} is invalid: use ")
    assert "Traceback" not in done.stderr


def test_a_folder_that_cannot_be_used_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    done = manage("up", DATA_DIR=str(tmp_path / "file" / "data"))
    assert done.returncode == 1
    assert "DATA_DIR cannot be used" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [({"MODEL": "nope"}, "MODEL=nope cannot be used"), ({"ENGINE": "steam"}, "ENGINE must be one of auto")],
)
def test_a_model_that_cannot_be_used_stops_the_start(variables, sentence, tmp_path):
    done = manage("up", DATA_DIR=str(tmp_path), **variables)
    assert done.returncode == 1
    assert sentence in done.stderr


def test_an_invalid_url_is_not_repeated_with_its_password(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "mysql://brainscan:secret@host/name")
    with pytest.raises(ImproperlyConfigured, match="postgres://") as caught:
        environment.setting("DATABASE_URL", "", environment.url("postgres"))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("word", "meaning"), [("1", True), ("Yes", True), ("off", False), ("FALSE", False)])
def test_switches(word, meaning):
    assert environment.flag(word) is meaning


@pytest.mark.parametrize("value", ["", "x", "1.5", "0", "11", "1e3", "--5"])
def test_numbers_out_of_range(value):
    with pytest.raises(ImproperlyConfigured, match="from 1 to 10"):
        environment.number(minimum=1, maximum=10)(value)


@pytest.mark.parametrize("value", ["", ",", "https://scans.example.org", "scans.example.org:80", "a b", "a/b", "ä.org"])
def test_host_names_have_no_scheme_and_no_port(value):
    with pytest.raises(ImproperlyConfigured, match="host names"):
        environment.host_names(value)


def test_host_names_are_those_that_django_understands():
    names = ["*", ".scans.example.org", "localhost", "127.0.0.1", "[::1]", "web_1", "host.example.org."]
    assert environment.host_names(", ".join(names)) == names


@pytest.mark.parametrize("value", ["scans.example.org", "https://scans.example.org/", "ftp://scans.example.org", "*"])
def test_origins_have_a_scheme_and_no_path(value):
    with pytest.raises(ImproperlyConfigured, match="origins"):
        environment.origins(value)


def test_origins_are_those_that_django_understands():
    assert environment.origins("") == []
    origins = ["https://scans.example.org", "http://localhost:8000", "https://*.example.org", "http://[::1]:8000"]
    assert environment.origins(", ".join(origins)) == origins


def test_an_invalid_token_is_not_repeated(monkeypatch):
    monkeypatch.setenv("METRICS_TOKEN", "sécret")
    with pytest.raises(ImproperlyConfigured, match="METRICS_TOKEN is invalid: use only letters") as caught:
        environment.setting("METRICS_TOKEN", "", environment.token)
    assert "cret" not in str(caught.value)
    monkeypatch.setenv("METRICS_TOKEN", " abc-1_Z+/w== ")
    assert environment.setting("METRICS_TOKEN", "", environment.token) == "abc-1_Z+/w=="


def test_a_time_zone_exists():
    assert environment.time_zone("Europe/Berlin") == "Europe/Berlin"
    with pytest.raises(ImproperlyConfigured):
        environment.time_zone("Mars/Olympus")


def test_the_secret_key_is_made_once_and_private(tmp_path):
    first = environment.embedded_secret_key(tmp_path / "data")
    assert environment.embedded_secret_key(tmp_path / "data") == first
    assert len(first) >= 50
    assert os.stat(tmp_path / "data" / "secret_key").st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["secret_key"]


def test_a_deep_data_folder_gets_its_socket_elsewhere(tmp_path):
    near = environment.broker_socket(tmp_path / "d")
    deep = environment.broker_socket(tmp_path / ("x" * 120))
    assert near.is_relative_to(tmp_path)
    assert not deep.is_relative_to(tmp_path)
    assert len(os.fsencode(deep)) <= environment.MAX_SOCKET_PATH


def test_redis_socket_urls_are_spelled_for_kombu():
    assert environment.kombu_url("unix:///run/redis.sock") == "redis+socket:///run/redis.sock"
    assert environment.kombu_url("rediss://host:6380/1") == "rediss://host:6380/1"


def test_a_data_folder_may_have_any_sign_in_its_name():
    assert environment.socket_url(Path("/srv/my data%41#x?")) == "redis+socket:///srv/my%20data%2541%23x%3F"
