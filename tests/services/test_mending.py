"""Accepting, turning and blanking images that the input check warned of."""

import io

import numpy as np
import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image, ImageDraw, ImageOps

from classifier import wording
from classifier.events import Kind
from classifier.input_problems import SENTENCES
from classifier.inspection import Margins
from classifier.intake import read_canonical
from classifier.models import Event, Scan
from classifier.models.scan_index import Facet
from classifier.selectors.scan import get_scan, visible_scans
from classifier.services import mending
from classifier.services.errors import Conflict, NotAllowed
from classifier.services.scan import submit_scan
from tests.factories import make_analysis, make_scan, png_bytes

pytestmark = pytest.mark.django_db
TURNED = {"code": "turned", "detail": "1"}
MARKED = {"code": "marked", "detail": "", "cells": [[0, 0], [0, 1]]}


@pytest.fixture
def marked_file():
    """An upright head with text in the corner, as PNG."""
    with Image.open(sorted((settings.BASE_DIR / "samples").glob("notumor*.jpg"))[0]) as image:
        picture = ImageOps.expand(image.convert("L"), border=24)
    ImageDraw.Draw(picture).text((4, 4), "SMITH JOHN 1961", fill=255, font_size=14)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def turned_scan(owner, team):
    scan = make_scan(owner, team=team, patient_reference="P-1", input_problems=[TURNED])
    make_analysis(scan, state="succeeded")
    return get_scan(owner, scan.pk)


def test_a_confident_answer_is_withheld_until_somebody_accepts_the_image(turned_scan, owner, teammate):
    assert wording.sentence(turned_scan.current_analysis) == "Check the image first: it looks turned"
    assert wording.mark(turned_scan.current_analysis) == "withheld"
    mending.accept_input(turned_scan, by=teammate)
    mending.accept_input(turned_scan, by=owner)
    shown = get_scan(owner, turned_scan.pk)
    assert wording.sentence(shown.current_analysis).startswith("Probably")
    assert Event.objects.filter(kind=Kind.INPUT_ACCEPTED).count() == 1


def test_an_answer_about_a_slice_at_the_end_of_the_stack_is_withheld(owner):
    scan = make_scan(owner, input_problems=[{"code": "edge", "detail": ""}])
    make_analysis(scan, state="succeeded")
    shown = get_scan(owner, scan.pk)
    assert wording.sentence(shown.current_analysis) == "At the edge of the head: too little brain to judge"
    assert wording.withheld(shown.current_analysis)
    scan.refresh_from_db()
    assert Facet.parse(scan.facet).result == "withheld"


def test_lists_say_the_same_as_the_page(turned_scan, owner, browse):
    page = browse(owner).get("/scans/").content.decode()
    assert "Check the image first" in page
    assert [wording.withheld(scan.current_analysis) for scan in visible_scans(owner)] == [True]


def test_outsiders_accept_nothing(turned_scan, outsider):
    with pytest.raises(NotAllowed):
        mending.accept_input(turned_scan, by=outsider)
    assert Scan.objects.get().input_accepted_at is None


def test_turning_submits_a_copy_and_keeps_the_original(turned_scan, owner):
    copy = mending.turn_scan(turned_scan, by=owner).scan
    assert (copy.width, copy.height) == (turned_scan.height, turned_scan.width)
    assert (copy.mended_from, copy.team, copy.patient_reference) == (turned_scan.pk, turned_scan.team, "P-1")
    assert Scan.objects.count() == 2
    assert copy.current_analysis.state == "queued"


def test_only_the_owner_mends(turned_scan, teammate):
    with pytest.raises(NotAllowed):
        mending.turn_scan(turned_scan, by=teammate)


def test_blanking_replaces_the_image(owner):
    scan = make_scan(owner, content=png_bytes(), input_problems=[MARKED])
    make_analysis(scan, state="succeeded")
    copy = mending.blank_scan(get_scan(owner, scan.pk), by=owner).scan
    assert [row.pk for row in Scan.objects.all()] == [copy.pk]
    assert copy.mended_from == scan.pk


