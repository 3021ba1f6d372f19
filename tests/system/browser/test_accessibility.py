"""Every page of the resolver in both themes and at two widths: axe, sideways overflow, and the console."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import get_resolver, reverse
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

from devtools.running import RunningApp
from tests.permission_rules import resolver_names
from tests.system.browser.conftest import PHONE

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.real_weights]

POPULATE = "from tests.system.browser.population import populate; populate()"
SIZES = {"desktop": {"viewport": {"width": 1440, "height": 900}}, "phone": PHONE}
# Without `preload` axe adds no styles of its own, which the content security policy would report.
ALL: dict[str, Any] = {"resultTypes": ["violations"], "preload": False}
# Of the rules only these can depend on the theme.
COLORS = {**ALL, "runOnly": ["color-contrast", "link-in-text-block"]}


SCROLLING = """[...document.querySelectorAll("main .scroll-x")]
    .filter(box => box.scrollWidth > box.clientWidth + 1)
    .map(box => box.innerText.slice(0, 60))"""
"""Tables that do not fit their box."""


@dataclass(frozen=True)
class Population:
    """What is stored in the installation; see `population.populate`."""

    sessions: dict[str, str]
    arguments: dict[str, str]
    states: dict[str, str]
    sealed: str
    opened: str
    draft: str
    number: str
    open_commissioning: str


@pytest.fixture(scope="module")
def population(running_app: RunningApp) -> Population:
    printed = running_app.manage("shell", "-v", "0", "-c", POPULATE).stdout
    return Population(**json.loads(printed.splitlines()[-1]))


@dataclass
class Visitor:
    """A window of one person that collects complaints about what it sees."""

    page: Page
    complaints: list[str]
    label: str = ""

    def __post_init__(self) -> None:
        self.page.on("console", self._listen)
        self.page.on("pageerror", lambda error: self.complain(f"script error: {error}"))

    def _listen(self, message: ConsoleMessage) -> None:
        # A browser reports the status of an error page as an error.
        itself = message.text.startswith("Failed to load resource") and message.location["url"] == self.page.url
        if message.type == "error" and not itself:
            self.complain(f"console: {message.text}")

    def complain(self, text: str) -> None:
        self.complaints.append(f"{self.label}: {text}")

    def visit(self, path: str, prepare: Callable[[Page], Any] | None = None) -> None:
        """Open a page, bring it into the state that is meant, and look at it in both themes."""
        self.label = path
        self.page.emulate_media(color_scheme="light", reduced_motion="reduce")
        self.page.goto(path)
        if path == "/api/docs/":
            self.page.locator(".opblock").last.wait_for()
        if prepare is not None:
            prepare(self.page)
        self._look(ALL)
        self.page.emulate_media(color_scheme="dark", reduced_motion="reduce")
        # The new colors hold from the next frame on. Those of Django's administration fade in.
        self.page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        self.page.evaluate("Promise.all(document.getAnimations().map(fading => fading.finished.catch(() => null)))")
        self._look(COLORS)

    def _look(self, options: dict[str, Any]) -> None:
        found = Axe().run(self.page, options=options).response["violations"]
        for violation in found:
            for node in violation["nodes"]:
                reasons = [check["message"] for kind in ("any", "all", "none") for check in node[kind]]
                self.complain(f"{violation['id']}: {node['target']} {node['html'][:120]} {reasons}")
        # A phone widens its window, and so `innerWidth`, to what does not fit.
        width, room = self.page.evaluate("document.documentElement.scrollWidth"), self.page.viewport_size["width"]
        if width > room:
            self.complain(f"{width} pixels wide in {room}")


@pytest.fixture
def visitor(browser: Browser, running_app: RunningApp, population: Population) -> Iterator[Callable[..., Visitor]]:
    """Return a function that opens a person's window. No complaint may be left at the end."""
    complaints: list[str] = []
    contexts: list[BrowserContext] = []

    def open_for(size: str, user: str | None = None) -> Visitor:
        context = browser.new_context(base_url=running_app.base_url, **SIZES[size])  # type: ignore[arg-type]
        contexts.append(context)
        if user is not None:
            cookie = {"name": "sessionid", "value": population.sessions[user], "url": running_app.base_url}
            context.add_cookies([cookie])  # type: ignore[list-item]
        page = context.new_page()
        page.set_default_timeout(20_000)
        return Visitor(page, complaints)

    yield open_for
    for context in contexts:
        context.close()
    assert not complaints, "\n".join(complaints)


def addresses(arguments: dict[str, str]) -> Iterator[str]:
    """Every URL of the resolver, with its arguments filled in. Of the administration only the main pages."""
    for name in resolver_names():
        if name.startswith("admin:"):
            continue
        resolver = get_resolver()
        for part in name.split(":")[:-1]:
            resolver = resolver.namespace_dict[part][1]
        wanted = resolver.reverse_dict.getlist(name.split(":")[-1])[0][0][0][1]
        # Samples and models have names.
        values = arguments | ({"name": "xception"} if "model" in name else {})
        missing = set(wanted) - set(values)
        assert not missing, f"{name} needs {missing}: store one in population.py."
        yield reverse(name, kwargs={key: values[key] for key in wanted})


