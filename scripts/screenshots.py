"""Take the screenshots of `docs/images/` that the documents show.

    python scripts/screenshots.py

Starts `manage.py up` with its data in a temporary folder, uploads the sample scans, waits for their results, and
captures the pages in headless Chromium. Takes about a minute.
"""

import io
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from devtools.running import RunningApp, embedded_app  # noqa: E402

IMAGES = ROOT / "docs" / "images"
PASSWORD = "only for the pictures"
# Width, height of the window in CSS pixels, and device pixels per CSS pixel.
WINDOWS = {"desktop": (1440, 960, 1), "phone": (390, 844, 2)}
SAMPLES = (
    ("pituitary-1", "P-0107"),
    ("notumor-1", "STUDY-12/0031"),
    ("glioma-2", "P-0042"),
    ("meningioma-3", "NR-118"),
    ("notumor-3", "P-0019"),
    ("glioma-1", "P-0231"),
    ("pituitary-3", "STUDY-12/0044"),
    ("notumor-2", ""),
    ("glioma-3", "P-0042"),
    ("meningioma-1", "P-0119"),
    ("pituitary-2", "P-0077"),
    ("meningioma-2", "P-0042"),
)
# The chart of the history has one bar per day, so spread the uploads over several days.
SPREAD = """
from datetime import timedelta
from classifier.models import Analysis, Scan
for number, scan in enumerate(Scan.objects.order_by("-created_at")):
    back = timedelta(days=number * number // 6, hours=3 * (number % 4) + number)
    Analysis.objects.filter(scan=scan).update(queued_at=scan.current_analysis.queued_at - back,
                                              finished_at=scan.current_analysis.finished_at - back)
    Scan.objects.filter(pk=scan.pk).update(created_at=scan.created_at - back)
"""


@contextmanager
def window(browser: Browser, *, kind: str, theme: str = "light", state: object = None) -> Iterator[Page]:
    """Open a page of the given kind of device."""
    width, height, scale = WINDOWS[kind]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        device_scale_factor=scale,
        is_mobile=kind == "phone",
        has_touch=kind == "phone",
        color_scheme=theme,  # type: ignore[arg-type]
        reduced_motion="reduce",
        storage_state=state,  # type: ignore[arg-type]
        locale="en-GB",
    )
    yield context.new_page()
    context.close()


def save(page: Page, *, name: str) -> None:
    """Save a screenshot of the window."""
    page.wait_for_load_state("networkidle")
    # Fonts and charts settle after the last request.
    page.wait_for_timeout(400)
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    IMAGES.mkdir(parents=True, exist_ok=True)
    path = IMAGES / f"{name}.png"
    picture.save(path, optimize=True)
    print(f"{path.relative_to(ROOT)}  {path.stat().st_size // 1024} KB")


def prepare(page: Page, *, app: RunningApp) -> str:
    """Create an account, a team, and a history; return the path of the newest scan."""
    # The first account is the administrator, whose pages say more.
    app.manage("create_token", "administrator", "--create")
    page.goto(f"{app.base_url}/accounts/signup/")
    for field, value in {"username": "mara.lindqvist", "email": "mara.lindqvist@hospital.example"}.items():
        page.fill(f"#id_{field}", value)
    for field in ("password1", "password2"):
        page.fill(f"#id_{field}", PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_url(f"{app.base_url}/")
    page.goto(f"{app.base_url}/profile/")
    page.fill("#id_first_name", "Mara")
    page.fill("#id_last_name", "Lindqvist")
    page.click("main button[type=submit]")
    page.goto(f"{app.base_url}/teams/")
    page.fill("#id_name", "Neuroradiology")
    page.click("main form button[type=submit]")
    for number, (sample, reference) in enumerate(SAMPLES):
        page.goto(f"{app.base_url}/")
        page.fill("#id_patient_reference", reference)
        if number % 2:
            page.select_option("#id_team", label="Neuroradiology")
        page.set_input_files("#id_image", ROOT / "samples" / f"{sample}.jpg")
        page.wait_for_url("**/scans/*-*/")
        page.locator(".viewer-note, .bars").first.wait_for(timeout=60_000)
    path = page.url.removeprefix(app.base_url)
    app.manage("shell", "-c", SPREAD)
    return path


def main() -> int:
    """Run from the command line."""
    chromium = shutil.which("chromium")
    if chromium is None:
        print("Chromium is not installed: the pictures cannot be taken.", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder, embedded_app(Path(folder)) as app, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-background-networking"]
        )
        with window(browser, kind="desktop") as page:
            result = prepare(page, app=app)
            state = page.context.storage_state()
        pages = (
            ("upload", "/", "desktop", "light"),
            ("result", result, "desktop", "light"),
            ("result", result, "phone", "dark"),
            ("history", "/scans/", "desktop", "light"),
            ("models", "/models/", "desktop", "light"),
        )
        for name, path, kind, theme in pages:
            with window(browser, kind=kind, theme=theme, state=state) as page:
                page.goto(f"{app.base_url}{path}")
                save(page, name=f"{name}-{kind}")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
