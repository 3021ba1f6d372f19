"""`GET scans/export.csv`: the same scans as the list, as one file."""

import csv
import io
from datetime import timedelta

import pytest
from django.utils import timezone

from classifier import scan_csv
from classifier.models import Scan
from classifier.selectors.history import ScanFilter
from tests.factories import make_analysis, make_scan

URL = "/api/v1/scans/export.csv"


def rows(response):
    assert response.status_code == 200
    text = b"".join(response.streaming_content).decode("utf-8")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_a_scan_has_its_result(api, owner, scan):
    response = api(owner).get(URL)
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"] == 'attachment; filename="scans.csv"'
    assert response["Cache-Control"] == "private, no-store"
    (row,) = rows(response)
    analysis = scan.current_analysis
    assert row["id"] == str(scan.pk)
    assert row["created_at"] == scan.created_at.isoformat()
    assert (row["owner"], row["patient_reference"]) == (owner.username, "P-1")
    assert (row["state"], row["outcome"], row["finding"]) == ("succeeded", analysis.outcome, analysis.finding)
    assert row["sentence"].startswith("Probably meningioma")
    shown = [float(row[f"probability_{name}"]) for name in ("glioma", "meningioma", "notumor", "pituitary")]
    assert shown == analysis.probabilities
    assert float(row["tumor_probability"]) == pytest.approx(1 - shown[2])
    assert (row["withheld"], row["sealed"], row["input_problems"]) == ("false", "false", "")


def test_it_accepts_any_type_that_the_client_asks_for(api, owner, scan):
    assert len(rows(api(owner).get(URL, HTTP_ACCEPT="text/csv"))) == 1


def test_only_visible_scans_are_there(api, teammate, outsider, scan, team_scan):
    assert [row["id"] for row in rows(api(teammate).get(URL))] == [str(team_scan.pk)]
    assert rows(api(outsider).get(URL)) == []


def test_filters_narrow_it(api, owner, scan, team_scan):
    assert [row["id"] for row in rows(api(owner).get(URL, {"patient_reference": "p-2"}))] == [str(team_scan.pk)]
    assert [row["id"] for row in rows(api(owner).get(URL, {"team": team_scan.team_id}))] == [str(team_scan.pk)]
    response = api(owner).get(URL, {"page_size": 3})
    assert response.status_code == 400
    assert response.json()["errors"][0]["code"] == "unknown_parameter"


def test_many_scans_come_in_order_and_once(owner, rf, monkeypatch):
    scans = [make_scan(owner) for _ in range(7)]
    request = rf.get(URL)
    request.user = owner
    walked = ScanFilter({}, queryset=Scan.objects.all(), request=request).scan_list().walk(chunk=3)
    assert [scan.pk for scan in walked] == [scan.pk for scan in reversed(scans)]


def test_too_many_scans_are_refused_with_a_sentence(api, owner, scan, team_scan, monkeypatch):
    monkeypatch.setattr(scan_csv, "MAX_ROWS", 1)
    response = api(owner).get(URL)
    assert response.status_code == 400
    (error,) = response.json()["errors"]
    assert error["code"] == "too_many"
    assert "scans match. Narrow the export" in error["detail"]


def test_a_sealed_result_is_empty(api, owner):
    owner.sealed_reading_since = timezone.now() - timedelta(hours=1)
    owner.save()
    make_analysis(make_scan(owner), state="succeeded")
    (row,) = rows(api(owner).get(URL))
    assert row["sealed"] == "true"
    assert {row[name] for name in ("outcome", "finding", "confidence", "probability_glioma", "ood_score")} == {""}
    assert rows(api(owner).get(URL, {"outcome": "classified"})) == []


def test_a_withheld_answer_is_empty(api, owner):
    problem = {"code": "cropped", "detail": "top,left"}
    make_analysis(make_scan(owner, input_problems=[problem]), state="succeeded")
    (row,) = rows(api(owner).get(URL))
    assert (row["withheld"], row["input_problems"]) == ("true", "cropped")
    assert {row[name] for name in ("outcome", "finding", "confidence", "probability_glioma")} == {""}


@pytest.mark.parametrize("reference", ["=1+1", "+1", "-1", "@a"])
def test_no_text_is_a_formula(api, owner, reference):
    make_scan(owner, patient_reference=reference)
    (row,) = rows(api(owner).get(URL))
    assert row["patient_reference"] == f"'{reference}"
