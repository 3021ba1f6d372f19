"""The upload page and what comes of the files sent to it."""

import uuid

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile
from django.test import RequestFactory

from classifier.intake import MAX_BYTES
from classifier.models import Analysis, Batch, Scan
from classifier.services.sample import list_samples
from classifier.web.uploads import MAX_FILES, TOO_MANY_FILES
from devtools.corpus import BAD_UPLOADS, GOOD_UPLOADS
from tests.factories import TeamFactory, make_analysis, make_scan, png_bytes

pytestmark = pytest.mark.django_db
UPLOAD = "/scans/upload/"


def image(name: str = "slice.png", content: bytes | None = None) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, png_bytes() if content is None else content)


def by_script(client, **data):
    return client.post(UPLOAD, data, headers={"HX-Request": "true"})


def test_the_page_offers_every_sample(browse, owner):
    page = browse(owner).get("/").content.decode()
    for sample in list_samples():
        assert f"/samples/{sample.name}/" in page
        assert f"/samples/{sample.name}.png" in page


def test_a_first_visit_says_what_to_do(browse, owner):
    assert b"Nothing here yet." in browse(owner).get("/").content


def test_recent_scans_are_fetched_often_only_while_one_waits(browse, scan, owner):
    client = browse(owner)
    assert "every 15s" in client.get("/?part=recent").content.decode()
    make_analysis(scan, state="running")
    page = client.get("/").content.decode()
    assert "every 2s" in page
    assert "every 15s" not in page


def test_recent_scans_are_shown_to_those_who_may_see_them(browse, team_scan, teammate, outsider):
    assert team_scan.get_absolute_url().encode() in browse(teammate).get("/").content
    assert team_scan.get_absolute_url().encode() not in browse(outsider).get("/").content


def test_a_single_image_leads_to_its_page(browse, owner):
    response = browse(owner).post(UPLOAD, {"image": image(), "patient_reference": "P 7", "notes": "left"})
    scan = Scan.objects.get()
    assert response.status_code == 302
    assert response.url == scan.get_absolute_url()
    assert (scan.owner, scan.patient_reference, scan.notes, scan.team) == (owner, "P 7", "left", None)
    assert scan.current_analysis.state == Analysis.State.QUEUED


def test_a_team_sees_what_was_uploaded_for_it(browse, owner, team, teammate):
    browse(owner).post(UPLOAD, {"image": image(), "team": team.pk})
    assert browse(teammate).get(Scan.objects.get().get_absolute_url()).status_code == 200


def test_nobody_uploads_for_a_team_of_others(browse, owner):
    elsewhere = TeamFactory()
    response = browse(owner).post(UPLOAD, {"image": image(), "team": elsewhere.pk})
    assert response.status_code == 400
    assert not Scan.objects.exists()


@pytest.mark.parametrize("good", GOOD_UPLOADS, ids=str)
def test_every_readable_kind_is_taken(browse, owner, good):
    assert browse(owner).post(UPLOAD, {"image": image(good.filename, good.make())}).status_code == 302


@pytest.mark.parametrize("bad", BAD_UPLOADS, ids=str)
def test_every_bad_file_gets_one_sentence_and_leaves_nothing(browse, owner, bad, settings):
    response = browse(owner).post(UPLOAD, {"image": image(bad.filename, bad.make())})
    page = response.content.decode()
    assert response.status_code == 400
    assert page.count('class="refusal"') == 1
    assert "0 files uploaded, 1 refused" in page
    assert not Scan.objects.exists()
    assert not list(settings.MEDIA_ROOT.rglob("*.*"))


def test_a_refused_file_stops_no_other(browse, owner):
    files = [image("one.png"), image("letter.jpg", b"<html>"), image("empty.png", b""), image("two.png")]
    page = browse(owner).post(UPLOAD, {"image": files}, follow=True).content.decode()
    assert "4 files: 2 waiting, 2 refused" in page
    assert [page.index(f"File {number}") for number in (1, 2, 3, 4)] == sorted(
        page.index(f"File {number}") for number in (1, 2, 3, 4)
    )
    assert "The file is a web page" in page
    assert "The file is empty" in page
    assert Scan.objects.count() == 2