def pages(context: BrowserContext, arguments: dict[str, str]) -> list[str]:
    """The URLs that answer with a whole page: no redirection, file, fragment, or refusal of the method."""
    found = []
    for path in addresses(arguments):
        answer = context.request.get(path, max_redirects=0)
        is_html = answer.headers.get("content-type", "").startswith("text/html")
        is_file = "attachment" in answer.headers.get("content-disposition", "")
        if answer.status == 200 and is_html and not is_file and "<html" in answer.text():
            found.append(path)
    return found


@pytest.mark.parametrize("size", SIZES)
def test_every_page_of_the_resolver(size, visitor, population):
    for user in (None, "owner"):
        window = visitor(size, user)
        paths = pages(window.page.context, population.arguments)
        assert len(paths) > 5
        for path in paths:
            window.visit(path)


@pytest.mark.parametrize("size", SIZES)
def test_every_state_of_a_scan(size, visitor, population):
    window = visitor(size, "owner")
    for scan in population.states.values():
        window.visit(f"/scans/{scan}/")
    window.visit(f"/scans/{population.states['glioma']}/", lambda page: page.check("[name=verdict][value=correct]"))
    window.visit(f"/scans/{population.states['glioma']}/", lambda page: page.keyboard.press("?"))
    window.visit(f"/scans/{population.states['marked']}/crop/")
    window.visit(f"/scans/{population.states['glioma']}/report/")
    window.visit(f"/scans/{population.states['failed']}/report.html")
    window.visit(f"/reports/{population.draft}/sign/")
    window.visit(f"/reports/verify/?number={population.number}")
    reader = visitor(size, "reader")
    reader.visit("/scans/")
    for scan in (population.sealed, population.opened):
        reader.visit(f"/scans/{scan}/")
    reader.visit(f"/scans/{population.sealed}/report/")


def test_figures_of_models_need_no_sideways_scrolling_on_a_phone(visitor, population):
    window = visitor("phone", "owner")
    paths = ["/models/", "/models/?protocol=official", "/models/xception/", "/models/in-use/", "/models/disagreements/"]
    paths += [
        f"/commissioning/{population.arguments['commissioning_id']}/",
        f"/scans/{population.states['meningioma']}/",
    ]
    for path in paths:
        window.label = path
        window.page.goto(path)
        window.page.evaluate("document.querySelectorAll('main details').forEach(fold => { fold.open = true; })")
        for wide in window.page.evaluate(SCROLLING):
            window.complain(f"a table scrolls sideways: {wide}")


@pytest.mark.parametrize("size", SIZES)
def test_forms_that_were_refused_and_other_special_states(size, visitor, population):
    window = visitor(size, "owner")
    window.visit("/nothing/")
    window.visit("/scans/?result=failed&patient_reference=nobody&uploaded_after=2026-13-01")
    window.visit("/scans/", lambda page: page.locator(".filters-label:visible").all() and page.click(".filters-label"))
    window.visit("/", lambda page: page.click("summary[aria-label^=Account]"))
    window.visit("/profile/", lambda page: submit(page, "#id_email", "new@hospital.example"))
    window.visit("/profile/tokens/", lambda page: submit(page, "#id_name", "Archive"))
    window.visit("/profile/webhooks/", lambda page: submit(page, "#id_url", "ris.example.org"))
    window.visit("/reports/templates/", lambda page: submit(page, "#id_name", "MR {unknown}"))
    team = population.arguments["team_id"]
    window.visit(f"/teams/{team}/", lambda page: submit(page, "#id_identifier", "nobody"))
    window.visit(f"/commissioning/{population.open_commissioning}/")
    window.visit(f"/teams/{team}/commissioning/", lambda page: submit(page, "#id_sensitivity", "101"))
    visitor(size, "teammate").visit(f"/scans/{population.states['meningioma']}/edit/")
    newcomer = visitor(size, "newcomer")
    for path in ("/", "/scans/", "/batches/", "/attention/", "/reports/", "/teams/"):
        newcomer.visit(path)
    for path in ("/profile/tokens/", "/profile/webhooks/"):
        newcomer.visit(path)
    anonymous = visitor(size)
    anonymous.visit("/accounts/login/", lambda page: submit(page, "#id_login", "nobody", "#id_password", "wrong"))
    anonymous.visit(
        "/accounts/signup/", lambda page: submit(page, "#id_username", "Mara Ł", "#id_email", "m@h.example")
    )
    administrator = visitor(size, "founder")
    for path in ("/admin/", "/admin/classifier/user/", "/admin/classifier/user/add/"):
        administrator.visit(path)


def submit(page: Page, *fields: str) -> None:
    """Fill in fields, given as selectors and values in turn, and send their form without the browser's own checks."""
    for selector, value in zip(fields[::2], fields[1::2], strict=True):
        page.fill(selector, value)
    field = page.locator(fields[0])
    field.evaluate("field => { field.form.noValidate = true; }")
    with page.expect_navigation():
        page.locator("form", has=field).locator("[type=submit]").first.click()
