"""Pages of reports."""

import re
from datetime import timedelta
from threading import Event

import pytest
from django.urls import reverse
from django.utils import timezone

from classifier import report_files
from classifier.models import Batch, BatchFile, Report, ReportArchive, ReportTemplate, Scan, SignedReport
from classifier.reports.archive import make_archives
from classifier.reports.pdf import PdfFailed, PdfTimeout, for_jobs, for_pages
from classifier.web.kept_entry import KEY
from tests.factories import PASSWORD, make_analysis, make_scan
from tests.reports.conftest import signed_report

TEXTS = {"findings": "A mass.", "impression": "Meningioma.", "recommendation": ""}


def hidden(page: str, name: str) -> str:
    """Return the value of a hidden field of a page."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, name
    return found[1]


def compose(scan) -> str:
    return reverse("web:report_compose", args=[scan.pk])


def test_a_report_is_written_read_signed_and_added_to(scan, owner, browse) -> None:
    client = browse(owner)
    saved = client.post(compose(scan), TEXTS | {"version": 0, "action": "sign"})
    page = client.get(saved.url).content.decode()
    assert "Draft, not signed" in page
    assert "Probably meningioma (91%)" in page

    fields = {name: hidden(page, name) for name in ("version", "facts")}
    signed = client.post(saved.url, fields, follow=True)

    assert "Signed by owner" in signed.content.decode()
    report = SignedReport.objects.get()
    added = client.post(reverse("web:report_addendum", args=[report.pk]), {"text": "Later.", "seen": 0}, follow=True)
    assert "Addendum 1" in added.content.decode()
    assert report.number in client.get(reverse("web:report_list")).content.decode()


def test_a_second_window_is_told_and_keeps_its_text(scan, owner, browse) -> None:
    client = browse(owner)
    client.post(compose(scan), TEXTS | {"version": 0})
    late = client.post(compose(scan), TEXTS | {"version": 0, "findings": "Typed in the second window."})
    assert late.status_code == 409
    assert "another window" in late.content.decode()
    assert "Typed in the second window." in late.content.decode()
    assert Report.objects.get().findings == "A mass."


def test_a_report_that_was_sent_after_the_session_had_ended_is_kept(scan, owner, browse) -> None:
    client = browse()
    client.post(compose(scan), TEXTS | {"version": 0, "impression": "Typed for half an hour.", "entered_by": owner.pk})
    client.force_login(owner)
    page = client.get(compose(scan)).content.decode()
    assert "Your session had ended, so nothing was recorded yet." in page
    assert "Typed for half an hour." in page
    assert "Typed for half an hour." not in client.get(compose(scan)).content.decode()


@pytest.mark.parametrize("form", ["addendum", "new template", "template", "notes"])
def test_a_form_that_was_sent_after_the_session_had_ended_is_given_back_to_its_author(
    scan, owner, teammate, browse, form
) -> None:
    template = ReportTemplate.objects.create(owner=owner, name="MR")
    signed = signed_report(scan, owner)
    typed = "Typed before lunch."
    address, fields = {
        "addendum": (reverse("web:report_addendum", args=[signed.pk]), {"text": typed, "seen": 0}),
        "new template": (reverse("web:report_templates"), {"name": "CT", "impression": typed}),
        "template": (reverse("web:report_template", args=[template.pk]), {"name": "MR", "impression": typed}),
        "notes": (reverse("web:scan_edit", args=[scan.pk]), {"notes": typed}),
    }[form]
    colleague = browse()
    for client in (colleague, own := browse()):
        sign_in = client.post(address, fields | {"entered_by": owner.pk}).url
        assert sign_in.startswith("/accounts/login/")
    answer = colleague.post(sign_in, {"login": teammate.username, "password": PASSWORD}, follow=True)
    assert typed not in answer.content.decode()
    assert KEY not in colleague.session

    own.force_login(owner)
    answer = own.get(address)
    assert answer.status_code == 200
    page = answer.content.decode()
    assert "Your session had ended, so nothing was recorded yet." in page
    assert typed in page
    assert f'name="entered_by" value="{owner.pk}"' in page
    # Once.
    assert typed not in own.get(address, follow=True).content.decode()


def test_a_template_fills_what_is_empty(scan, owner, browse) -> None:
    client = browse(owner)
    client.post(reverse("web:report_templates"), {"name": "MR", "findings": "T: {outcome}", "impression": "I"})
    client.post(compose(scan), {"findings": "", "impression": "Mine.", "recommendation": "", "version": 0})
    page = client.get(compose(scan), {"template": ReportTemplate.objects.get().pk}).content.decode()
    assert "T: Probably meningioma (91%)" in page
    assert "Mine." in page


def test_an_unknown_field_of_a_template_is_named(owner, browse) -> None:
    answer = browse(owner).post(reverse("web:report_templates"), {"name": "MR", "findings": "{verdict}"})
    assert answer.status_code == 400
    assert "unknown field {verdict}" in answer.content.decode()


def test_sealed_scans_lead_back_to_their_page(scan, owner, browse) -> None:
    owner.sealed_reading_since = timezone.now() - timedelta(days=1)
    owner.save()
    for url in (compose(scan), reverse("web:scan_report_file", args=[scan.pk, "html"])):
        assert browse(owner).get(url).url == scan.get_absolute_url()


def test_verifying_shows_an_outsider_only_who_signed_and_when(scan, owner, outsider, browse) -> None:
    report = signed_report(scan, owner)
    page = browse(outsider).get(reverse("web:report_verify"), {"code": report.sha256}).content.decode()
    assert f"Known. Report {report.number} was signed by owner" in page
    for secret in ("P-1", "eningioma", scan.short_id):
        assert secret not in page
    unknown = browse(outsider).get(reverse("web:report_verify"), {"code": "0" * 64}).content.decode()
    assert "No signed report here" in unknown


def test_verifying_nothing_asks_for_a_number(owner, browse) -> None:
    page = browse(owner).get(reverse("web:report_verify"), {"code": ""}).content.decode()
    assert "Enter the number or the hash of a report." in page
    assert "No signed report here" not in page


def test_the_page_to_print_carries_its_style_and_the_policy_allows_it(scan, owner, browse) -> None:
    answer = browse(owner).get(reverse("web:scan_report_file", args=[scan.pk, "html"]))
    assert "'sha256-" in answer["Content-Security-Policy"]
    assert "'unsafe-inline'" not in answer["Content-Security-Policy"]
    assert answer["Cache-Control"] == "private, no-store"


def test_a_pdf_that_takes_long_becomes_a_job(scan, owner, browse, monkeypatch) -> None:
    def slow(document: str, *, seconds: float) -> bytes:
        raise PdfTimeout

    monkeypatch.setattr(for_pages, "render", slow)
    client = browse(owner)
    signed = signed_report(scan, owner)
    for url in (
        reverse("web:scan_report_file", args=[scan.pk, "pdf"]),
        reverse("web:report_file", args=[signed.pk, "pdf"]),
        reverse("web:patient_report_file", args=["pdf"]) + "?patient_reference=P-1",
    ):
        ReportArchive.objects.all().delete()
        answers = [client.get(url), client.get(url)]
        archive = ReportArchive.objects.last()
        assert {answer.status_code for answer in answers} == {302}
        assert answers[0].url == archive.get_absolute_url()
        assert archive.scan_ids == [str(scan.pk)]
        assert archive.file_kind == "PDF file"
        if "patient" not in url:
            assert answers[0].url == answers[1].url


def test_an_older_signed_report_stays_the_older_one_when_a_job_makes_it(scan, owner, browse, monkeypatch) -> None:
    older = signed_report(scan, owner)
    make_analysis(scan, state="succeeded")
    newer = signed_report(scan, owner)
    monkeypatch.setattr(report_files, "WEB_SECONDS", 0.0)
    monkeypatch.setattr(for_jobs, "render", lambda document, *, seconds: document.encode())
    client = browse(owner)
    page = client.get(reverse("web:report_file", args=[older.pk, "pdf"])).url

    make_archives(Event())

    assert "Download" in client.get(page).content.decode()
    content = b"".join(client.get(f"{page}file/").streaming_content).decode()
    assert older.number in content
    assert newer.number not in content


def test_a_zip_file_with_a_scan_that_is_gone_is_not_handed_out(team_scan, teammate, browse) -> None:
    client = browse(teammate)
    client.post(reverse("web:report_archive_request"), {"patient_reference": "P-2"})
    ReportArchive.objects.update(state="succeeded", finished_at=timezone.now())
    team_scan.team = None
    team_scan.save()
    answer = client.get(reverse("web:report_archive_file", args=[ReportArchive.objects.get().pk]), follow=True)
    assert "no longer visible to you" in answer.content.decode()


@pytest.mark.parametrize("kind", ["patient", "batch"])
def test_the_scans_of_a_patient_or_batch_stand_in_one_table(kind, scan, owner, browse) -> None:
    batch = Batch.objects.create(owner=owner)
    BatchFile.objects.create(batch=batch, number=1, scan=scan)
    url = reverse("web:batch_report", args=[batch.pk])
    if kind == "patient":
        url = reverse("web:patient_report") + "?patient_reference=p-1"
    page = browse(owner).get(url).content.decode()
    assert scan.short_id in page
    assert "Probably meningioma (91%)" in page
    assert "1 scan, 0 with a signed report" in page


@pytest.mark.parametrize(
    ("reference", "sentence"),
    [("P-2", "You can see no scan with this patient reference."), (" ", "Enter a patient reference.")],
)
def test_a_patient_reference_without_scans_is_said_at_its_field(reference, sentence, scan, owner, browse) -> None:
    answer = browse(owner).get(reverse("web:patient_report"), {"patient_reference": reference})
    page = answer.content.decode()
    assert answer.status_code == 404
    assert sentence in page
    assert 'aria-invalid="true"' in page


def test_a_server_that_cannot_make_pdf_files_says_what_to_do(scan, owner, browse, monkeypatch) -> None:
    def broken(document: str, *, seconds: float) -> bytes:
        raise PdfFailed

    monkeypatch.setattr(for_pages, "render", broken)
    answer = browse(owner).get(reverse("web:scan_report_file", args=[scan.pk, "pdf"]), follow=True)
    assert "Open the report as a page and print that." in answer.content.decode()
    assert not ReportArchive.objects.exists()


def test_the_printed_result_page_carries_the_facts_of_a_report(scan, owner, browse) -> None:
    page = browse(owner).get(scan.get_absolute_url()).content.decode()
    section = page[page.index('class="print-only"') :]
    for words in (
        "AI-generated by xception",
        "Smallest probability at which a finding is reported",
        "It does not outline the lesion.",
    ):
        assert words in section


def test_a_sealed_page_prints_no_facts(scan, owner, browse) -> None:
    owner.sealed_reading_since = timezone.now() - timedelta(days=1)
    owner.save()
    assert "print-only" not in browse(owner).get(scan.get_absolute_url()).content.decode()


def test_the_reports_of_the_scans_that_the_history_lists_come_as_a_zip_file(scan, owner, browse) -> None:
    for finding in ("glioma", "meningioma"):
        make_analysis(make_scan(owner), state="succeeded", finding=finding)
    client = browse(owner)
    page = client.get("/scans/", {"finding": "meningioma", "mine": ""}).content.decode()
    form = page[page.index('action="/reports/archives/"') :].partition("</form>")[0]
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))
    assert fields == {**fields, "selection": "history", "finding": "meningioma"}

    client.post("/reports/archives/", fields)

    archive = ReportArchive.objects.get()
    newest = Scan.objects.filter(owner=owner, current_analysis__finding="meningioma").order_by("-created_at")
    assert archive.scan_ids == [str(found.pk) for found in newest]
    nothing = client.post("/reports/archives/", {"selection": "history", "text": "nothing like it"})
    assert nothing.url == "/scans/?text=nothing+like+it"


def test_a_zip_file_of_the_history_does_not_tell_what_is_sealed(team_scan, teammate, browse) -> None:
    teammate.sealed_reading_since = timezone.now() - timedelta(days=1)
    teammate.save()
    client = browse(teammate)
    client.post("/reports/archives/", {"selection": "history", "finding": "meningioma"})
    assert not ReportArchive.objects.exists()
    client.post("/reports/archives/", {"selection": "history"})
    assert ReportArchive.objects.get().scan_ids == [str(team_scan.pk)]


def test_a_zip_file_of_scans_that_wait_is_handed_out_under_the_sealed_first_read(owner, browse, monkeypatch) -> None:
    owner.sealed_reading_since = timezone.now() - timedelta(days=1)
    owner.save()
    failed = make_scan(owner, patient_reference="P-3")
    make_analysis(failed, state="failed")
    client = browse(owner)
    client.post("/reports/archives/", {"patient_reference": "P-3"})
    monkeypatch.setattr(for_jobs, "render", lambda document, *, seconds: b"%PDF")
    make_archives(Event())
    file = reverse("web:report_archive_file", args=[ReportArchive.objects.get().pk])

    assert client.get(file)["Content-Type"] == "application/zip"

    # With a result it is sealed, like the scan itself.
    make_analysis(failed, state="succeeded")
    assert "A scan in this file was deleted, sealed" in client.get(file, follow=True).content.decode()


def test_a_scan_that_was_uploaded_twice_into_a_batch_has_one_report(scan, owner, browse) -> None:
    batch = Batch.objects.create(owner=owner)
    for number in (1, 2):
        BatchFile.objects.create(batch=batch, number=number, scan=scan)

    browse(owner).post("/reports/archives/", {"batch": str(batch.pk)})

    assert ReportArchive.objects.get().scan_ids == [str(scan.pk)]


def test_selected_scans_that_are_gone_are_named_and_the_others_reported(scan, team_scan, teammate, browse) -> None:
    client = browse(teammate)
    client.post("/reports/archives/", {"scan": [str(scan.pk), str(team_scan.pk)]})

    archive = ReportArchive.objects.get()
    assert archive.scan_ids == [str(scan.pk), str(team_scan.pk)]
    assert archive.left_out == {str(scan.pk): "gone"}
    page = client.post("/reports/archives/", {"scan": [str(scan.pk)]}, follow=True).content.decode()
    assert "There is no scan to report on." in page
    assert ReportArchive.objects.count() == 1


def test_more_scans_than_a_zip_file_holds_are_refused_with_a_sentence(scan, owner, browse) -> None:
    stored = [
        Scan(owner=owner, patient_reference="P-9", width=96, height=80, pixels_sha256="0" * 64, source_format="PNG")
        for _ in range(5001)
    ]
    Scan.objects.bulk_create(stored)
    client = browse(owner)

    page = client.post("/reports/archives/", {"patient_reference": "P-9"}, follow=True).content.decode()

    assert "at most 5,000 scans, and these are more" in page
    assert not ReportArchive.objects.exists()
    assert Scan.objects.filter(patient_reference="P-9").count() == 5001
