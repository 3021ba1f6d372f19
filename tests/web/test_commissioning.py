"""The pages of a commissioning."""

import json
import re
from threading import Event
from urllib.parse import unquote

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from classifier import report_files
from classifier.models import Commissioning, CommissioningCase, ReportArchive, Scan
from classifier.reports.acceptance import acceptance_document
from classifier.reports.archive import make_archives
from classifier.reports.pdf import JOB_SECONDS, Renderer
from classifier.services.acceptance import close_commissioning
from classifier.services.report_archive import archive_name
from tests.factories import make_analysis, make_scan, make_shadow_case, png_bytes

pytestmark = pytest.mark.django_db
START = {"model": "compact", "sensitivity": "90", "least_cases": "2", "title": "Scanner 2"}


@pytest.fixture
def commissioning(two_models, browse, owner, team) -> Commissioning:
    response = browse(owner).post(reverse("web:commissionings", args=[team.pk]), START)
    assert response.status_code == 302
    return Commissioning.objects.get()


def text(response) -> str:
    return " ".join(response.content.decode().split())


def test_limits_are_set_at_the_start(commissioning) -> None:
    assert commissioning.limits == {"shares": {"sensitivity": 0.9}, "cases": 2, "prevalence": None}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sensitivity": ""}, "Set at least one limit"),
        ({"sensitivity": "101"}, "less than or equal to 100"),
        ({"false_omission": "2"}, "needs the prevalence"),
        ({"prevalence": "100"}, "above 0 and below 100%"),
        ({"model": "none"}, "Select a valid choice"),
        ({"least_cases": "0"}, "greater than or equal to 1"),
    ],
)
def test_an_invalid_start_is_refused(changes, said, two_models, browse, owner, team) -> None:
    response = browse(owner).post(reverse("web:commissionings", args=[team.pk]), START | changes)
    assert response.status_code == 400
    assert said in text(response)
    assert not Commissioning.objects.exists()


def test_members_follow_it_and_change_nothing(commissioning, browse, teammate, team) -> None:
    client = browse(teammate)
    page = text(client.get(commissioning.get_absolute_url()))
    assert "Shadow mode" in page
    assert "Add cases" not in page
    for action in ("add_scans", "add_all_scans", "retry", "close"):
        assert client.post(commissioning.get_absolute_url(), {"action": action}).status_code == 403
    assert client.post(reverse("web:commissionings", args=[team.pk]), START).status_code == 403


def test_a_file_with_bad_rows_says_which(commissioning, browse, owner) -> None:
    client = browse(owner)
    fields = {
        "action": "add_file",
        "cases": SimpleUploadedFile("cases.csv", b"file,finding\na.png,glioma\nb.png,glioma\nc.png,cyst\n"),
        "image": SimpleUploadedFile("a.png", png_bytes()),
    }
    response = client.post(commissioning.get_absolute_url(), fields)
    page = text(response)
    assert "1 case added, 2 not" in page
    assert '<td>3</td> <th scope="row">b.png</th> <td>No scan of the team' in page
    assert '<td>4</td> <th scope="row">c.png</th> <td>“cyst” is not a finding' in page
    assert CommissioningCase.objects.get().scan == Scan.objects.get()
    response = client.post(commissioning.get_absolute_url(), {"action": "add_file"}, follow=True)
    assert "Choose the CSV file" in text(response)


def test_many_bad_rows_are_a_file(commissioning, browse, owner) -> None:
    rows = "".join(f"{number}.png,cyst\n" for number in range(40))
    fields = {"action": "add_file", "cases": SimpleUploadedFile("cases.csv", f"file,finding\n{rows}".encode())}
    page = text(browse(owner).post(commissioning.get_absolute_url(), fields))
    assert '<th scope="row">24.png</th>' in page
    assert '<th scope="row">25.png</th>' not in page
    assert "15 more are in the file." in page
    address = re.search(r'href="data:text/csv;charset=utf-8,([^"]+)" download="not-added.csv"', page)
    assert address is not None
    assert unquote(address[1]).count("\r\n") == 41
    assert '41,39.png,"“cyst” is not a finding' in unquote(address[1])


