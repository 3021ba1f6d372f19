"""The page of the statistics."""

import pytest
from django.utils.html import escape

from classifier.reading_agreement import MIN_DIAGNOSES
from classifier.services.review import record_impression
from tests.selectors.test_statistics import analyzed, diagnose, review, sealed

pytestmark = pytest.mark.django_db
URL = "/statistics/"
__all__ = ["sealed"]  # a fixture


def page_of(browse, user, **query) -> str:
    response = browse(user).get(URL, query)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def test_an_empty_page_says_what_to_do(browse, owner):
    page = page_of(browse, owner)
    assert "No readings yet" in page
    assert 'href="/scans/unread/"' in page


def test_filters_without_a_match_lead_back(browse, owner):
    review(analyzed(owner), owner)
    page = page_of(browse, owner, uploaded_before="2020-01-01")
    assert "No readings match these filters" in page


def test_one_review_is_a_share_with_its_interval(browse, owner):
    review(analyzed(owner), owner)
    page = page_of(browse, owner)
    assert "Only you see these figures" in page
    assert "100%" in page
    assert "(21–100)" in page
    assert "not defined" in page
    assert f"Too few (0 of {MIN_DIAGNOSES})" in page
    assert "combined" not in page


def test_a_team_of_one_reader_is_withheld(browse, owner, teammate, team):
    scan = analyzed(owner, team)
    review(scan, teammate, "glioma")
    page = page_of(browse, owner, team=team.pk)
    assert "Team Neuroradiology, combined" in page
    assert "withheld: a single reader" in page
    assert "You have not read any of these scans yet." in page
    assert "0%" not in page
    review(scan, owner)
    assert (
        "withheld: a single reader"
        not in page_of(browse, owner, team=team.pk).split("Two readers")[0].split("First reads and the network")[0]
    )


def test_no_figure_has_a_name(browse, owner, teammate, team):
    scan = analyzed(owner, team)
    for reader in (owner, teammate):
        review(scan, reader)
    page = page_of(browse, owner)
    assert teammate.display_name not in page


def test_flips_are_shown_by_diagnosis_and_month(browse, owner, sealed):
    for finding, before in (("meningioma", "notumor"), ("glioma", "glioma"), ("glioma", "notumor")):
        scan = analyzed(owner, sealed, finding=finding)
        record_impression(scan, by=owner, finding=before, certainty="low")
        review(scan, owner)
        diagnose(scan, owner, finding)
    page = page_of(browse, owner)
    assert "Wrong → right" in page
    assert 'id="own-diagnosis-data"' in page
    assert "2 changed (67%)" in page


def test_sensitivity_and_specificity_from_twenty_diagnoses_on(browse, owner):
    for _ in range(MIN_DIAGNOSES - 1):
        diagnose(analyzed(owner, finding="glioma"), owner, "glioma")
    assert f"Too few ({MIN_DIAGNOSES - 1} of {MIN_DIAGNOSES})" in page_of(browse, owner)
    diagnose(analyzed(owner, finding="glioma"), owner, "notumor")
    page = page_of(browse, owner)
    assert "Too few" not in page
    assert "19 of 19" in page
    assert "no cases" in page


def test_a_closed_scan_is_not_counted(browse, owner, teammate, sealed):
    scan = analyzed(owner, sealed)
    record_impression(scan, by=owner, finding="glioma", certainty="low")
    review(scan, owner)
    assert "No readings yet" in page_of(browse, teammate)


def test_another_teams_figures_do_not_exist(browse, outsider, owner, team):
    review(analyzed(owner, team), owner)
    page = page_of(browse, outsider, team=team.pk)
    assert team.name not in page
    assert escape("Select a valid choice. That choice is not one of the available choices.") in page


@pytest.mark.parametrize("query", [{"uploaded_after": "soon"}, {"model": "x" * 200}, {"team": "x"}])
def test_an_invalid_filter_is_reported(browse, owner, query):
    review(analyzed(owner), owner)
    page = page_of(browse, owner, **query)
    assert "field-error" in page
    assert "Your own readings" in page


def test_the_model_versions_are_offered(browse, owner):
    review(analyzed(owner, model_version="2.1.0"), owner)
    page = page_of(browse, owner, model="xception:2.1.0")
    assert '<option value="xception:2.1.0" selected>xception 2.1.0</option>' in page


def test_history_and_team_lead_to_the_statistics(browse, owner, team):
    assert b'href="/statistics/"' in browse(owner).get("/scans/").content
    assert f'href="/statistics/?team={team.pk}"'.encode() in browse(owner).get(team.get_absolute_url()).content


def test_a_refused_image_keeps_the_capitals_of_its_label(browse, owner):
    refused = {"outcome": "not_brain_mri", "finding": "", "probabilities": None, "confidence": None}
    review(analyzed(owner, **refused), owner, "glioma")
    assert "Not a brain MR image" in page_of(browse, owner)
