"""An installation of each kind that all scenarios share, and where their figures go."""

from collections.abc import Generator, Iterator

import pytest

from tests.system.chaos.figures import record
from tests.system.chaos.forms import Form, chosen_form, is_recorded
from tests.system.chaos.installation import Installation, installation
from tests.system.chaos.scenario import Scenario

# One scenario of the long form; what hangs longer is a failure itself.
LONG_TIMEOUT = 1800
PASSED = pytest.StashKey[bool]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "target" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.chaos)
            item.add_marker(pytest.mark.processes)
            item.add_marker(pytest.mark.real_weights)
            if chosen_form().name == "long":
                item.add_marker(pytest.mark.timeout(LONG_TIMEOUT))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport]:
    report = yield
    if report.when == "call":
        item.stash[PASSED] = report.passed
    return report


@pytest.fixture(scope="session")
def form() -> Form:
    """The short form, or what `CHAOS` asks for."""
    return chosen_form()


@pytest.fixture(scope="session", params=["embedded", "servers"])
def target(
    request: pytest.FixtureRequest, form: Form, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """A running BrainScan on one kind of servers."""
    with installation(request.param, tmp_path_factory.mktemp(request.param), form) as running:
        yield running


@pytest.fixture
def scenario(request: pytest.FixtureRequest, target: Installation, form: Form) -> Iterator[Scenario]:
    """A scenario on it; its figures are written down when a form was asked for and it passed."""
    target.remove_faults()
    scenario = Scenario(target, form)
    yield scenario
    scenario.load.give_up()
    if is_recorded() and request.node.stash.get(PASSED, False):
        variants = [str(value) for name, value in request.node.callspec.params.items() if name != "target"]
        name = " ".join([request.function.__name__.removeprefix("test_").replace("_", " "), *variants])
        record(form, scenario=name, target=target, figures=scenario.figures)
