"""The images of a scan: who gets them, and what browsers may keep."""

import io

import pytest
from PIL import Image

from classifier.findings import Outcome
from tests.factories import make_analysis, make_scan

pytestmark = pytest.mark.django_db
FILES = ("image.png", "thumbnail.png", "saliency.png")


@pytest.mark.parametrize("name", FILES)
def test_images_are_private_and_say_what_they_are(browse, owner, scan, name):
    response = browse(owner).get(f"{scan.get_absolute_url()}{name}")
    assert response.status_code == 200
    assert response["Content-Type"] == "image/png"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Cache-Control"] == "private, no-cache"
    assert response["Content-Disposition"].startswith(f'inline; filename="scan-{scan.short_id}')
    assert "P-1" not in response["Content-Disposition"]


@pytest.mark.parametrize("name", FILES)
def test_what_a_browser_has_is_not_sent_again(browse, owner, scan, name):
    client = browse(owner)
    etag = client.get(f"{scan.get_absolute_url()}{name}")["ETag"]
    again = client.get(f"{scan.get_absolute_url()}{name}", headers={"If-None-Match": etag})
    assert again.status_code == 304
    assert (again["ETag"], again["Cache-Control"]) == (etag, "private, no-cache")
    assert not again.content
    assert client.get(f"{scan.get_absolute_url()}{name}", headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize("name", FILES)
def test_a_known_etag_opens_nothing_to_an_outsider(browse, owner, outsider, scan, name):
    etag = browse(owner).get(f"{scan.get_absolute_url()}{name}")["ETag"]
    response = browse(outsider).get(f"{scan.get_absolute_url()}{name}", headers={"If-None-Match": etag})
    assert response.status_code == 404


def test_a_missing_file_is_not_found(browse, owner, scan):
    scan.image.storage.delete(scan.image.name)
    assert browse(owner).get(f"{scan.get_absolute_url()}image.png").status_code == 404


def test_the_overlay_has_the_proportions_of_the_image(browse, owner, scan):
    response = browse(owner).get(f"{scan.get_absolute_url()}saliency.png")
    overlay = Image.open(io.BytesIO(response.content))
    assert overlay.mode == "RGBA"
    assert overlay.size == (scan.width, scan.height)


def test_another_tumor_can_be_asked_for(browse, owner, scan):
    client = browse(owner)
    named = client.get(f"{scan.get_absolute_url()}saliency.png")
    other = client.get(f"{scan.get_absolute_url()}saliency.png", {"finding": "glioma"})
    assert other.status_code == 200
    assert other["ETag"] != named["ETag"]


@pytest.mark.parametrize("query", [{"finding": "notumor"}, {"finding": "x"}, {"analysis": "x"}])
def test_there_is_no_overlay_of_anything_else(browse, owner, scan, query):
    assert browse(owner).get(f"{scan.get_absolute_url()}saliency.png", query).status_code == 404


@pytest.mark.parametrize(
    "fields",
    [
        {"finding": "notumor"},
        {"outcome": Outcome.NOT_BRAIN_MRI, "finding": "", "probabilities": None, "confidence": None},
        {"state": "queued"},
    ],
)
def test_there_is_no_overlay_where_nothing_is_to_show(browse, owner, fields):
    scan = make_scan(owner)
    make_analysis(scan, **{"state": "succeeded", **fields})
    assert browse(owner).get(f"{scan.get_absolute_url()}saliency.png").status_code == 404


def test_an_older_analysis_shows_its_own_map(browse, owner, scan):
    older = scan.current_analysis
    newer = make_analysis(scan, state="succeeded", finding="glioma")
    address = f"{scan.get_absolute_url()}saliency.png"
    client = browse(owner)
    assert client.get(address)["ETag"] == f'"{newer.pk}-glioma"'
    assert client.get(address, {"analysis": str(older.pk)})["ETag"] == f'"{older.pk}-meningioma"'


def test_an_analysis_of_another_scan_is_not_shown(browse, owner, scan, team_scan, outsider):
    client = browse(owner)
    address = f"{scan.get_absolute_url()}saliency.png"
    foreign = make_analysis(make_scan(outsider), state="succeeded")
    assert client.get(address, {"analysis": str(scan.current_analysis_id)}).status_code == 200
    assert client.get(address, {"analysis": str(team_scan.current_analysis_id)}).status_code == 404
    assert client.get(address, {"analysis": str(foreign.pk)}).status_code == 404