def test_more_files_than_the_limit_are_named_one_by_one(browse, owner):
    content = png_bytes()
    files = [image(f"{n}.png", content) for n in range(MAX_FILES + 2)]
    page = browse(owner).post(UPLOAD, {"image": files}, follow=True)
    assert page.content.decode().count(TOO_MANY_FILES) == 2
    assert Scan.objects.count() == MAX_FILES


REFRESH = '<noscript>\n      <meta http-equiv="refresh" content="3">'


def test_a_batch_is_loaded_again_until_the_last_result(browse, owner):
    client = browse(owner)
    response = client.post(UPLOAD, {"image": [image("one.png"), image("letter.jpg", b"<html>"), image("two.png")]})
    assert response.status_code == 302
    assert "one" not in response.url
    page = client.get(response.url).content.decode()
    assert page.count("Waiting for analysis") == 2
    assert REFRESH in page
    for scan in Scan.objects.all():
        make_analysis(scan, state="succeeded")
    page = client.get(response.url).content.decode()
    assert page.count("Probably meningioma") == 2
    assert "3 files: 2 tumor, 1 refused" in page
    assert "The file is a web page" in page
    assert REFRESH not in page
    assert "data-row=" not in page


def test_the_url_of_uploads_leads_to_the_upload_page(browse, owner):
    assert browse(owner).get(UPLOAD).url == "/"


def test_no_file_at_all_says_so(browse, owner):
    response = browse(owner).post(UPLOAD, {"patient_reference": "P-1"})
    assert response.status_code == 400
    assert b"Choose at least one image" in response.content
    assert b'value="P-1"' in response.content


def test_a_name_as_patient_reference_is_refused_before_any_file_is_read(browse, owner):
    response = browse(owner).post(UPLOAD, {"image": image(), "patient_reference": "Müller; Anna"})
    assert response.status_code == 400
    assert b"Enter a pseudonym, never a name." in response.content
    assert not Scan.objects.exists()


def test_the_form_sent_twice_stores_its_files_once(browse, owner):
    client, content = browse(owner), png_bytes()
    for _ in range(2):
        response = client.post(UPLOAD, {"image": image(content=content), "upload_key": "abc"})
    assert response.url == Scan.objects.get().get_absolute_url()


def test_another_file_under_the_same_form_is_another_upload(browse, owner):
    client = browse(owner)
    for name in ("one.png", "two.png"):
        client.post(UPLOAD, {"image": image(name), "upload_key": "abc"})
    assert Scan.objects.count() == 2


def test_the_script_gets_a_row_with_the_way_to_the_scan(browse, owner):
    response = by_script(browse(owner), image=image())
    scan = Scan.objects.get()
    assert response.status_code == 200
    assert f'data-scan="{scan.get_absolute_url()}"' in response.content.decode()
    assert f'data-row="{scan.pk}~"' in response.content.decode()
    assert b"<html" not in response.content


def test_the_script_gets_the_sentence_beside_the_name(browse, owner):
    response = by_script(browse(owner), image=image("scan.gif", b"GIF89a"))
    assert response.status_code == 400
    assert b"scan.gif" in response.content
    assert b'class="refusal"' in response.content


def test_the_script_gets_a_mistake_in_the_fields_as_a_sentence(browse, owner):
    response = by_script(browse(owner), image=image(), patient_reference="?")
    assert response.status_code == 422
    assert b"Enter a pseudonym, never a name." in response.content
    assert b"<" not in response.content


