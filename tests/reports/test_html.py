"""What reports say."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone

from classifier.models import Analysis, Review, Scan
from classifier.reports import formatting
from classifier.reports.html import document, scan_report
from classifier.reports.summary import summary_document, summary_of
from classifier.selectors.model import model_card
from classifier.selectors.scan import get_scan, visible_scans
from classifier.services.errors import Sealed
from classifier.services.mending import accept_input
from classifier.services.report import add_addendum
from classifier.services.review import record_diagnosis, submit_review
from classifier.wording import percent
from tests.factories import UserFactory, make_analysis, make_scan
from tests.reports.conftest import signed_report


def said(scan, user) -> str:
    """Return the document about a scan as one line of text."""
    return " ".join(document(scan_report(user, get_scan(user, scan.pk))).split())


def test_a_result_comes_with_thresholds_figures_limits_and_its_origin(current_scan, owner) -> None:
    text = said(current_scan(), owner)
    card = model_card("xception")
    assert card is not None
    evaluation = json.loads((Path(settings.MODELS_DIR) / "xception/evaluation/patient.json").read_text())
    elsewhere = evaluation["hospitals"]["all"]
    for words in (
        "Probably meningioma (91%)",
        "AI-generated",
        percent(card.thresholds.finding, digits=1),
        percent(card.thresholds.notumor, digits=1),
        f"xception {card.version}",
        f"sensitivity for a tumor {percent(elsewhere['sensitivity'], digits=1)}, "
        f"specificity {percent(elsewhere['specificity'], digits=1)}",
        f"{percent(evaluation['accuracy']['value'], digits=1)} of the most probable findings are right",
        "Not for: ruling out a tumor.",
        "drawn at 50% strength",
        "This report is not signed.",
        "No review is recorded.",
        "UTC",
    ):
        assert words in text


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"state": "queued"}, "Waiting for analysis"),
        ({"state": "running"}, "Analysis in progress"),
        ({"state": "failed"}, "It stopped."),
        ({"state": "cancelled"}, "The analysis was canceled"),
    ],
)
def test_without_a_result_the_report_says_so(owner, fields, words) -> None:
    scan = make_scan(owner)
    make_analysis(scan, **fields)
    text = said(scan, owner)
    assert words in text
    assert "no statement by the network" in text


def test_a_refused_image_has_no_probabilities(current_scan, owner) -> None:
    none = {"finding": "", "probabilities": None, "confidence": None}
    text = said(current_scan(outcome="not_brain_mri", **none), owner)
    assert "This does not look like a brain MR image" in text
    assert "<table>" not in text


def test_a_version_that_is_no_longer_installed_lends_no_figures(current_scan, owner) -> None:
    text = said(current_scan(model_version="1.0.0"), owner)
    assert "model card of this version is no longer installed" in text
    assert "not known" in text
    assert "58.6%" not in text


def test_reviews_and_diagnoses_are_facts(current_scan, owner) -> None:
    scan = current_scan()
    submit_review(scan.current_analysis, by=owner, verdict="agree", certainty="low")
    submit_review(
        scan.current_analysis, by=owner, verdict="correct", finding="glioma", certainty="high", comment="Ring."
    )
    record_diagnosis(scan, by=owner, finding="glioma", source="histology", confirmed_on=date(2026, 3, 2))
    text = said(scan, owner)
    assert "Corrects the result: glioma (certainty high)" in text
    assert "Agrees with the result" not in text
    assert "Ring." in text
    assert "<strong>Glioma</strong>. Source: histology of 2 Mar 2026" in text


def test_a_problem_with_the_input_is_shown(current_scan, owner) -> None:
    scan = current_scan()
    scan.input_problems = [{"code": "marked", "cells": [[0, 0]]}]
    assert "seems to contain text or markings" in document(scan_report(owner, scan))


def test_thresholds_are_those_that_the_answer_was_given_with(current_scan, owner) -> None:
    """A site calibration, or a card that was changed, has other thresholds than the answer."""
    possible = dict.fromkeys(("glioma", "meningioma", "notumor", "pituitary"), 0.05)
    rule = {"finding": 0.7123, "notumor": 0.8234, "tumor": None, "possible": possible}
    text = said(current_scan(answer_rule=rule), owner)
    assert text.count("71.2%") == 3
    assert text.count("82.3%") == 1
    assert "<td>never</td>" in text


def test_a_problem_that_a_person_has_overruled_is_not_passed_over(current_scan, owner) -> None:
    scan = current_scan()
    Scan.objects.filter(pk=scan.pk).update(input_problems=[{"code": "cropped", "detail": "top,left"}])
    accept_input(scan, by=owner)
    text = said(scan, owner)
    assert "cuts the head off" in text
    assert "A person has confirmed that the image is right." in text
    assert "No problem with the image is recorded." not in text


def test_a_corrected_copy_names_its_origin(current_scan, owner) -> None:
    scan, original = current_scan(), make_scan(owner)
    Scan.objects.filter(pk=scan.pk).update(mended_from=original.pk)
    assert f"a corrected copy of scan {original.short_id}" in said(scan, owner)


def test_a_table_of_scans_says_whose_they_are_and_what_each_reader_says(current_scan, owner, team) -> None:
    scan, other = current_scan(), make_scan(owner, team=team, patient_reference="P-7")
    signed = signed_report(scan, owner)
    reader = UserFactory(username="reader")
    for reviewer, finding in ((owner, "glioma"), (reader, "pituitary"), (owner, "notumor")):
        number = Review.objects.filter(reviewer=reviewer).count() + 1
        Review.objects.create(
            scan=scan, analysis=scan.current_analysis, reviewer=reviewer, number=number, verdict="correct",
            finding=finding, certainty="low",
        )  # fmt: skip
    make_analysis(scan, state="succeeded", model_name="other", model_version="2")
    scans = [get_scan(owner, scan.pk), get_scan(owner, other.pk)]
    text = " ".join(summary_document(summary_of(owner, scans, title="Patient P-7", is_cut=True)).split())
    for words in (
        "no tumor (owner); pituitary tumor (reader)",
        f"signed about an earlier result, {signed.number}",
        "other 2",
        team.name,
        "one reference can stand for several patients",
        "The first 2 scans, 1 of them with a signed report",
        "There are more scans than this table shows.",
    ):
        assert words in text


def test_a_sealed_scan_has_no_report(scan, owner) -> None:
    owner.sealed_reading_since = timezone.now() - timedelta(days=1)
    owner.save()
    with pytest.raises(Sealed):
        scan_report(owner, get_scan(owner, scan.pk))
    summary = summary_of(owner, list(visible_scans(owner)), title="All")
    assert summary.rows[0]["result"] == "Ready for your first read"
    assert summary.notices


def test_a_signed_report_keeps_its_facts_and_tells_what_came_later(current_scan, owner) -> None:
    scan = current_scan()
    signed = signed_report(scan, owner)
    add_addendum(signed, by=owner, text="Compared with March.")
    Analysis.objects.filter(pk=scan.current_analysis_id).update(confidence=0.2)
    record_diagnosis(scan, by=owner, finding="glioma", source="histology", confirmed_on=date(2026, 3, 2))
    make_analysis(scan, state="failed", model_name="other")
    Scan.objects.filter(pk=scan.pk).update(patient_reference="P-8")

    text = said(scan, owner)

    for words in (
        *("Signed by owner", signed.number, signed.sha256, "Compared with March.", "(91%)", "analyzed again"),
        *("after this report was signed: 1 confirmed diagnosis.", "It is now: P-8."),
    ):
        assert words in text


def test_what_a_clinician_writes_is_never_markup(current_scan, owner) -> None:
    scan = current_scan()
    scan.patient_reference = "<script>"
    assert "<script>" not in document(scan_report(owner, scan))


def test_a_document_needs_nothing_from_outside_but_fonts(current_scan, owner) -> None:
    text = said(current_scan(), owner)
    assert "http:" not in text
    assert "https:" not in text
    assert text.count('src="data:image/png;base64,') == 2


def test_times_name_their_zone() -> None:
    at = datetime(2026, 7, 1, 12, 0, 5, tzinfo=UTC)
    assert formatting.moment(at) == "1 Jul 2026, 12:00:05 UTC"
    with timezone.override("Europe/Berlin"):
        assert formatting.moment(at.isoformat()) == "1 Jul 2026, 14:00:05 CEST (UTC+02:00)"
