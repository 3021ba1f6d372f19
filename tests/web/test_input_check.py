"""The input check on pages and in the API."""

import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from classifier.models import Scan
from tests.factories import make_analysis, make_scan, png_bytes

pytestmark = pytest.mark.django_db


@pytest.fixture
def cropped(owner):
    scan = make_scan(
        owner, input_problems=[{"code": "cropped", "detail": "top,left"}, {"code": "marked", "cells": [[0, 0]]}]
    )
    make_analysis(scan, state="succeeded")
    return scan


def test_the_page_withholds_the_answer_and_offers_what_to_do(browse, owner, cropped):
    client = browse(owner)
    page = client.get(cropped.get_absolute_url()).content.decode()
    assert "Check the image first: the head is cut off" in page
    assert "The answer is withheld" in page
    assert "Blank out the text" in page
    assert "Probably" not in page
    assert "saliency" not in page
    client.post(reverse("web:input_action", args=[cropped.pk]), {"action": "accept"})
    page = client.get(cropped.get_absolute_url()).content.decode()
    assert "Probably" in page
    assert "may identify the patient" in page


def test_blanking_asks_first(browse, owner, cropped):
    url = reverse("web:input_action", args=[cropped.pk])
    page = browse(owner).post(url, {"action": "blank"}).content.decode()
    assert "cannot be undone" in page
    assert Scan.objects.get().pk == cropped.pk


def test_a_slice_at_the_end_of_the_stack_is_not_called_another_image(browse, owner):
    scan = make_scan(owner, input_problems=[{"code": "edge"}])
    make_analysis(scan, state="succeeded", outcome="not_brain_mri", finding="", probabilities=None)
    page = browse(owner).get(scan.get_absolute_url()).content.decode()
    assert "At the edge of the head: too little brain to judge" in page


def test_the_api_names_the_problems(api, owner, cropped):
    body = api(owner).get(f"/api/v1/scans/{cropped.pk}/").json()
    assert [problem["code"] for problem in body["input_problems"]] == ["cropped", "marked"]
    assert body["withheld"] is True


def upload(client, **fields):
    image = SimpleUploadedFile("slice.png", png_bytes(), content_type="image/png")
    return client.post(reverse("web:scan_upload"), {"image": image, **fields})


def test_a_name_as_patient_reference_is_asked_about_before_it_is_stored(browse, owner):
    answer = upload(browse(owner), patient_reference="John Smith 12.03.1961")
    assert answer.status_code == 400
    assert "looks like a name or a date of birth" in answer.content.decode()
    assert not Scan.objects.exists()
    answer = upload(browse(owner), patient_reference="John Smith 12.03.1961", is_pseudonym="on")
    assert answer.status_code == 302
    assert Scan.objects.get().patient_reference == "John Smith 12.03.1961"


def test_the_api_warns_of_it(api, owner):
    image = SimpleUploadedFile("slice.png", png_bytes(), content_type="image/png")
    body = api(owner).post("/api/v1/scans/", {"image": image, "patient_reference": "Jane Miller"}).json()
    assert len(body["warnings"]) == 1


def test_the_page_of_a_crop_proposes_margins_and_makes_a_copy(browse, owner, cropped):
    client, address = browse(owner), reverse("web:input_crop", args=[cropped.pk])
    assert address in client.get(cropped.get_absolute_url()).content.decode()
    page = client.get(address).content.decode()
    assert re.search(r'name="top" value="\d+"', page)
    made = client.post(address, {"top": 10, "bottom": 0, "left": 0, "right": 0})
    assert Scan.objects.get(mended_from=cropped.pk).get_absolute_url() == made.url
    refused = client.post(address, {"top": 0, "bottom": 0, "left": 0, "right": 0})
    assert refused.status_code == 400
    assert "Cut off at least one side." in refused.content.decode()
