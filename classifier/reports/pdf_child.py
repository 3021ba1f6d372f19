"""A process that makes PDF files: `python -m classifier.reports.pdf_child NICENESS`.

It imports WeasyPrint and waits for documents on its standard input; each becomes a PDF file on its standard output. It
ends after `MAX_DOCUMENTS`. A process of its own, so that a document that takes too long can be killed, and its memory
is returned. `pdf_process` is the other end.
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

from classifier.reports.pdf_process import LENGTH, MAX_DOCUMENTS

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
    """Make one PDF file after the other. Return when no document arrives any more."""
    os.nice(niceness)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    # Reading the system's list of fonts takes a moment, too.
    FontConfiguration()
    fetcher = OwnFiles()
    for _ in range(MAX_DOCUMENTS):
        if not select.select([sys.stdin], [], [], IDLE_SECONDS)[0]:
            return
        document = _received()
        if document is None:
            return
        used = resource.getrusage(resource.RUSAGE_SELF)
        seconds = int(used.ru_utime + used.ru_stime) + MAX_CPU_SECONDS
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))
        html = HTML(string=document, base_url=_BASE_URL, url_fetcher=fetcher)
        data = html.write_pdf(pdf_variant="pdf/ua-1")
        sys.stdout.buffer.write(LENGTH.pack(len(data)) + data)
        sys.stdout.buffer.flush()


def _received() -> str | None:
    """Return the next document; None if the process that wants files has ended."""
    length = sys.stdin.buffer.read(LENGTH.size)
    if len(length) < LENGTH.size:
        return None
    (size,) = LENGTH.unpack(length)
    document = sys.stdin.buffer.read(size)
    return document.decode() if len(document) == size else None


if __name__ == "__main__":
    main(int(sys.argv[1]))
