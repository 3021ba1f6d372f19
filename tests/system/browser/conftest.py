"""Headless Chromium, driven against a whole running BrainScan."""

import itertools
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from devtools.running import RunningApp

SAMPLES = Path(__file__).resolve().parents[3] / "samples"
MENINGIOMA = SAMPLES / "meningioma-1.jpg"
RESULT = re.compile(r"^\s*(Probably |No tumor seen|Uncertain: |This does not look like)")
PASSWORD = "correct horse battery"
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
_numbers = itertools.count(1)
# A result takes a second; the first one of a busy machine takes longer.
expect.set_options(timeout=30_000)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Chromium is not installed: the pages are not tried in a real browser.")
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-background-networking"]
        launched = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield launched
        launched.close()


@pytest.fixture
def open_page(browser: Browser, running_app: RunningApp) -> Iterator[Callable[..., Page]]:
    """Return a function that opens a window. No window may break the content security policy or raise in a script."""
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            complaints.append(message.text)

    @contextmanager
    def window(**options: object) -> Iterator[Page]:
        context = browser.new_context(base_url=running_app.base_url, **options)  # type: ignore[arg-type]
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", listen)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield page
        context.close()

    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(window(**options))
    assert complaints == []


@pytest.fixture
def sign_up() -> Callable[[Page], str]:
    """Return a function that makes an account on the page and returns its user name."""

    def make(page: Page) -> str:
        name = f"clinician{next(_numbers)}"
        page.goto("/accounts/signup/")
        page.fill("#id_username", name)
        page.fill("#id_email", f"{name}@hospital.example")
        page.fill("#id_password1", PASSWORD)
        page.fill("#id_password2", PASSWORD)
        page.click("main button[type=submit]")
        page.wait_for_selector("#upload-heading")
        return name

    return make


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    """A file that is no image, whatever its name says."""
    path = tmp_path / "letter with a rather long name that does not fit anywhere.jpg"
    path.write_text("<html>Dear colleague</html>")
    return path