def test_answers_show_after_the_end_only(commissioning, browse, owner, teammate, team) -> None:
    scan = make_scan(owner, team=team)
    make_analysis(scan, state="succeeded", finding="glioma")
    make_shadow_case(commissioning, scan, answer="pituitary", truth="meningioma")
    client = browse(owner)
    assert "Probably pituitary" not in text(client.get(commissioning.get_absolute_url()))
    asked = client.post(commissioning.get_absolute_url(), {"action": "close"})
    assert "Close and create the report" in text(asked)
    closed = client.post(commissioning.get_absolute_url(), {"action": "close", "confirmed": "yes"}, follow=True)
    assert "Pituitary tumor" in text(closed)
    assert "too few cases" in text(closed)
    for reader in (owner, teammate):
        page = text(browse(reader).get(commissioning.get_absolute_url()))
        assert "What is not known" in page
        assert "sign-pituitary" in page
        assert "Remove" not in page
    again = client.post(commissioning.get_absolute_url(), {"action": "close", "confirmed": "yes"}, follow=True)
    assert "This commissioning is closed" in text(again)
    # Its answers stay out of everything else.
    assert "compact" not in text(browse(owner).get(scan.get_absolute_url() + "models/")).split("Analyze with all")[0]


def test_an_answer_of_a_sealed_scan_stays_closed(commissioning, browse, owner, teammate, team) -> None:
    from classifier.services.team import set_sealed_reading

    set_sealed_reading(team, by=owner, on=True)
    scan = make_scan(owner, team=team)
    make_analysis(scan, state="succeeded", finding="glioma")
    make_shadow_case(commissioning, scan, answer="pituitary", truth="meningioma")
    close_commissioning(commissioning, by=owner)
    page = text(browse(teammate).get(commissioning.get_absolute_url()))
    assert "Open after your first read" in page
    assert "sign-pituitary" not in page


def test_files_of_the_report(commissioning, browse, owner, team) -> None:
    client = browse(owner)
    names = ("pdf", "html")
    for name in names:
        assert client.get(reverse("web:acceptance_file", args=[commissioning.pk, name])).status_code == 302
    make_shadow_case(commissioning, make_scan(owner, team=team), answer="glioma", truth="glioma")
    close_commissioning(commissioning, by=owner)
    pdf = client.get(reverse("web:acceptance_file", args=[commissioning.pk, "pdf"]))
    assert pdf.content.startswith(b"%PDF-1.7")
    document = text(client.get(reverse("web:acceptance_file", args=[commissioning.pk, "html"])))
    assert "Acceptance report: Scanner 2" in document
    signed = client.get(reverse("web:acceptance_json", args=[commissioning.pk]))
    assert json.loads(signed.content)["report"]["counts"]["with_truth"] == 1
    table = client.post(
        reverse("web:acceptance_compare"),
        {"files": [SimpleUploadedFile("a.json", signed.content), SimpleUploadedFile("b.json", b"{}")]},
    )
    assert "compact 0.1" in text(table)
    assert "b.json: The file is not a signed acceptance report." in text(table)
    assert client.post(reverse("web:acceptance_compare")).status_code == 400


def test_each_button_adds_the_scans_that_it_names(commissioning, browse, owner, team) -> None:
    client = browse(owner)
    scan = make_scan(owner, team=team)
    buttons = dict(
        reversed(found)
        for found in re.findall(r'value="(\w+)">([^<]+)</button>', text(client.get(commissioning.get_absolute_url())))
    )
    address = commissioning.get_absolute_url()
    page = text(client.post(address, {"action": buttons["All with a review or diagnosis"]}, follow=True))
    assert "No case was added: the team has no more scans with a review or a diagnosis." in page
    page = text(client.post(address, {"action": buttons["All, also without truth"]}, follow=True))
    assert "1 case added." in page
    assert CommissioningCase.objects.get().scan == scan
    page = text(client.post(address, {"action": buttons["All, also without truth"]}, follow=True))
    assert "No case was added: the team has no more scans." in page


