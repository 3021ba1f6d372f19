"""The cast, and the servers and processes that some tests need."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from rest_framework.test import APIClient

from classifier import report_files
from classifier.models import Membership, Scan, Team, User
from classifier.models.append_only import remove_triggers
from classifier.queue import broker
from devtools.running import RunningApp, embedded_app, server_app
from tests.factories import TeamFactory, UserFactory, join, make_analysis, make_scan

MODELS = Path(__file__).resolve().parent.parent / "models"


@pytest.fixture(autouse=True)
def _media(settings, tmp_path: Path) -> None:
    """Each test has a media folder of its own."""
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.fixture(autouse=True)
def _fresh_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test inherits another's broken broker."""
    monkeypatch.setattr(broker, "_paused_until", 0.0)


@pytest.fixture(autouse=True)
def _patient_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests for PDF files wait longer than in the product: a busy machine starts WeasyPrint slowly."""
    monkeypatch.setattr(report_files, "WEB_SECONDS", 60.0)


@pytest.fixture(autouse=True)
def _without_triggers_at_the_end(request: pytest.FixtureRequest) -> Iterator[None]:
    """Drop the triggers after a test with real transactions, so that the append-only tables can be emptied.

    Emptying the tables ends with the signal that creates the triggers again.
    """
    marker = request.node.get_closest_marker("django_db")
    transactional = (marker is not None and marker.kwargs.get("transaction")) or (
        {"transactional_db", "live_server"} & set(request.fixturenames)
    )
    if not transactional:
        yield
        return
    request.getfixturevalue("_django_db_helper")
    yield
    remove_triggers(connection)


@pytest.fixture
def owner(db: None) -> User:
    """The clinician whose scan it is."""
    return UserFactory(username="owner")


@pytest.fixture
def teammate(team: Team) -> User:
    """Another member of the owner's team."""
    return team.members.get(username="teammate")


@pytest.fixture
def outsider(db: None) -> User:
    """A clinician of another team, who must never see the scan."""
    user = UserFactory(username="outsider")
    join(TeamFactory(name="Elsewhere"), user, role=Membership.Role.OWNER)
    return user


@pytest.fixture
def staff(db: None) -> User:
    """An administrator."""
    return UserFactory(username="administrator", is_staff=True, is_superuser=True)


@pytest.fixture
def team(owner: User) -> Team:
    """The owner's team, with a teammate."""
    team = TeamFactory(name="Neuroradiology")
    join(team, owner, role=Membership.Role.OWNER)
    join(team, UserFactory(username="teammate"))
    return team


@pytest.fixture
def scan(owner: User) -> Scan:
    """The owner's own scan, analyzed."""
    scan = make_scan(owner, patient_reference="P-1")
    make_analysis(scan, state="succeeded")
    return scan


@pytest.fixture
def team_scan(owner: User, team: Team) -> Scan:
    """A scan that the owner shares with the team, analyzed."""
    scan = make_scan(owner, team=team, patient_reference="P-2")
    make_analysis(scan, state="succeeded")
    return scan


@pytest.fixture
def two_models(settings, tmp_path: Path) -> Path:
    """An installation with the models `compact` and `xception`, the default. Their folder is returned."""
    from tests.model_folders import make_model_folder

    settings.MODELS_DIR, settings.MODEL = tmp_path / "models", "xception"
    make_model_folder(settings.MODELS_DIR, "compact", version="0.1")
    make_model_folder(settings.MODELS_DIR, "xception", version="2.1.0")
    return settings.MODELS_DIR


@pytest.fixture
def browse(db: None):
    """Return a function that gives a client signed in as a user, or as nobody."""

    def client_of(user: User | None = None) -> Client:
        client = Client()
        if user is not None:
            client.force_login(user)
        return client

    return client_of


@pytest.fixture
def api(db: None):
    """Return a function that gives an API client acting for a user, or for nobody."""

    def client_of(user: User | None = None) -> APIClient:
        client = APIClient()
        if user is not None:
            client.force_authenticate(user)
        return client

    return client_of


@pytest.fixture(scope="session")
def running_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    """`manage.py up` on SQLite and the embedded broker, with the shipped network."""
    with embedded_app(tmp_path_factory.mktemp("embedded")) as app:
        yield app


@pytest.fixture(scope="session")
def running_server_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    """`manage.py up` on real PostgreSQL and Redis servers, with the shipped network."""
    with server_app(tmp_path_factory.mktemp("servers")) as app:
        yield app
