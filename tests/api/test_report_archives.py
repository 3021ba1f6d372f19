"""ZIP files of many reports over the API."""

import io
import uuid
import zipfile
from datetime import timedelta
from threading import Event

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from classifier.api import report_archives
from classifier.models import Batch, BatchFile, ReportArchive, Scan
from classifier.reports import archive as job
from classifier.reports.archive import make_archives
from classifier.services.report_archive import sweep_archives
from tests.factories import make_analysis, make_scan

pytestmark = pytest.mark.django_db
FILES = "/api/v1/report-files/"


@pytest.fixture
def scans(owner) -> list[Scan]:
    """Two analyzed scans of one patient, the older one first."""
    made = [make_scan(owner, patient_reference="P-7") for _ in range(2)]
    for scan, finding in zip(made, ("glioma", "meningioma"), strict=True):
        make_analysis(scan, state="succeeded", finding=finding)
    return made


@pytest.fixture
def instant(monkeypatch) -> None:
    """Let the files be made without WeasyPrint."""
    monkeypatch.setattr(job.for_jobs, "render", lambda document, *, seconds: b"%PDF")


def ask(client, body: object, *, key: str = ""):
    return client.post(FILES, body, format="json", headers={"Idempotency-Key": key} if key else {})


def keys(scans: list[Scan]) -> list[str]:
    return [str(scan.pk) for scan in scans]


def error(response) -> tuple[int, str, str | None]:
    first = response.json()["errors"][0]
    return response.status_code, first["code"], first["attr"]


def test_reports_of_many_scans_are_requested_followed_and_fetched(scans, owner, api) -> None:
    client = api(owner)
    answer = ask(client, {"scans": keys(scans)})
    assert (answer.status_code, answer["Retry-After"]) == (202, "2")
    assert answer["Location"] == answer.json()["url"]
    shown = {name: answer.json()[name] for name in ("kind", "title", "state", "done", "total", "left_out", "file")}
    assert shown == {
        "kind": "zip", "title": "Selected scans", "state": "queued", "done": 0, "total": 2, "left_out": 0, "file": None,
    }  # fmt: skip
    early = client.get(f"{answer['Location']}file")
    assert error(early) == (409, "unfinished", None)

    make_archives(Event())

    ready = client.get(answer["Location"])
    assert (ready.json()["state"], ready.json()["done"], "Retry-After" in ready) == ("succeeded", 2, False)
    assert ready.json()["expires_at"] > ready.json()["finished_at"]
    file = client.get(ready.json()["file"], HTTP_ACCEPT="application/zip")
    assert (file.status_code, file["Content-Type"]) == (200, "application/zip")
    assert file["Content-Disposition"] == 'attachment; filename="reports-selected-scans.zip"'
    assert file["Cache-Control"] == "private, no-store"
    content = b"".join(file.streaming_content)
    assert len(content) == ready.json()["bytes"] == int(file["Content-Length"])
    names = zipfile.ZipFile(io.BytesIO(content)).namelist()
    assert names == [
        f"001-scan-{scans[0].short_id}.pdf", f"002-scan-{scans[1].short_id}.pdf", "summary.pdf", "contents.txt",
    ]  # fmt: skip

    ReportArchive.objects.update(finished_at=timezone.now() - timedelta(days=2))
    sweep_archives()
    assert client.get(answer["Location"]).status_code == 404
    assert client.get(ready.json()["file"]).status_code == 404


@pytest.mark.parametrize("form", ["scans", "batch", "patient_reference", "filters"])
def test_scans_are_selected_as_on_the_pages(form, scans, owner, api) -> None:
    batch = Batch.objects.create(owner=owner)
    for number, scan in enumerate(reversed(scans), start=1):
        BatchFile.objects.create(batch=batch, number=number, scan=scan)
    make_analysis(make_scan(owner, patient_reference="P-8"), state="succeeded")
    body, title, wanted = {
        "scans": ({"scans": keys([*scans, scans[0]])}, "Selected scans", scans),
        "batch": ({"batch": str(batch.pk)}, f"Upload {str(batch.pk)[:8]}", scans[::-1]),
        "patient_reference": ({"patient_reference": " p-7"}, "Patient p-7", scans),
        "filters": ({"filters": {"patient_reference": "P-7", "mine": True}}, "Scans of the history", scans[::-1]),
    }[form]

    answer = ask(api(owner), body)

    assert (answer.status_code, answer.json()["title"], answer.json()["total"]) == (202, title, 2)
    assert ReportArchive.objects.get().scan_ids == keys(wanted)