def test_scans_that_cannot_be_cases_ask_for_no_file(commissioning, browse, owner, team) -> None:
    content = png_bytes()
    for _ in range(2):
        make_scan(owner, team=team, content=content)
    page = text(browse(owner).post(commissioning.get_absolute_url(), {"action": "add_all_scans"}))
    assert "1 case added, 1 not" in page
    assert "Another case shows the same image" in page
    assert "send the file again" not in page


def test_closing_waits_for_analyses_before_it_asks(commissioning, browse, owner, team) -> None:
    client = browse(owner)
    make_scan(owner, team=team)
    client.post(commissioning.get_absolute_url(), {"action": "add_all_scans"})
    page = text(client.post(commissioning.get_absolute_url(), {"action": "close"}, follow=True))
    assert "1 analysis is waiting or running. Close it after they end." in page
    assert "Close and create the report" not in page


def test_cases_that_the_report_will_not_count_are_named_before_it_is_closed(
    commissioning, browse, api, owner, team
) -> None:
    for finding in ("glioma", "notumor", ""):
        make_shadow_case(commissioning, make_scan(owner, team=team), truth=finding)
    turned = make_scan(owner, team=team, input_problems=[{"code": "turned", "detail": "1"}, {"code": "dark"}])
    make_shadow_case(commissioning, turned, truth="glioma")
    make_shadow_case(commissioning, make_scan(owner, team=team, input_problems=[{"code": "dark"}]), truth="glioma")
    client = browse(owner)
    page = text(client.get(commissioning.get_absolute_url()))
    assert "<dt>Not counted</dt> <dd> 1: the input check withholds the answer" in page
    assert page.count("not counted. Check the image first: it looks turned") == 1
    asked = text(client.post(commissioning.get_absolute_url(), {"action": "close"}))
    assert "based on 3 of 5 cases. Not counted: 1 without known truth; 1 whose answer the input check" in asked
    listed = api(owner).get(f"/api/v1/commissionings/{commissioning.pk}/").json()
    assert (listed["progress"]["succeeded"], listed["progress"]["withheld"]) == (5, 1)
    Scan.objects.filter(pk=turned.pk).update(input_accepted_at=timezone.now())
    assert "Not counted" not in text(client.get(commissioning.get_absolute_url()))


def test_progress_says_when_the_list_of_cases_is_out_of_date(commissioning, browse, owner, team) -> None:
    client = browse(owner)
    make_shadow_case(commissioning, make_scan(owner, team=team))
    said = "Reload the list of cases"
    assert said not in text(client.get(commissioning.get_absolute_url()))
    assert said in text(client.get(commissioning.get_absolute_url(), {"part": "progress"}))


def test_an_error_of_a_folded_limit_is_in_sight(two_models, browse, owner, team) -> None:
    client = browse(owner)
    address = reverse("web:commissionings", args=[team.pk])
    opened = '<details class="fold" open>'
    assert opened not in text(client.get(address))
    assert opened in text(client.post(address, START | {"false_omission": "200"}))


def test_a_closed_commissioning_asks_for_no_review(commissioning, browse, owner, team) -> None:
    client = browse(owner)
    make_shadow_case(commissioning, make_scan(owner, team=team))
    assert "Not known: review the scan" in text(client.get(commissioning.get_absolute_url()))
    close_commissioning(commissioning, by=owner)
    page = text(client.get(commissioning.get_absolute_url()))
    assert "review the scan" not in page
    assert "do not change the report" in page


