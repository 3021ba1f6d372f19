"""Reports over the API."""

from datetime import timedelta

import pytest
from django.utils import timezone

from classifier.reports.pdf import PdfTimeout, for_pages
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
    assert pdf.status_code in (200, 503)  # 503: this machine is too busy to make it in time
    if pdf.status_code == 200:
        assert pdf["Content-Type"] == "application/pdf"
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


def test_a_file_that_takes_too_long_is_asked_for_again(scan, owner, api, monkeypatch) -> None:
    def slow(document: str, *, seconds: float) -> bytes:
        raise PdfTimeout

    monkeypatch.setattr(for_pages, "render", slow)
    answer = api(owner).get(address(scan, "report.pdf"))
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert answer.json()["errors"][0]["code"] == "report_late"


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
