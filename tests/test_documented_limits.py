"""The limits that the documents state are those of the code."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from classifier.acceptance.limits import MAX_CASES
from classifier.api.disagreements import MAX_ITEMS
from classifier.api.export import MAX_ROWS
from classifier.api.preferences import MAX_WAIT_SECONDS
from classifier.api.queries import MAX_PAGE_SIZE
from classifier.api.urls import urlpatterns
from classifier.intake.limits import MAX_BYTES, MAX_MEMORY, MAX_PIXELS
from classifier.integrations.webhooks import messages
from classifier.integrations.webhooks.sending import PAUSES, RUN_SECONDS
from classifier.reports.archive_zip import MIN_FREE_BYTES
from classifier.reports.summary import SUMMARY_SCANS
from classifier.selectors.attention import LONG_WAIT, RECENT
from classifier.services import notification, report_request
from classifier.services.conversation import MAX_QUESTIONS
from classifier.web.uploads import MAX_FILES
from classifier.wording import megabytes

DOCS = Path(__file__).resolve().parent.parent / "docs"
*EARLIER, LAST_PAUSE = (f"{pause:,}" for pause in PAUSES)
MINUTES = LONG_WAIT // timedelta(minutes=1)


def api_routes() -> list[str]:
    """The routes below `/api/v1/`, with `{}` for every parameter."""
    routes = (str(item.pattern) for item in urlpatterns)
    return sorted({re.sub(r"<[^>]+>", "{}", route) for route in routes if route.startswith("v1/")})


@pytest.mark.parametrize("route", api_routes())
def test_the_document_lists_every_url_of_the_api(route):
    table = (DOCS / "integrators.md").read_text(encoding="utf-8").split("## All endpoints")[1].split("\n\n")[1]
    urls = [re.sub(r"\{[^}]+\}", "{}", url.partition("?")[0]) for url in re.findall(r"`([^`]+)`", table)]
    # After the first URL of a row, the others may leave out what they have in common.
    written = {url if url.startswith("/api/") else url.removeprefix("…").lstrip("/") for url in urls}
    assert f"/api/{route}" in written or any(route.endswith(f"/{url}") for url in written)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("clinicians", f"at most {megabytes(MAX_BYTES)} and {MAX_PIXELS // 10**6} million pixels per file"),
        ("clinicians", f"at most {MAX_FILES} files at once"),
        ("clinicians", f"A conversation has at most {MAX_QUESTIONS} questions"),
        ("clinicians", f"Notifications that you have read are deleted after {notification.KEPT.days} days"),
        ("clinicians", f"a report of each scan, at most {report_request.MAX_SCANS:,}, and"),
        ("clinicians", f"it lists the first {SUMMARY_SCANS}"),
        ("integrators", f"waits for at most {report_request.MAX_ACTIVE_PDFS} such files"),
        ("integrators", f"selects at most {report_request.MAX_SCANS:,} scans"),
        ("integrators", f"waits for at most {report_request.MAX_ACTIVE_ZIPS} ZIP files"),
        ("integrators", f"keeps at most {report_request.MAX_KEPT_BYTES // 1000**3} GB"),
        ("operators", f"leaves {MIN_FREE_BYTES // 1000**3} GB of the disk free"),
        ("operators", f"more than {report_request.MAX_KEPT_BYTES // 1000**3} GB of finished files"),
        ("clinicians", f"your scans of the last {RECENT.days} days that failed"),
        ("clinicians", f"have waited for more than {MINUTES} minutes"),
        ("integrators", f"`page_size` ≤ {MAX_PAGE_SIZE}"),
        ("integrators", f"a `page_size` outside 1 to {MAX_PAGE_SIZE}"),
        ("integrators", f"at most {MAX_ROWS:,} rows"),
        ("integrators", f"the most certain answers first, at most {MAX_ITEMS}"),
        ("integrators", f"or after {MAX_WAIT_SECONDS} seconds"),
        ("integrators", f"messages of the last {messages.KEPT.days} days"),
        ("integrators", f"sent again after {', '.join(EARLIER)}, and {LAST_PAUSE} minutes"),
        ("operators", f"each with at most {MAX_MEMORY // 2**20} MiB"),
        ("operators", f"A commissioning has at most {MAX_CASES:,} scans"),
        ("operators", f"for at most {RUN_SECONDS:.0f} seconds per run"),
        ("operators", f"Messages are deleted after {messages.KEPT.days} days"),
    ],
)
def test_documents_state_the_limits_of_the_code(document, words):
    assert words in " ".join((DOCS / f"{document}.md").read_text(encoding="utf-8").split())