def test_filters_are_those_of_the_list_of_scans(scans, owner, api) -> None:
    client = api(owner)
    listed = client.get("/api/v1/scans/", {"finding": "glioma"}).json()["results"]
    assert ask(client, {"filters": {"finding": "glioma"}}).status_code == 202
    assert ReportArchive.objects.get().scan_ids == [row["id"] for row in listed] == keys(scans[:1])


def test_what_is_not_visible_or_sealed_is_left_out_and_named(scans, team_scan, teammate, api, instant) -> None:
    teammate.sealed_reading_since = timezone.now() - timedelta(days=1)
    teammate.save()
    own = make_scan(teammate)
    unknown = uuid.uuid4()
    client = api(teammate)

    answer = ask(client, {"scans": [str(unknown), str(scans[0].pk), str(team_scan.pk), str(own.pk)]})
    assert (answer.json()["total"], answer.json()["left_out"]) == (4, 2)
    gone = "deleted, or not visible to you"
    expected = [{"scan": str(key), "code": "gone", "sentence": gone} for key in (unknown, scans[0].pk)]
    assert answer.json()["left_out_scans"] == expected

    make_archives(Event())

    ready = client.get(answer["Location"]).json()
    sealed = {"scan": str(team_scan.pk), "code": "sealed", "sentence": "sealed until you record your impression"}
    # In the order of the request, whatever order the database keeps keys in.
    assert ready["left_out_scans"] == [*expected, sealed]
    content = b"".join(client.get(ready["file"]).streaming_content)
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        assert file.namelist() == [f"004-scan-{own.short_id}.pdf", "summary.pdf", "contents.txt"]
        assert f"scan {unknown}  left out: {gone}" in file.read("contents.txt").decode()


def test_a_filter_on_results_does_not_tell_what_is_sealed(team_scan, teammate, api) -> None:
    teammate.sealed_reading_since = timezone.now() - timedelta(days=1)
    teammate.save()
    client = api(teammate)
    assert error(ask(client, {"filters": {"finding": "meningioma"}})) == (400, "no_scans", None)
    assert ask(client, {"filters": {}}).json()["total"] == 1


def test_selections_without_a_visible_scan_are_refused(scans, outsider, owner, api) -> None:
    batch = Batch.objects.create(owner=owner)
    client = api(outsider)
    for body in (
        {"scans": keys(scans)},
        {"scans": [str(uuid.uuid4())]},
        {"patient_reference": "P-7"},
        {"patient_reference": "  "},
        {"filters": {}},
    ):
        answer = ask(client, body)
        assert error(answer) == (400, "no_scans", None)
        assert answer.json()["errors"][0]["detail"] == "There is no scan to report on."
    assert error(ask(client, {"batch": str(batch.pk)})) == (404, "not_found", None)
    assert error(ask(client, {"batch": str(uuid.uuid4())})) == (404, "not_found", None)
    assert not ReportArchive.objects.exists()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, ("one_selection", None)),
        ({"scan": "7"}, ("one_selection", None)),
        ({"patient_reference": "P-7", "filters": {}}, ("one_selection", None)),
        ([], ("invalid", "non_field_errors")),
        ({"scans": []}, ("no_scans", "scans")),
        ({"scans": None}, ("null", "scans")),
        ({"scans": "all"}, ("not_a_list", "scans")),
        ({"scans": ["0b5f0c7e-8f5c-4f0e-9a43-6d1f4f9f6a11", "7"]}, ("invalid", "scans.1")),
        ({"scans": [str(uuid.UUID(int=0))] * 5001}, ("too_many_scans", "scans")),
        ({"batch": "7"}, ("invalid", "batch")),
        ({"batch": ""}, ("invalid", "batch")),
        ({"patient_reference": ""}, ("blank", "patient_reference")),
        ({"patient_reference": 7}, ("invalid", "patient_reference")),
        ({"filters": {"findng": "glioma"}}, ("unknown_parameter", "filters.findng")),
        ({"filters": {"finding": "glioblastoma"}}, ("invalid_choice", "filters.finding")),
        ({"filters": {"mine": "true"}}, ("invalid", "filters.mine")),
        ({"filters": {"uploaded_after": "1.2.2026"}}, ("invalid", "filters.uploaded_after")),
        ({"filters": {"team": 999}}, ("does_not_exist", "filters.team")),
        ({"filters": "all"}, ("invalid", "filters.non_field_errors")),
    ],
)
def test_a_malformed_request_names_the_field(body, expected, scans, owner, api) -> None:
    status, code, attr = error(ask(api(owner), body))
    assert (status, code, attr) == (400, *expected)
    assert not ReportArchive.objects.exists()


