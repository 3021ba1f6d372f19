"""The page of a scan: what it says in every state, and what may be done there."""

import numpy as np
import pytest

from classifier.findings import Outcome
from classifier.models import Analysis, ClassMaps, Scan
from classifier.selectors.model import model_card
from tests.factories import TeamFactory, join, make_analysis, make_scan, png_bytes

pytestmark = pytest.mark.django_db
NBSP = "\N{NO-BREAK SPACE}"


def analyzed(owner, **fields) -> Scan:
    scan = make_scan(owner)
    make_analysis(scan, **{"state": "succeeded", **fields})
    return scan


def page_of(client, scan: Scan) -> str:
    response = client.get(scan.get_absolute_url())
    assert response.status_code == 200
    return response.content.decode()


UNCERTAIN = {"outcome": Outcome.UNCERTAIN, "finding": "", "confidence": 0.5}
RESULTS = {
    "a tumor": ({"finding": "glioma"}, "Probably glioma (91%)"),
    "two words": ({"finding": "pituitary"}, "Probably pituitary tumor (91%)"),
    "no tumor": ({"finding": "notumor"}, "No tumor seen (91%)"),
    "almost sure": ({"confidence": 0.9993}, "Probably meningioma (&gt;99%)"),
    "uncertain": (UNCERTAIN | {"probabilities": [0.5, 0.46, 0.02, 0.02]}, "Uncertain: glioma or meningioma"),
    "of three": (UNCERTAIN | {"probabilities": [0.3, 0.4, 0.2, 0.1]}, "Uncertain: meningioma, glioma, no tumor, or"),
    "no brain": (
        {"outcome": Outcome.NOT_BRAIN_MRI, "finding": "", "probabilities": None, "confidence": None},
        "This does not look like a brain MR image",
    ),
}


@pytest.mark.parametrize(("fields", "sentence"), RESULTS.values(), ids=RESULTS)
def test_the_result_is_a_sentence(browse, owner, fields, sentence):
    page = page_of(browse(owner), analyzed(owner, **fields))
    assert f"<title>{sentence}" in page.replace("\n", "").replace("        ", "").replace("      ", "")
    assert "What to do next" in page
    assert "Not a diagnosis." in page


def test_probabilities_are_whole_and_never_none_or_all(browse, owner):
    page = page_of(browse(owner), analyzed(owner, probabilities=[0.0004, 0.9991, 0.0005, 0.0], confidence=0.9991))
    assert page.count("&lt;1%") == 3
    assert "&gt;99%" in page
    assert ">100%" not in page
    assert ">0%" not in page


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"finding": "glioma"}, True),
        ({"finding": "notumor"}, False),
        (UNCERTAIN | {"probabilities": [0.5, 0.46, 0.02, 0.02]}, True),
        ({"outcome": Outcome.NOT_BRAIN_MRI, "finding": "", "probabilities": None, "confidence": None}, False),
    ],
)
def test_the_overlay_is_shown_only_where_there_is_a_place_to_show(browse, owner, fields, shown):
    page = page_of(browse(owner), analyzed(owner, **fields))
    assert ("saliency.png" in page) is shown
    assert ("No overlay:" in page) is not shown


def test_no_probabilities_where_they_would_mean_nothing(browse, owner):
    fields = {"outcome": Outcome.NOT_BRAIN_MRI, "finding": "", "probabilities": None, "confidence": None}
    assert "probabilities-heading" not in page_of(browse(owner), analyzed(owner, **fields))


def test_the_page_says_which_model_ran_and_how_long(browse, owner):
    page = page_of(browse(owner), analyzed(owner, model_version="1.2.3", milliseconds=231.4))
    assert "xception 1.2.3" in page
    assert "/about/#model-xception" in page
    assert f"231{NBSP}ms" in page


def test_a_queued_analysis_says_its_place_and_can_be_cancelled(browse, owner):
    make_analysis(make_scan(owner))
    scan = make_scan(owner)
    analysis = make_analysis(scan)
    client = browse(owner)
    page = page_of(client, scan)
    assert "2nd in the queue" in page
    assert f"/analyses/{analysis.pk}/cancel/" in page
    assert 'http-equiv="refresh"' in page
    assert client.post(f"/analyses/{analysis.pk}/cancel/").url == scan.get_absolute_url()
    page = page_of(client, scan)
    assert "The analysis was canceled" in page
    assert "Try again" in page
    assert "http-equiv" not in page


