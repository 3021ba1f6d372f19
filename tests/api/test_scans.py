"""The REST contract of scans."""

import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError
from PIL import Image

from classifier.models import Analysis, Scan
from devtools.corpus import BAD_UPLOADS, GOOD_UPLOADS
from tests.factories import make_analysis, make_scan, png_bytes

pytestmark = pytest.mark.django_db
SCANS = "/api/v1/scans/"


def upload(client, content: bytes | None = None, *, name: str = "slice.png", headers=None, **fields):
    image = SimpleUploadedFile(name, png_bytes() if content is None else content)
    return client.post(SCANS, {"image": image, **fields}, format="multipart", headers=headers or {})


def test_an_upload_is_accepted_with_its_url(api, owner):
    response = upload(api(owner), patient_reference="P-1", notes="left temporal")
    body = response.json()
    assert response.status_code == 202
    assert response["Location"] == body["url"] == f"http://testserver{SCANS}{body['id']}/"
    assert response["Retry-After"] == "1"
    assert (body["patient_reference"], body["notes"], body["owner"]) == ("P-1", "left temporal", "owner")
    assert body["analysis"]["state"] == "queued"
    assert body["analysis"]["queue_position"] == 1
    assert body["earlier_scan"] is None


@pytest.mark.parametrize("good", GOOD_UPLOADS, ids=lambda case: case.name)
def test_every_good_kind_is_accepted(api, owner, good):
    assert upload(api(owner), good.make(), name=good.filename).status_code == 202


@pytest.mark.parametrize("bad", BAD_UPLOADS, ids=lambda case: case.name)
def test_every_bad_file_gets_its_sentence_and_leaves_nothing(api, owner, bad, settings, tmp_path):
    response = upload(api(owner), bad.make(), name=bad.filename)
    error = response.json()["errors"][0]
    assert response.status_code in (413, 415, 422)
    assert error["code"] == bad.code
    assert error["detail"].endswith(".")
    assert not Scan.objects.exists()
    assert [path for path in (tmp_path / "media").rglob("*") if path.is_file()] == []


def test_an_upload_without_a_file_is_told_so(api, owner):
    response = api(owner).post(SCANS, {"notes": "no file"}, format="multipart")
    assert response.status_code == 400
    assert response.json()["errors"][0]["attr"] == "image"


def test_a_foreign_team_does_not_exist(api, owner, outsider):
    foreign = outsider.memberships.get().team_id
    response = upload(api(owner), team=foreign)
    assert response.status_code == 400
    assert response.json()["errors"][0]["attr"] == "team"


def test_an_unknown_model_is_told_so(api, owner):
    assert upload(api(owner), model="resnet").json()["errors"][0]["code"] == "unknown_model"


def test_the_same_key_answers_with_the_first_scan(api, owner):
    content = png_bytes()
    first = upload(api(owner), content, headers={"Idempotency-Key": "k"})
    again = upload(api(owner), content, headers={"Idempotency-Key": "k"})
    assert (first.status_code, again.status_code) == (202, 200)
    assert first.json()["id"] == again.json()["id"]
    other = upload(api(owner), headers={"Idempotency-Key": "k"})
    assert other.status_code == 409


def test_the_same_pixels_are_linked(api, owner):
    content = png_bytes()
    first = upload(api(owner), content)
    assert upload(api(owner), content).json()["earlier_scan"] == first.json()["url"]


def test_a_result_is_read(api, owner, scan):
    body = api(owner).get(f"{SCANS}{scan.pk}/").json()
    analysis = body["analysis"]
    assert (analysis["state"], analysis["outcome"], analysis["finding"]) == ("succeeded", "classified", "meningioma")
    assert list(analysis["probabilities"]) == ["glioma", "meningioma", "notumor", "pituitary"]
    assert sum(analysis["probabilities"].values()) == pytest.approx(1)
    assert analysis["saliency"] == f"http://testserver{SCANS}{scan.pk}/saliency?analysis={analysis['id']}"