def test_more_scans_than_a_file_holds_are_refused_with_the_sentence_of_the_page(owner, api) -> None:
    Scan.objects.bulk_create(
        Scan(owner=owner, patient_reference="P-9", width=96, height=80, pixels_sha256="0" * 64, source_format="PNG")
        for _ in range(5001)
    )
    every = keys(list(Scan.objects.only("pk")))
    client = api(owner)
    for body in ({"patient_reference": "P-9"}, {"filters": {}}, {"scans": every}):
        answer = ask(client, body)
        assert error(answer)[:2] == (400, "too_many_scans")
        assert "at most 5,000 scans, and these are more" in answer.json()["errors"][0]["detail"]
    assert ask(client, {"scans": every[1:]}).json()["total"] == 5000


def test_a_repeated_request_with_the_same_key_starts_no_second_job(scans, owner, teammate, api) -> None:
    client = api(owner)
    body = {"filters": {"patient_reference": "P-7", "mine": True}}
    first = ask(client, body, key="export-1")
    # What was asked for is the same, although more scans match by now.
    make_scan(owner, patient_reference="P-7")
    again = ask(client, {"filters": dict(reversed(body["filters"].items()))}, key="export-1")
    assert (first.status_code, again.status_code) == (202, 200)
    assert again["Location"] == first["Location"]
    assert again.json() == first.json()
    assert error(ask(client, {"filters": {}}, key="export-1")) == (409, "idempotency_key_reused", None)
    assert error(ask(client, body, key="k" * 256)) == (400, "invalid_key", None)
    # Each person has keys of their own, and a deleted job frees its key.
    make_scan(teammate, patient_reference="P-7")
    assert ask(api(teammate), body, key="export-1").status_code == 202
    assert client.delete(first["Location"]).status_code == 204
    assert ask(client, body, key="export-1").status_code == 202


def test_of_two_equal_requests_at_the_same_time_one_starts_a_job(scans, owner, api, monkeypatch) -> None:
    client = api(owner)
    first = ask(client, {"scans": keys(scans)}, key="export-1")
    # The first request is committed after the second has looked for it.
    monkeypatch.setattr(report_archives, "archive_of_request", lambda *args: None)
    late = ask(client, {"scans": keys(scans)}, key="export-1")
    assert late["Location"] == first["Location"]
    assert ReportArchive.objects.count() == 1


def test_a_person_who_waits_for_too_many_files_is_told(scans, owner, api) -> None:
    client = api(owner)
    for _ in range(3):
        assert ask(client, {"scans": keys(scans)}).status_code == 202
    answer = ask(client, {"scans": keys(scans)})
    assert error(answer) == (409, "too_many_archives", None)
    assert "already waiting for 3 files" in answer.json()["errors"][0]["detail"]


def test_jobs_are_listed_for_their_owner_in_pages(scans, owner, teammate, api) -> None:
    client = api(owner)
    for _ in range(3):
        ask(client, {"scans": keys(scans)})
    page = client.get(FILES, {"page_size": 2}).json()
    rest = client.get(page["next"]).json()
    rows = [*page["results"], *rest["results"]]
    assert [row["id"] for row in rows] == keys(list(ReportArchive.objects.order_by("-created_at")))
    assert (rest["next"], len(page["results"])) == (None, 2)
    assert "left_out_scans" not in rows[0]
    assert api(teammate).get(FILES).json()["results"] == []
    assert error(client.get(FILES, {"state": "queued"})) == (400, "unknown_parameter", "state")
    counted = []
    for size in (1, 3):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            client.get(FILES, {"page_size": size})
        counted.append(len(queries))
    assert counted[0] == counted[1]


def test_a_job_that_is_deleted_while_it_runs_is_canceled(scans, owner, teammate, api, monkeypatch) -> None:
    monkeypatch.setattr("classifier.reports.archive_zip.PROGRESS_SECONDS", 0.0)
    client = api(owner)
    url = ask(client, {"scans": keys(scans)})["Location"]
    made = []

    def render(document: str, *, seconds: float) -> bytes:
        made.append(client.get(url).json()["state"])
        assert api(teammate).delete(url).status_code == 404
        assert client.delete(url).status_code == 204
        return b"%PDF"

    monkeypatch.setattr(job.for_jobs, "render", render)
    make_archives(Event())

    assert made == ["running"]
    assert client.get(url).status_code == 404
    assert client.get(FILES).json()["results"] == []


def test_a_file_is_not_handed_out_once_a_scan_in_it_is_closed(scans, team_scan, teammate, api, instant) -> None:
    client = api(teammate)
    url = ask(client, {"scans": [str(scans[0].pk), str(team_scan.pk)]})["Location"]
    make_archives(Event())
    # A scan that was left out may be what it is.
    assert client.get(f"{url}file").status_code == 200
    team_scan.team = None
    team_scan.save()
    assert error(client.get(f"{url}file")) == (409, "changed", None)