def test_what_has_started_is_not_cancelled(browse, owner):
    scan = make_scan(owner)
    analysis = make_analysis(scan, state="running")
    client = browse(owner)
    assert "/cancel/" not in page_of(client, scan)
    page = client.post(f"/analyses/{analysis.pk}/cancel/", follow=True).content.decode()
    assert "has already started and cannot be canceled" in page
    analysis.refresh_from_db()
    assert analysis.state == Analysis.State.RUNNING


def test_a_failed_analysis_gives_its_reason_and_is_tried_again(browse, owner):
    scan = make_scan(owner)
    make_analysis(scan, state="failed", failure_message="The stored image could not be read.")
    client = browse(owner)
    page = page_of(client, scan)
    assert "The analysis failed" in page
    assert "The stored image could not be read." in page
    client.post(f"{scan.get_absolute_url()}analyse/")
    scan.refresh_from_db()
    assert scan.current_analysis.state == Analysis.State.QUEUED
    assert "Previous analyses" in page_of(client, scan)


def test_trying_twice_asks_once_and_says_so(browse, owner):
    scan = make_scan(owner)
    make_analysis(scan)
    page = browse(owner).post(f"{scan.get_absolute_url()}analyse/", follow=True).content.decode()
    assert "already waiting or running" in page
    assert scan.analyses.count() == 1


def test_a_teammate_may_try_again_and_cancel(browse, owner, team, teammate):
    scan = make_scan(owner, team=team)
    analysis = make_analysis(scan)
    browse(teammate).post(f"/analyses/{analysis.pk}/cancel/")
    browse(teammate).post(f"{scan.get_absolute_url()}analyse/")
    assert set(scan.analyses.values_list("state", flat=True)) == {"queued", "cancelled"}


def test_the_same_pixels_link_to_the_earlier_scan(browse, owner, team, teammate, outsider):
    content = png_bytes()
    earlier = make_scan(teammate, team=team, content=content)
    make_analysis(earlier, state="succeeded")
    hidden = make_scan(outsider, content=content)
    scan = make_scan(owner, content=content)
    make_analysis(scan, state="succeeded")
    page = page_of(browse(owner), scan)
    assert "This image was already uploaded" in page
    assert earlier.get_absolute_url() in page
    assert hidden.get_absolute_url() not in page


def test_the_owner_edits_reference_notes_and_team(browse, owner, scan, team):
    edit = f"{scan.get_absolute_url()}edit/"
    client = browse(owner)
    assert b'value="P-1"' in client.get(edit).content
    response = client.post(edit, {"patient_reference": "P-2", "notes": "right", "team": team.pk})
    assert response.url == scan.get_absolute_url()
    scan.refresh_from_db()
    assert (scan.patient_reference, scan.notes, scan.team) == ("P-2", "right", team)
    client.post(edit, {"patient_reference": "", "notes": "", "team": ""})
    scan.refresh_from_db()
    assert (scan.patient_reference, scan.notes, scan.team) == ("", "", None)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"patient_reference": "Anna <Müller>"}, "Enter a pseudonym, never a name."),
        ({"patient_reference": "x" * 65}, "at most 64 characters"),
        ({"notes": "x" * 4001}, "at most 4000 characters"),
        ({"team": "999999"}, "Select a valid choice"),
    ],
)
def test_invalid_values_are_reported_and_not_saved(browse, owner, scan, fields, sentence):
    response = browse(owner).post(f"{scan.get_absolute_url()}edit/", {"patient_reference": "P-9", **fields})
    assert response.status_code == 400
    assert sentence in response.content.decode()
    scan.refresh_from_db()
    assert scan.patient_reference == "P-1"