def test_the_report_names_prevalence_answers_and_units_alike(two_models, browse, owner, team) -> None:
    client = browse(owner)
    fields = START | {"prevalence": "12.5", "false_omission": "2", "ece": "10"}
    client.post(reverse("web:commissionings", args=[team.pk]), fields)
    commissioning = Commissioning.objects.get()
    for number in range(40):
        truth = "glioma" if number % 2 else "notumor"
        answer = ("uncertain", "not_brain_mri", truth)[min(number, 2)]
        make_shadow_case(commissioning, make_scan(owner, team=team), answer=answer, truth=truth)
    for number, truth in enumerate(("glioma", "notumor", "notumor"), start=40):
        reference = f"P-{number}"
        make_shadow_case(
            commissioning, make_scan(owner, team=team, patient_reference=reference), answer=truth, truth=truth
        )
    close_commissioning(commissioning, by=owner)
    page = text(client.get(commissioning.get_absolute_url()))
    assert "Prevalence at the site, stated beforehand: 12.5%." in page
    answers = re.findall(r'scope="col">([^<]+)</th>', page.partition("Truth and answer")[2].partition("</thead>")[0])
    assert answers == ["Truth", "Glioma", "No tumor", "Uncertain", "Not a brain MR image"]
    calibration = page.partition('id="acceptance-calibration"')[2]
    assert re.search(r"Expected calibration error</th> <td>[0-9.]+%</td>", calibration)
    assert page.count("Site calibration</h2>") == 1


def test_the_diagram_may_lie_at_the_end_of_a_page(commissioning, owner, team) -> None:
    make_shadow_case(commissioning, make_scan(owner, team=team), answer="glioma", truth="glioma")
    document = acceptance_document(close_commissioning(commissioning, by=owner))
    section = '<section aria-labelledby="acceptance-reliability">'
    assert section in document
    # Pages are 259 mm high without their margins.
    above = '<div style="break-before: page; height: 215mm"></div>'
    for_tests = Renderer()
    try:
        made = for_tests.render(document.replace(section, above + section), seconds=JOB_SECONDS)
    finally:
        for_tests.stop()
    assert made.startswith(b"%PDF-1.7")


@pytest.fixture
def slow_pages(monkeypatch) -> None:
    """Let no page wait long enough for a PDF file."""
    monkeypatch.setattr(report_files, "WEB_SECONDS", 0.0)


def test_a_report_that_takes_long_is_made_by_a_job(commissioning, slow_pages, browse, owner, teammate, team) -> None:
    make_shadow_case(commissioning, make_scan(owner, team=team), answer="glioma", truth="glioma")
    close_commissioning(commissioning, by=owner)
    client, address = browse(teammate), reverse("web:acceptance_file", args=[commissioning.pk, "pdf"])
    page = text(client.get(address, follow=True))
    assert "The file waits for a worker." in page
    assert "Acceptance report: Scanner 2" in page
    # Asked again, it is the same job.
    client.get(address)
    archive = ReportArchive.objects.get()

    make_archives(Event())

    archive.refresh_from_db()
    assert (archive.state, archive.done, archive.failure_message) == ("succeeded", 1, "")
    assert "Download" in text(client.get(archive.get_absolute_url()))
    file = reverse("web:report_archive_file", args=[archive.pk])
    response = client.get(file)
    made = b"".join(response.streaming_content)
    assert made.startswith(b"%PDF-1.7")
    assert response["Content-Disposition"] == 'attachment; filename="acceptance-report-scanner-2.pdf"'
    assert "The PDF file of your acceptance report is ready." in text(client.get(reverse("web:notifications")))
    assert browse(owner).get(file).status_code == 404
    # Who leaves the team loses the file.
    teammate.memberships.filter(team=team).delete()
    assert "no longer a member of the team" in text(client.get(file, follow=True))
    client.post(archive.get_absolute_url())
    assert not default_storage.exists(archive_name(archive))


def test_a_person_who_leaves_gets_no_file_made(commissioning, slow_pages, browse, owner, teammate, team) -> None:
    close_commissioning(commissioning, by=owner)
    browse(teammate).get(reverse("web:acceptance_file", args=[commissioning.pk, "pdf"]))
    teammate.memberships.filter(team=team).delete()
    make_archives(Event())
    archive = ReportArchive.objects.get()
    assert (archive.state, archive.bytes) == ("failed", 0)
    assert "no longer a member" in archive.failure_message
