"""A process that makes one PDF file: `python -m classifier.reports.pdf_child NICENESS`.

It imports WeasyPrint, waits for a document on its standard input, writes the PDF file to its standard output, and ends.
A process of its own, so that a document that takes too long can be killed, and its memory is returned.
"""

import io
import os
import resource
import select
import sys
from pathlib import Path

from fontTools.ttLib import woff2
from weasyprint import HTML
from weasyprint.text.fonts import FontConfiguration
from weasyprint.urls import FatalURLFetchingError, URLFetcher, URLFetcherResponse

IDLE_SECONDS = 600
MAX_CPU_SECONDS = 120
MAX_MEMORY = 2 * 1024**3
# Documents name fonts as pages do, by a path; the host stands for this machine and is never asked.
_BASE_URL = "http://report.invalid/"
_FONTS_URL = "http://report.invalid/static/vendor/inter/"
_FONTS = Path(__file__).resolve().parents[2] / "static" / "vendor" / "inter"


class OwnFiles(URLFetcher):
    """Fetch pictures inside the document and the vendored fonts, and nothing else: no network, no other file.

    The fonts are unpacked at once: it takes a third of the time of a report, and no document waits for it yet.
    """

    def __init__(self) -> None:
        super().__init__()
        self._fonts = {f"{_FONTS_URL}{path.name}": _unpacked(path) for path in sorted(_FONTS.glob("*.woff2"))}

    def fetch(self, url: str, headers: dict[str, str] | None = None) -> URLFetcherResponse:
        """Return the content of a URL. Raise `FatalURLFetchingError` for any that is not allowed."""
        if url.startswith("data:"):
            return super().fetch(url, headers)
        if url in self._fonts:
            return URLFetcherResponse(url, self._fonts[url], {"Content-Type": "font/ttf"})
        raise FatalURLFetchingError(f"A report refers to its own pictures and fonts only. Received: {url[:200]}")


def _unpacked(path: Path) -> bytes:
    """Return a WOFF2 font as TrueType."""
    buffer = io.BytesIO()
    woff2.decompress(str(path), buffer)
    return buffer.getvalue()


def main(niceness: int) -> None:
    """Make one PDF file. Return without one if no document arrives."""
    os.nice(niceness)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_CPU_SECONDS, MAX_CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    # Reading the system's list of fonts takes a moment, too.
    FontConfiguration()
    fetcher = OwnFiles()
    if not select.select([sys.stdin], [], [], IDLE_SECONDS)[0]:
        return
    document = sys.stdin.buffer.read().decode()
    if not document:  # the process that wanted a file has ended
        return
    html = HTML(string=document, base_url=_BASE_URL, url_fetcher=fetcher)
    sys.stdout.buffer.write(html.write_pdf(pdf_variant="pdf/ua-1"))


if __name__ == "__main__":
    main(int(sys.argv[1]))