def test_a_reviewed_image_is_not_replaced(owner):
    from django.utils import timezone

    from classifier.services.review import record_diagnosis

    scan = make_scan(owner, input_problems=[MARKED])
    make_analysis(scan, state="succeeded")
    record_diagnosis(scan, by=owner, finding="glioma", source="histology", confirmed_on=timezone.now().date())
    with pytest.raises(Conflict, match="was not replaced"):
        mending.blank_scan(get_scan(owner, scan.pk), by=owner)
    assert Scan.objects.filter(pk=scan.pk).exists()


def test_nothing_to_mend_is_reported(owner, scan):
    with pytest.raises(Conflict, match="nothing to correct"):
        mending.turn_scan(scan, by=owner)


def test_text_is_blanked_before_the_image_is_stored(owner, marked_file):
    scan = submit_scan(owner=owner, file=marked_file, blank_text=True).scan
    assert [problem["code"] for problem in scan.input_problems] == ["blanked"]
    with scan.image.open("rb") as file:
        stored = read_canonical(file.read())
    sent = np.asarray(Image.open(io.BytesIO(marked_file)))
    assert sent[:20].max() == 255
    assert stored[:20].max() == 0
    assert (stored[60:] == sent[60:]).all()
    assert not wording.withheld(scan.current_analysis)


def test_text_is_kept_unless_somebody_asks(owner, marked_file):
    scan = submit_scan(owner=owner, file=marked_file).scan
    assert [problem["code"] for problem in scan.input_problems] == ["marked"]


def test_an_image_without_text_is_stored_as_it_is(owner):
    file = png_bytes()
    scan, other = (submit_scan(owner=owner, file=file, blank_text=blank).scan for blank in (True, False))
    assert scan.pixels_sha256 == other.pixels_sha256
    assert "blanked" not in scan.input_codes


def test_a_repeated_request_with_text_gives_the_same_scan(owner, marked_file):
    first, second = (submit_scan(owner=owner, file=marked_file, blank_text=True, idempotency_key="k") for _ in range(2))
    assert second.replayed
    assert second.scan == first.scan


def test_pages_and_api_pass_the_choice_on(owner, browse, api, marked_file):
    upload = {"image": SimpleUploadedFile("a.png", marked_file), "blank_text": "on"}
    page = browse(owner).post("/scans/upload/", upload, follow=True)
    assert SENTENCES["blanked"] in page.content.decode()
    body = {"image": SimpleUploadedFile("b.png", marked_file), "blank_text": "true"}
    answer = api(owner).post("/api/v1/scans/", body, format="multipart").json()
    assert answer["input_problems"] == [{"code": "blanked", "sentence": SENTENCES["blanked"], "mend": None}]


def test_text_at_the_border_is_cropped_away_and_the_original_stays(owner, marked_file):
    scan = submit_scan(owner=owner, file=marked_file, patient_reference="P-1").scan
    copy = mending.crop_scan(scan, by=owner).scan
    assert copy.mended_from == scan.pk
    assert "marked" not in copy.input_codes
    assert copy.height < scan.height
    assert (copy.patient_reference, copy.current_analysis.state) == ("P-1", "queued")
    assert Scan.objects.filter(pk=scan.pk).exists()
    # A double click makes one copy.
    assert mending.crop_scan(scan, by=owner).scan == copy


def test_a_crop_is_refused_if_it_cuts_off_nothing_or_too_much(owner, teammate, team):
    scan = make_scan(owner, team=team, input_problems=[MARKED])
    for margins, words in ((Margins(), "at least one side"), (Margins(top=50, bottom=49), "pixels must be left")):
        with pytest.raises(Conflict, match=words):
            mending.crop_scan(scan, by=owner, margins=margins)
    with pytest.raises(NotAllowed):
        mending.crop_scan(scan, by=teammate)
    with pytest.raises(Conflict):
        mending.crop_scan(make_scan(owner), by=owner)