def test_editing_notes_leaves_a_scan_with_the_team_one_has_left(browse, owner, teammate, team, team_scan):
    team.memberships.filter(user=owner).delete()
    client, edit = browse(owner), f"{team_scan.get_absolute_url()}edit/"
    assert f'<option value="{team.pk}" selected>Neuroradiology</option>' in client.get(edit).content.decode()
    response = client.post(edit, {"patient_reference": "P-2", "notes": "left frontal", "team": team.pk})
    assert response.url == team_scan.get_absolute_url()
    team_scan.refresh_from_db()
    assert (team_scan.notes, team_scan.team) == ("left frontal", team)
    assert browse(teammate).get(team_scan.get_absolute_url()).status_code == 200


def test_the_team_one_has_left_is_no_choice_for_other_scans(browse, owner, team, team_scan, scan):
    team.memberships.filter(user=owner).delete()
    response = browse(owner).post(f"{scan.get_absolute_url()}edit/", {"team": team.pk})
    assert response.status_code == 400
    scan.refresh_from_db()
    assert scan.team is None


def test_notes_are_shown_as_text(browse, owner, scan):
    Scan.objects.filter(pk=scan.pk).update(notes="<script>alert(1)</script>\nsecond")
    page = page_of(browse(owner), scan)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;<br>second" in page


def test_a_teammate_sees_no_buttons_that_are_the_owners(browse, team_scan, teammate):
    page = page_of(browse(teammate), team_scan)
    assert "/edit/" not in page
    assert "/delete/" not in page


def test_a_team_one_has_left_is_named_without_a_link(browse, owner):
    team = TeamFactory(name="Former")
    join(team, owner)
    scan = make_scan(owner, team=team)
    make_analysis(scan, state="succeeded")
    assert team.get_absolute_url() in page_of(browse(owner), scan)
    team.memberships.all().delete()
    page = page_of(browse(owner), scan)
    assert "Former" in page
    assert team.get_absolute_url() not in page


def test_deleting_asks_first(browse, owner, scan, settings, django_capture_on_commit_callbacks):
    client = browse(owner)
    assert b"This cannot be undone." in client.get(f"{scan.get_absolute_url()}delete/").content
    assert Scan.objects.exists()
    with django_capture_on_commit_callbacks(execute=True):
        response = client.post(f"{scan.get_absolute_url()}delete/")
    assert response.url == "/scans/"
    assert not Scan.objects.exists()
    assert not list(settings.MEDIA_ROOT.rglob("*.png"))


def test_a_refusal_to_a_teammate_is_a_sentence(browse, team_scan, teammate):
    response = browse(teammate).get(f"{team_scan.get_absolute_url()}delete/")
    assert response.status_code == 403
    assert b"You don&#x27;t have permission to change this scan." in response.content


@pytest.mark.parametrize("path", ["analyse/", "delete/", "edit/"])
def test_links_change_nothing(browse, owner, scan, path):
    before = (Scan.objects.count(), Analysis.objects.count())
    browse(owner).get(f"{scan.get_absolute_url()}{path}")
    assert (Scan.objects.count(), Analysis.objects.count()) == before


def test_a_map_without_evidence_is_not_shown_as_an_overlay(browse, owner):
    scan = analyzed(owner, finding="glioma")
    ClassMaps.objects.filter(analysis__scan=scan).update(data=np.zeros((10, 10, 4), "<f2").tobytes())
    page = page_of(browse(owner), scan)
    assert "No single place stands out." in page
    assert "saliency.png" not in page
    assert "data-strength" not in page
    assert "with the overlay" not in page


def test_analyzing_again_asks_if_nothing_would_change(browse, owner, settings):
    version = model_card(settings.MODEL).version
    scan = analyzed(owner, model_version=version)
    client, page = browse(owner), f"{scan.get_absolute_url()}analyse/"
    assert "Nothing would change" in client.post(page).content.decode()
    assert scan.analyses.count() == 1
    assert client.post(page, {"confirmed": "yes"}).status_code == 302
    assert scan.analyses.count() == 2


def test_analyzing_again_with_another_version_does_not_ask(browse, owner):
    scan = analyzed(owner, model_version="an earlier one")
    assert browse(owner).post(f"{scan.get_absolute_url()}analyse/").status_code == 302
    assert scan.analyses.count() == 2
