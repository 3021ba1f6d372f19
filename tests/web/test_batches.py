"""The pages of uploads of several files."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from classifier.models import Analysis, Batch, Scan, User
from classifier.services.batch import Place, record_refusal, record_scan
from classifier.services.scan import delete_scan
from tests.factories import make_analysis, make_scan, png_bytes
from tests.web.test_upload import UPLOAD, image

pytestmark = pytest.mark.django_db


def make_batch(owner: User, *states: str, team=None) -> tuple[Batch, list[Scan]]:
    """Return a batch with one file for each state, and a refused one at the end."""
    batch = Batch.objects.create(owner=owner, team=team, patient_reference="P-3")
    scans = [make_scan(owner, team=team) for _ in states]
    for scan, state in zip(scans, states, strict=True):
        make_analysis(scan, state=state)
        record_scan(Place(batch, name="Erika Mustermann.png"), scan)
    record_refusal(Place(batch, name="letter.jpg"), "The file is a web page.")
    return batch, scans


def page_of(client, batch: Batch) -> str:
    return client.get(batch.get_absolute_url()).content.decode()


def test_the_page_keeps_the_outcome_of_every_file(browse, owner):
    batch, scans = make_batch(owner, "succeeded", "queued", "failed")
    page = page_of(browse(owner), batch)

    assert "4 files: 1 tumor, 1 waiting, 1 failed, 1 refused" in page
    assert "The file is a web page." in page
    assert all(scan.get_absolute_url() in page for scan in scans)
    assert "Mustermann" not in page
    assert "File 4" in page


def test_the_page_leads_to_the_report_of_the_upload(browse, owner):
    batch, _ = make_batch(owner, "succeeded")
    assert f'href="/batches/{batch.pk}/report/"' in page_of(browse(owner), batch)
    refused = Batch.objects.create(owner=owner)
    record_refusal(Place(refused, name="letter.jpg"), "The file is a web page.")
    assert "/report/" not in page_of(browse(owner), refused)


def test_names_are_kept_if_the_person_wants_them_but_never_for_dicom(browse, owner):
    owner.keep_file_names = True
    owner.save()
    batch = Batch.objects.create(owner=owner)
    dicom = make_scan(owner)
    Scan.objects.filter(pk=dicom.pk).update(source_format="DICOM")
    dicom.refresh_from_db()
    record_scan(Place(batch, name="slice <1>.png"), make_scan(owner))
    record_scan(Place(batch, name="MUSTERMANN.dcm"), dicom)
    record_refusal(Place(batch, name="MUSTERMANN2"), "The file is empty.")

    page = page_of(browse(owner), batch)
    assert "slice &lt;1&gt;.png" in page
    assert "MUSTERMANN" not in page


def test_a_team_sees_the_batch_and_nobody_else_does(browse, owner, team, teammate, outsider):
    batch, _ = make_batch(owner, "succeeded", team=team)
    assert "1 tumor" in page_of(browse(teammate), batch)
    assert browse(outsider).get(batch.get_absolute_url()).status_code == 404
    assert "P-3" in browse(teammate).get("/batches/").content.decode()
    assert "P-3" not in browse(outsider).get("/batches/").content.decode()


def test_a_scan_that_is_no_longer_visible_or_deleted_shows_nothing(browse, owner, team, teammate):
    batch, (hidden, deleted) = make_batch(owner, "succeeded", "succeeded", team=team)
    Scan.objects.filter(pk=hidden.pk).update(team=None)
    delete_scan(deleted, by=owner)

    page = page_of(browse(teammate), batch)
    assert "3 files: 1 refused, 2 deleted or not visible to you" in page
    assert str(hidden.pk) not in page


def test_a_sealed_result_is_counted_as_unread(browse, owner, team, teammate):
    teammate.sealed_reading_since = timezone.now() - timedelta(hours=1)
    teammate.save()
    batch, _ = make_batch(owner, "succeeded", team=team)
    page = page_of(browse(teammate), batch)
    assert "2 files: 1 unread, 1 refused" in page
    assert "meningioma" not in page


def test_failed_and_canceled_analyses_are_queued_again_at_once(browse, owner):
    batch, scans = make_batch(owner, "failed", "cancelled", "succeeded")
    client = browse(owner)
    page = client.post(f"{batch.get_absolute_url()}retry/", follow=True).content.decode()

    assert "2 analyses queued again." in page
    assert "4 files: 1 tumor, 2 waiting, 1 refused" in page
    states = [Scan.objects.get(pk=scan.pk).current_analysis.state for scan in scans]
    assert states == [Analysis.State.QUEUED, Analysis.State.QUEUED, Analysis.State.SUCCEEDED]
    assert "has failed" in client.post(f"{batch.get_absolute_url()}retry/", follow=True).content.decode()


def test_the_scan_leads_back_to_its_batch(browse, owner):
    client = browse(owner)
    response = client.post(UPLOAD, {"image": [image(content=png_bytes()), image(content=png_bytes())]})
    scan = Scan.objects.earliest("created_at")
    page = client.get(scan.get_absolute_url()).content.decode()
    assert f'href="{response.url}"' in page
    assert "File 1 of 2" in page


@pytest.mark.parametrize("part", ["", "?part=summary"])
def test_a_long_batch_costs_no_more_queries_than_a_short_one(browse, owner, part):
    client = browse(owner)
    counts = []
    for size in (1, 20):
        batch, _ = make_batch(owner, *(["succeeded"] * size))
        client.get(batch.get_absolute_url())
        with CaptureQueriesContext(connection) as queries:
            client.get(batch.get_absolute_url() + part)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_the_list_says_what_to_do_first(browse, owner):
    assert b"Upload two or more files at once" in browse(owner).get("/batches/").content
