"""Mending and accepting an image by API."""

from pathlib import Path

import pytest

from classifier.models import Scan
from tests.factories import make_analysis, make_scan

pytestmark = pytest.mark.django_db
TURNED = {"code": "turned", "detail": "1"}
MARKED = {"code": "marked", "detail": "", "cells": [[0, 0]]}


@pytest.fixture
def scan(owner, team):
    scan = make_scan(owner, team=team, patient_reference="P-1", input_problems=[TURNED, MARKED])
    make_analysis(scan, state="succeeded")
    return scan


def mend(client, scan, **body):
    return client.post(f"/api/v1/scans/{scan.pk}/mend/", body, format="json")


def test_each_problem_names_its_mend(api, owner, scan):
    scan.input_problems = [TURNED, {"code": "cropped", "detail": "top,left"}, MARKED]
    scan.save()
    body = api(owner).get(f"/api/v1/scans/{scan.pk}/").json()
    assert [(row["code"], row["mend"]) for row in body["input_problems"]] == [
        ("turned", "turn"),
        ("cropped", None),
        ("marked", "blank"),
    ]


def test_turning_twice_makes_one_copy_that_names_its_original(api, owner, scan):
    first, second = mend(api(owner), scan, action="turn"), mend(api(owner), scan, action="turn")
    assert (first.status_code, second.status_code) == (201, 201)
    copy = first.json()
    assert copy["id"] == second.json()["id"]
    assert copy["mended_from"] == str(scan.pk)
    assert (copy["width"], copy["height"]) == (scan.height, scan.width)
    assert (copy["team"], copy["patient_reference"]) == (scan.team_id, "P-1")
    assert Scan.objects.count() == 2


def test_blanking_leaves_no_copy_with_the_text(api, owner, scan, django_capture_on_commit_callbacks):
    files = [Path(scan.image.path), Path(scan.thumbnail.path)]
    with django_capture_on_commit_callbacks(execute=True):
        answer = mend(api(owner), scan, action="blank")
    assert answer.status_code == 201
    assert [str(row.pk) for row in Scan.objects.all()] == [answer.json()["id"]]
    assert not any(file.exists() for file in files)


def test_accepting_shows_the_answer_and_keeps_the_warning_of_text(api, teammate, scan):
    before = api(teammate).get(f"/api/v1/scans/{scan.pk}/").json()
    after = mend(api(teammate), scan, action="accept")
    assert (before["withheld"], after.status_code, after.json()["withheld"]) == (True, 200, False)
    assert [row["code"] for row in after.json()["input_problems"]] == ["marked"]


def test_a_teammate_mends_nothing_and_an_outsider_finds_nothing(api, teammate, outsider, scan):
    refused = [mend(api(teammate), scan, action=action).status_code for action in ("turn", "crop", "blank")]
    assert refused == [403, 403, 403]
    assert [mend(api(outsider), scan, action=action).status_code for action in ("turn", "accept")] == [404, 404]
    assert Scan.objects.get().input_accepted_at is None


def test_nothing_to_mend_and_unknown_actions_are_reported(api, owner):
    clean = make_scan(owner)
    assert mend(api(owner), clean, action="turn").json()["errors"][0]["code"] == "nothing_to_mend"
    assert mend(api(owner), clean, action="mirror").status_code == 400


def test_borders_are_cut_off_as_asked(api, owner):
    scan = make_scan(owner, input_problems=[{"code": "marked", "detail": "", "cells": [[0, 0]]}])
    answer = mend(api(owner), scan, action="crop", left=25)
    assert answer.status_code == 201
    assert answer.json()["mended_from"] == str(scan.pk)
    assert (answer.json()["width"], answer.json()["height"]) == (scan.width * 3 // 4, scan.height)
    assert mend(api(owner), scan, action="crop", left=-1).status_code == 400
    assert mend(api(owner), scan, action="crop", left=80).json()["errors"][0]["code"] == "too_little_left"