def test_files_are_png(api, owner, scan):
    for name, mode in (("image", "L"), ("thumbnail", "L"), ("saliency", "RGBA")):
        response = api(owner).get(f"{SCANS}{scan.pk}/{name}")
        image = Image.open(io.BytesIO(b"".join(response) if response.streaming else response.content))
        assert (image.format, image.mode) == ("PNG", mode)
        assert response["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize("name", ["image", "thumbnail", "saliency"])
def test_an_image_that_the_client_has_is_not_sent_again(api, owner, outsider, scan, name):
    url = f"{SCANS}{scan.pk}/{name}"
    etag = api(owner).get(url)["ETag"]
    again = api(owner).get(url, headers={"If-None-Match": etag})
    assert (again.status_code, again["ETag"], again["Cache-Control"]) == (304, etag, "private, no-cache")
    assert not again.content
    assert api(owner).get(url, headers={"If-None-Match": '"other"'}).status_code == 200
    assert api(outsider).get(url, headers={"If-None-Match": etag}).status_code == 404


def test_each_analysis_has_its_own_saliency_map(api, owner, scan):
    make_analysis(scan, state="succeeded", finding="glioma")
    newer, older = api(owner).get(f"{SCANS}{scan.pk}/analyses/").json()
    maps = [api(owner).get(analysis["saliency"]) for analysis in (newer, older)]
    assert [response["ETag"] for response in maps] == [f'"{newer["id"]}-glioma"', f'"{older["id"]}-meningioma"']
    current = api(owner).get(f"{SCANS}{scan.pk}/saliency")
    assert (current["ETag"], current.content) == (maps[0]["ETag"], maps[0].content)


def test_an_analysis_of_another_scan_has_no_map_here(api, owner, scan, team_scan):
    url = f"{SCANS}{scan.pk}/saliency"
    assert api(owner).get(url, {"analysis": str(team_scan.current_analysis_id)}).status_code == 404
    assert api(owner).get(url, {"analysis": "first"}).status_code == 400


@pytest.mark.parametrize(("finding", "status"), [("glioma", 200), ("notumor", 404), ("sarcoma", 400), ("", 400)])
def test_no_saliency_where_there_is_nothing_to_show(api, owner, scan, finding, status):
    assert api(owner).get(f"{SCANS}{scan.pk}/saliency", {"finding": finding}).status_code == status


def test_no_saliency_for_no_tumor(api, owner):
    scan = make_scan(owner)
    make_analysis(scan, state="succeeded", finding="notumor")
    assert api(owner).get(f"{SCANS}{scan.pk}/").json()["analysis"]["saliency"] is None
    assert api(owner).get(f"{SCANS}{scan.pk}/saliency").status_code == 404


def test_a_database_that_is_away_asks_for_patience(api, owner, monkeypatch):
    def away(**_):
        raise OperationalError("the connection was refused by db.internal")

    monkeypatch.setattr("classifier.api.scans.submit_scan", away)
    response = upload(api(owner))
    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert response.json()["errors"][0]["code"] == "unavailable"
    assert "db.internal" not in response.content.decode()


def test_lists_are_newest_first_in_pages(api, owner):
    scans = [make_scan(owner) for _ in range(5)]
    first = api(owner).get(SCANS, {"page_size": 3}).json()
    second = api(owner).get(first["next"]).json()
    seen = [row["id"] for row in first["results"] + second["results"]]
    assert seen == [str(scan.pk) for scan in reversed(scans)]
    assert second["next"] is None


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"finding": "meningioma"}, 1),
        ({"finding": "glioma"}, 0),
        ({"state": "succeeded"}, 1),
        ({"state": "queued"}, 1),
        ({"patient_reference": "p-1"}, 1),
        ({"text": "P-1"}, 1),
        ({"uploaded_after": "2000-01-01"}, 2),
        ({"uploaded_before": "2000-01-01"}, 0),
    ],
)
def test_lists_are_filtered(api, owner, scan, query, count):
    make_analysis(make_scan(owner))
    assert len(api(owner).get(SCANS, query).json()["results"]) == count


