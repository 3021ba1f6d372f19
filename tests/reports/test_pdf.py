"""PDF files, made by real child processes."""

import io
import re
import subprocess
import sys

import pdfplumber
import pikepdf
import pytest

from classifier.reports import pdf_process
from classifier.reports.html import document, scan_report, style
from classifier.reports.pdf import PdfFailed, PdfTimeout, Renderer
from classifier.selectors.scan import get_scan
from tests.reports.conftest import signed_report

SECONDS = 60


@pytest.fixture(scope="module")
def renderer():
    made = Renderer()
    yield made
    made.stop()


def test_a_report_is_a_tagged_pdf_with_language_title_and_text(current_scan, owner, renderer) -> None:
    scan = current_scan()
    signed = signed_report(scan, owner)
    view = scan_report(owner, get_scan(owner, scan.pk))

    data = renderer.render(document(view), seconds=SECONDS)

    with pikepdf.open(io.BytesIO(data)) as file:
        assert file.Root.MarkInfo.Marked
        assert str(file.Root.Lang) == "en"
        assert file.Root.ViewerPreferences.DisplayDocTitle
        with file.open_metadata() as metadata:
            assert metadata["dc:title"] == f"Report on scan {scan.short_id}, P-7"
            assert metadata["pdfuaid:part"] == "1"
        kinds = structure_types(file.Root.StructTreeRoot)
        assert {"/H1", "/H2", "/P", "/Figure", "/Table", "/TH", "/L"} <= kinds.keys()
        assert all("/Alt" in figure for figure in kinds["/Figure"])
        assert all(embedded(font) for page in file.pages for font in page.Resources.Font.values())
    with pdfplumber.open(io.BytesIO(data)) as file:
        text = "\n".join(page.extract_text() for page in file.pages)
        assert f"Page 1 of {len(file.pages)}" in text
    for words in ("Probably meningioma (91%)", "≥ 2 cm", "Meningioma likely.", signed.number, "Signed by owner"):
        assert words in text
    assert signed.sha256 in re.sub(r"\s", "", text)


def structure_types(node, found=None) -> dict:
    """Return the structure elements of a PDF file by type."""
    found = {} if found is None else found
    if isinstance(node, pikepdf.Array):
        for child in node:
            structure_types(child, found)
    elif isinstance(node, pikepdf.Dictionary):
        if "/S" in node:
            found.setdefault(str(node.S), []).append(node)
        if "/K" in node:
            structure_types(node.K, found)
    return found


def embedded(font) -> bool:
    descriptors = [child.FontDescriptor for child in font.get("/DescendantFonts", [font])]
    return all({"/FontFile", "/FontFile2", "/FontFile3"} & set(descriptor.keys()) for descriptor in descriptors)


def test_equal_documents_give_equal_files(renderer) -> None:
    page = f"<html lang=en><title>A</title><style>{style()}</style><h1>A</h1></html>"
    assert renderer.render(page, seconds=SECONDS) == renderer.render(page, seconds=SECONDS)


def test_a_process_makes_several_files_before_another_takes_its_place(renderer, monkeypatch) -> None:
    monkeypatch.setattr(pdf_process, "MAX_DOCUMENTS", 2)
    renderer.stop()
    renderer.warm_up()
    pids, files = [], set()
    for _ in range(3):
        pids.append(renderer._spare.pid)
        files.add(renderer.render("<html lang=en><title>A</title><p>A</html>", seconds=SECONDS))
    assert pids[0] == pids[1] != pids[2]
    assert len(files) == 1


def test_a_document_that_takes_too_long_is_given_up_and_the_next_one_is_made(renderer) -> None:
    page = "<html lang=en><title>A</title><table>" + "<tr><td>a<td>b</tr>" * 20000 + "</table></html>"
    with pytest.raises(PdfTimeout):
        renderer.render(page, seconds=0.5)
    assert renderer.render("<html lang=en><title>A</title><p>B</html>", seconds=SECONDS).startswith(b"%PDF")


def test_a_document_reads_no_file_and_no_network(renderer, tmp_path) -> None:
    secret = tmp_path / "secret.svg"
    secret.write_text("<svg xmlns='http://www.w3.org/2000/svg'></svg>")
    page = f"<html lang=en><title>A</title><img alt=a src='{secret.as_uri()}'></html>"
    with pytest.raises(PdfFailed):
        renderer.render(page, seconds=SECONDS)


def test_the_waiting_child_ends_with_its_parent() -> None:
    program = "from classifier.reports.pdf import Renderer; r = Renderer(); r.warm_up(); print(r._spare.pid)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=SECONDS)
    gone = subprocess.run(["timeout", "60", "tail", f"--pid={done.stdout.strip()}", "-f", "/dev/null"], check=False)
    assert gone.returncode == 0