def test_texts_that_are_too_long_are_reported_and_not_cut(browse, owner):
    page = browse(owner).get("/").content.decode()
    assert "maxlength" not in page
    response = by_script(browse(owner), image=image(), patient_reference="X" * 65, notes="n" * 4001)
    assert response.status_code == 422
    assert response.content.decode() == (
        "A patient reference has at most 64 characters; this one has 65. "
        "Notes have at most 4000 characters; these have 4001."
    )
    assert not Scan.objects.exists()


def test_the_script_sends_each_file_of_a_batch_in_its_own_request(browse, owner):
    client, batch = browse(owner), uuid.uuid4()
    for number in (2, 1):
        response = by_script(client, image=image(), batch=batch, number=number, upload_key=f"k-{number}")
        assert response.status_code == 200
    by_script(client, image=image(content=b"<html>"), batch=batch, number=3)

    files = list(Batch.objects.get(pk=batch).files.all())
    assert [(file.number, file.scan is not None) for file in files] == [(1, True), (2, True), (3, False)]
    assert files[2].refusal.startswith("The file is a web page")


def test_a_batch_is_continued_at_its_next_number(browse, owner, outsider):
    batch = Batch.objects.create(owner=owner, patient_reference="P-9")
    batch.files.create(number=4, refusal="The file is empty.")
    page = browse(owner).get("/", {"batch": str(batch.pk)}).content.decode()
    assert f'data-batch-url="/batches/{batch.pk}/"' in page
    assert 'data-next-number="5"' in page
    assert 'value="P-9"' in page
    assert str(batch.pk) not in browse(outsider).get("/", {"batch": str(batch.pk)}).content.decode()


def test_nobody_adds_files_to_the_batch_of_somebody_else(browse, owner, outsider):
    batch = Batch.objects.create(owner=owner)
    response = by_script(browse(outsider), image=image(), batch=batch.pk, number=1)
    assert response.status_code == 404
    assert not Scan.objects.exists()


def test_an_earlier_upload_of_the_same_pixels_is_pointed_to(browse, owner):
    content = png_bytes()
    earlier = make_scan(owner, content=content)
    make_analysis(earlier, state="succeeded")
    page = by_script(browse(owner), image=image(content=content)).content.decode()
    assert "This image was already uploaded" in page
    assert earlier.get_absolute_url() in page


def test_a_full_disk_is_reported_in_words(browse, owner, monkeypatch):
    from classifier.services.errors import StorageFull
    from classifier.web import uploads

    def full(**_fields):
        raise StorageFull("The server has no space left to store images. Tell your administrator.")

    monkeypatch.setattr(uploads, "submit_scan", full)
    response = browse(owner).post(UPLOAD, {"image": image()})
    assert response.status_code == 400
    assert b"The server has no space left" in response.content


def test_a_file_beyond_the_limit_costs_the_disk_no_more_than_the_limit(settings):
    huge = SimpleUploadedFile("huge.dcm", b"\0" * (MAX_BYTES + 3 * 2**20))
    request = RequestFactory().post(UPLOAD, {"image": huge})
    file = request.FILES["image"]
    assert isinstance(file, TemporaryUploadedFile)
    stored = file.file.seek(0, 2)
    assert MAX_BYTES < stored <= MAX_BYTES + 2**17


def test_a_sample_is_uploaded_with_one_click(browse, owner):
    response = browse(owner).post("/samples/meningioma-1/")
    scan = Scan.objects.get()
    assert response.url == scan.get_absolute_url()
    assert (scan.owner, scan.sample) == (owner, "meningioma-1")


@pytest.mark.parametrize(("method", "path"), [("post", "/samples/nothing/"), ("get", "/samples/nothing.png")])
def test_there_are_no_other_samples(browse, owner, method, path):
    assert getattr(browse(owner), method)(path).status_code == 404


def test_samples_have_small_pictures(browse, owner):
    response = browse(owner).get("/samples/glioma-2.png")
    assert response["Content-Type"] == "image/png"
    assert response["Cache-Control"].startswith("private")
    assert response.content.startswith(b"\x89PNG")
