"""Reports over the API."""

import io
from datetime import timedelta
from threading import Event

import pdfplumber
import pytest
from django.utils import timezone

from classifier import report_files
from classifier.models import ReportArchive
from classifier.reports import archive_pdf
from classifier.reports.archive import make_archives
from classifier.services import report_request
from tests.factories import make_analysis, make_scan
from tests.reports.conftest import signed_report

TEXTS = {"findings": "A mass.", "impression": "Meningioma.", "recommendation": ""}


def address(scan, rest: str) -> str:
    return f"/api/v1/scans/{scan.pk}/{rest}"


def test_the_facts_come_as_pdf_and_html(scan, owner, api) -> None:
    client = api(owner)
    html = client.get(address(scan, "report.html"), HTTP_ACCEPT="text/html")
    assert html["Content-Type"].startswith("text/html")
    assert "Probably meningioma (91%)" in html.content.decode()
    pdf = client.get(address(scan, "report.pdf"), HTTP_ACCEPT="application/pdf")
    assert (pdf.status_code, pdf["Content-Type"]) == (200, "application/pdf")
    assert pdf.content.startswith(b"%PDF")


def test_a_signed_report_takes_the_place_of_the_facts(scan, owner, api) -> None:
    signed = signed_report(scan, owner)
    assert signed.sha256 in api(owner).get(address(scan, "report.html")).content.decode()


@pytest.mark.parametrize("rest", ["report.html", "report.pdf", "reports/"])
def test_a_sealed_scan_is_a_conflict(scan, owner, api, rest) -> None:
    owner.sealed_reading_since = timezone.now() - timedelta(days=1)
    owner.save()
    answer = api(owner).get(address(scan, rest))
    assert answer.status_code == 409
    assert answer.json()["errors"][0]["code"] == "sealed"


@pytest.fixture
def slow_pages(monkeypatch) -> None:
    """Let no file be ready in the time of a request."""
    monkeypatch.setattr(report_files, "WEB_SECONDS", 0.0)


def test_a_file_that_takes_too_long_is_made_by_one_job(scan, owner, api, slow_pages) -> None:
    client = api(owner)
    answers = [client.get(address(scan, "report.pdf")) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer["Location"] for answer in answers}) == 1
    first = answers[0]
    assert first["Retry-After"] == "2"
    assert {name: first.json()[name] for name in ("kind", "state", "done", "total", "file")} == {
        "kind": "report",
        "state": "queued",
        "done": 0,
        "total": 1,
        "file": None,
    }
    assert client.get(f"{first['Location']}file").json()["errors"][0]["code"] == "unfinished"

    make_archives(Event())

    job = client.get(first["Location"])
    assert (job.json()["state"], job.json()["done"], "Retry-After" in job) == ("succeeded", 1, False)
    file = client.get(job.json()["file"], HTTP_ACCEPT="application/pdf")
    assert (file.status_code, file["Content-Type"]) == (200, "application/pdf")
    content = b"".join(file.streaming_content)
    assert content.startswith(b"%PDF")
    assert len(content) == job.json()["bytes"]
    again = client.get(address(scan, "report.pdf"))
    assert (again.status_code, again["Content-Type"]) == (200, "application/pdf")
    assert b"".join(again.streaming_content) == content


def test_a_report_that_says_something_else_gets_a_job_of_its_own(scan, owner, api, slow_pages) -> None:
    client = api(owner)
    first = client.get(address(scan, "report.pdf"))
    signed = signed_report(scan, owner)
    second = client.get(address(scan, "report.pdf"))
    assert first["Location"] != second["Location"]

    make_archives(Event())

    made = ReportArchive.objects.get(pk=first.json()["id"])
    # What it was asked for is no longer what it holds: no later request is answered with it.
    assert (made.state, made.content_sha256) == ("succeeded", "")
    newest = b"".join(client.get(address(scan, "report.pdf")).streaming_content)
    with pdfplumber.open(io.BytesIO(newest)) as file:
        assert signed.number in "".join(page.extract_text() for page in file.pages)


def test_a_finished_file_is_not_handed_out_once_its_scan_is_closed(team_scan, teammate, api, slow_pages) -> None:
    client = api(teammate)
    job = client.get(address(team_scan, "report.pdf"))["Location"]
    make_archives(Event())
    team_scan.team = None
    team_scan.save()
    answer = client.get(f"{job}file")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, "changed")
    assert client.get(address(team_scan, "report.pdf")).status_code == 404


def test_a_job_is_deleted_by_its_owner_and_hidden_from_others(team_scan, owner, teammate, api, slow_pages) -> None:
    job = api(owner).get(address(team_scan, "report.pdf"))["Location"]
    for method in ("get", "delete"):
        assert getattr(api(teammate), method)(job).status_code == 404
    assert api(owner).delete(job).status_code == 204
    assert api(owner).get(job).status_code == 404
    make_archives(Event())
    assert not ReportArchive.objects.exists()


def test_a_person_who_waits_for_too_many_files_is_told(scan, owner, api, slow_pages, monkeypatch) -> None:
    monkeypatch.setattr(report_request, "MAX_ACTIVE_PDFS", 1)
    other = make_scan(owner)
    make_analysis(other, state="succeeded")
    assert api(owner).get(address(other, "report.pdf")).status_code == 202
    answer = api(owner).get(address(scan, "report.pdf"))
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, "too_many_archives")


def test_a_job_that_fails_says_why_and_can_be_requested_again(scan, owner, api, slow_pages, monkeypatch) -> None:
    client = api(owner)
    first = client.get(address(scan, "report.pdf"))
    monkeypatch.setattr(archive_pdf, "JOB_SECONDS", 0.0)
    make_archives(Event())
    job = client.get(first["Location"]).json()
    assert (job["state"], job["file"]) == ("failed", None)
    assert "could not create the PDF file" in job["failure_message"]
    assert client.get(address(scan, "report.pdf"))["Location"] != first["Location"]


def test_a_draft_is_stored_and_changed(scan, owner, api) -> None:
    client = api(owner)
    created = client.post(address(scan, "reports/"), TEXTS, format="json")
    assert created.status_code == 201
    url = f"/api/v1/reports/{created.json()['id']}/"
    changed = client.patch(url, {"impression": "Glioma.", "version": 1}, format="json")
    assert (changed.json()["findings"], changed.json()["impression"], changed.json()["version"]) == (
        "A mass.",
        "Glioma.",
        2,
    )
    assert client.patch(url, {"impression": "Late.", "version": 1}, format="json").status_code == 409
    assert client.post(address(scan, "reports/"), TEXTS, format="json").status_code == 409
    assert [row["state"] for row in client.get(address(scan, "reports/")).json()] == ["draft"]


def test_a_signed_report_is_read_and_never_changed(team_scan, owner, teammate, api) -> None:
    signed = signed_report(team_scan, owner)
    url = f"/api/v1/reports/{signed.pk}/"
    assert api(teammate).get(url).json()["number"] == signed.number
    answer = api(owner).patch(url, {"impression": "Other."}, format="json")
    assert answer.status_code == 409
    assert answer.json()["errors"][0] == {
        "code": "signed",
        "detail": "This report is signed and is never changed. Add an addendum instead.",
        "attr": None,
    }
    assert api(teammate).patch(url, {"impression": "Other."}, format="json").status_code == 404
    for method in ("delete", "put", "post"):
        assert getattr(api(owner), method)(url, {}, format="json").status_code == 405