@pytest.mark.parametrize("query", [{"finding": "sarcoma"}, {"uploaded_after": "yesterday"}, {"team": "99999"}])
def test_a_filter_that_makes_no_sense_is_an_error_not_everything(api, owner, query):
    assert api(owner).get(SCANS, query).status_code == 400


def test_a_list_costs_a_constant_number_of_queries(api, owner, django_assert_max_num_queries):
    for _ in range(5):
        make_analysis(make_scan(owner), state="succeeded")
    with django_assert_max_num_queries(4):
        api(owner).get(SCANS)
    for _ in range(5):
        make_analysis(make_scan(owner))
    with django_assert_max_num_queries(5):
        rows = api(owner).get(SCANS).json()["results"]
    assert sorted(row["analysis"]["queue_position"] for row in rows) == [0, 0, 0, 0, 0, 1, 2, 3, 4, 5]


def test_deleting(api, owner, scan):
    assert api(owner).delete(f"{SCANS}{scan.pk}/").status_code == 204
    assert api(owner).get(f"{SCANS}{scan.pk}/").status_code == 404


def test_analysing_again_and_cancelling(api, owner, scan):
    response = api(owner).post(f"{SCANS}{scan.pk}/analyses/", {"model": "xception"}, format="json")
    assert response.status_code == 202
    again = api(owner).post(f"{SCANS}{scan.pk}/analyses/", {}, format="json")
    assert again.status_code == 409
    cancel = f"/api/v1/analyses/{response.json()['id']}/cancel/"
    assert api(owner).post(cancel).json()["state"] == "cancelled"
    assert api(owner).post(cancel).status_code == 409
    assert Analysis.objects.filter(scan=scan).count() == 2
    assert len(api(owner).get(f"{SCANS}{scan.pk}/analyses/").json()) == 2


def test_a_full_disk_is_a_507(api, owner, monkeypatch):
    import errno

    from django.core.files.storage import FileSystemStorage

    def full(*_args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(FileSystemStorage, "_save", full)
    client = api(owner)
    client.raise_request_exception = False
    response = upload(client)
    assert response.status_code == 507
    assert response.json()["errors"][0]["detail"].startswith("The server has no space left")
    assert not Scan.objects.exists()


def test_errors_never_quote_the_file_name(api, owner):
    response = upload(api(owner), b"<svg/>", name="Müller_Hans_1950.svg")
    assert "ller" not in response.content.decode()


def test_the_schema_and_its_page(browse, owner):
    assert browse(owner).get("/api/schema/").status_code == 200
    assert browse(owner).get("/api/docs/").status_code == 200


@pytest.mark.parametrize("cursor", ["cD0yMDI0", "cD1hYmM=", "cj0xJnA9", "o=9"])
def test_a_cursor_never_given_is_no_page(api, owner, scan, cursor):
    assert api(owner).get(SCANS, {"cursor": cursor}).status_code == 404


def test_a_token_that_is_no_text_is_a_wrong_token(browse):
    response = browse().get(SCANS, headers={"Authorization": b"Token \xff\xfe".decode("latin-1")})
    assert response.status_code == 401
    assert response.json()["errors"][0]["code"] == "authentication_failed"


def test_an_unknown_url_is_answered_in_the_same_shape(api, owner):
    for path in ("/api/v1/nothing/", f"{SCANS}not-an-id/"):
        response = api(owner).get(path)
        assert response.status_code == 404
        assert response.json()["errors"][0]["code"] == "not_found"


def test_too_much_text_is_a_413(api, owner):
    response = upload(api(owner), notes="x" * 2_000_000)
    assert response.status_code == 413
    assert response.json()["errors"][0]["code"] == "too_large"


def test_a_long_search_is_refused(api, owner):
    assert api(owner).get(SCANS, {"text": "word " * 300}).status_code == 400


def test_answers_are_kept_by_no_cache_and_pictures_are_asked_for_again(api, owner, scan):
    assert api(owner).get(f"{SCANS}{scan.pk}/")["Cache-Control"] == "private, no-store"
    assert api(owner).get(f"{SCANS}{scan.pk}/image")["Cache-Control"] == "private, no-cache"
