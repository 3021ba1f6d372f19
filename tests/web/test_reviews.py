"""Reviews, impressions, and diagnoses on the page of a scan."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from classifier.models import Diagnosis, Impression, Review
from classifier.selectors.analysis import get_analysis
from classifier.services.review import submit_review
from classifier.services.scan import delete_scan
from classifier.web.kept_entry import KEY
from tests.factories import PASSWORD, make_analysis, make_scan

pytestmark = pytest.mark.django_db

AGREE = {"verdict": "agree", "certainty": "high", "comment": "", "seen": "0"}
CORRECT = {"verdict": "correct", "finding": "glioma", "certainty": "low", "comment": "Crosses midline", "seen": "0"}
DIAGNOSIS = {"finding": "glioma", "source": "histology", "confirmed_on": "2026-01-02", "comment": "", "seen": "0"}
IMPRESSION = {"finding": "other_disease", "certainty": "medium", "comment": "Abscess?"}


@pytest.fixture
def sealed(teammate):
    """A teammate whose first reads are sealed."""
    teammate.sealed_reading_since = timezone.now() - timedelta(hours=1)
    teammate.save()
    return teammate


def review_url(scan) -> str:
    return f"/analyses/{scan.current_analysis_id}/reviews/"


def page_of(client, scan) -> str:
    return client.get(scan.get_absolute_url()).content.decode()


def test_a_correction_is_recorded_and_listed(browse, teammate, team_scan):
    client = browse(teammate)
    response = client.post(review_url(team_scan), CORRECT)

    assert (response.status_code, response.url) == (302, team_scan.get_absolute_url())
    page = page_of(client, team_scan)
    assert "Corrected to glioma, low certainty" in page
    assert "Crosses midline" in page
    assert "Revise your review" in page


def test_several_readers_review_and_revise(browse, owner, teammate, team_scan):
    browse(teammate).post(review_url(team_scan), CORRECT)
    client = browse(owner)
    client.post(review_url(team_scan), AGREE)
    client.post(review_url(team_scan), CORRECT | {"seen": "1"})

    assert Review.objects.count() == 3
    assert "Corrected to glioma (revised)" in page_of(client, team_scan)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"verdict": ""}, "Choose whether you agree"),
        ({"verdict": "correct", "finding": ""}, "Choose the finding that the scan shows."),
        ({"verdict": "correct", "finding": "meningioma"}, "Choose a finding."),
        ({"certainty": "sure"}, "Choose how certain you are."),
        ({"comment": "kept " * 500}, "A comment has at most 2000 characters"),
    ],
)
def test_a_refused_review_keeps_what_was_typed(browse, teammate, team_scan, change, sentence):
    response = browse(teammate).post(review_url(team_scan), CORRECT | {"comment": "kept words"} | change)
    page = response.content.decode()
    assert response.status_code == 400
    assert sentence in page
    assert "kept" in page
    assert not Review.objects.exists()


def test_a_stale_tab_is_told_and_can_be_sent_again(browse, teammate, team_scan):
    client = browse(teammate)
    client.post(review_url(team_scan), AGREE)
    response = client.post(review_url(team_scan), CORRECT)
    page = response.content.decode()

    assert response.status_code == 409
    assert "in another window" in page
    assert "Crosses midline" in page
    assert Review.objects.count() == 1
    assert '<input type="hidden" name="seen" value="1"' in page
    client.post(review_url(team_scan), CORRECT | {"seen": "1"})
    assert Review.objects.count() == 2


def test_a_form_that_is_sent_twice_is_recorded_once(browse, teammate, team_scan):
    client = browse(teammate)
    for address, fields in (
        (review_url(team_scan), CORRECT),
        (f"{team_scan.get_absolute_url()}diagnoses/", DIAGNOSIS),
    ):
        answers = [client.post(address, fields).status_code for _ in range(2)]
        assert answers == [302, 302]
    assert (Review.objects.count(), Diagnosis.objects.count()) == (1, 1)


def test_what_was_typed_about_a_deleted_scan_is_shown(browse, teammate, owner, team_scan):
    address = review_url(team_scan)
    delete_scan(team_scan, by=owner)
    response = browse(teammate).post(address, CORRECT)
    assert response.status_code == 404
    page = response.content.decode()
    assert "Nothing was recorded" in page
    assert "Crosses midline" in page


def test_a_session_that_ended_leads_back_to_the_scan(browse, teammate, team_scan):
    response = browse(teammate).get(review_url(team_scan))
    assert response.url == team_scan.get_absolute_url()


@pytest.mark.parametrize(
    ("page", "entered"), [("reviews", CORRECT), ("diagnoses", DIAGNOSIS | {"comment": "Crosses midline"})]
)
def test_what_was_entered_in_a_session_that_had_ended_is_kept(browse, teammate, team_scan, page, entered):
    client = browse()
    address = review_url(team_scan) if page == "reviews" else f"{team_scan.get_absolute_url()}diagnoses/"
    response = client.post(address, entered | {"entered_by": teammate.pk})
    assert response.url.startswith("/accounts/login/")
    response = client.post(response.url, {"login": teammate.username, "password": PASSWORD}, follow=True)
    content = response.content.decode()
    assert "Your session had ended, so nothing was recorded yet." in content
    assert "Crosses midline" in content
    assert not team_scan.reviews.exists()
    # Once: the address then leads to the scan.
    assert client.get(address).url == team_scan.get_absolute_url()


def test_somebody_else_who_signs_in_next_does_not_read_it(browse, owner, teammate, team_scan):
    client = browse()
    response = client.post(review_url(team_scan), CORRECT | {"entered_by": owner.pk})
    response = client.post(response.url, {"login": teammate.username, "password": PASSWORD}, follow=True)
    assert "Crosses midline" not in response.content.decode()
    assert KEY not in client.session
    assert (
        f'name="entered_by" value="{teammate.pk}"'
        in browse(teammate).get(team_scan.get_absolute_url()).content.decode()
    )


def test_only_what_is_as_long_as_a_report_is_kept_for_strangers(browse, team_scan):
    client = browse()
    client.post(review_url(team_scan), CORRECT | {"comment": "x" * 40_000})
    client.post("/teams/", {"name": "Strangers"})
    assert KEY not in client.session


def test_a_diagnosis_is_shown_with_its_source(browse, teammate, team_scan):
    client = browse(teammate)
    client.post(f"{team_scan.get_absolute_url()}diagnoses/", DIAGNOSIS)
    assert "Confirmed diagnosis: glioma (histology, 2 Jan 2026)" in page_of(client, team_scan)


def test_a_diagnosis_of_tomorrow_is_refused(browse, teammate, team_scan):
    tomorrow = (timezone.localdate() + timedelta(days=1)).isoformat()
    response = browse(teammate).post(
        f"{team_scan.get_absolute_url()}diagnoses/", DIAGNOSIS | {"confirmed_on": tomorrow}
    )
    assert response.status_code == 400
    assert b"is in the future" in response.content


def test_a_sealed_scan_shows_the_form_in_place_of_the_result(browse, sealed, owner, team_scan):
    browse(owner).post(review_url(team_scan), CORRECT)
    page = page_of(browse(sealed), team_scan)

    assert "Your first read" in page
    for told in ("Probably", "meningioma (91", "saliency.png", "What to do next", "Corrected to", "Crosses midline"):
        assert told not in page
    assert "Ready for your first read" in page
    assert "#sealed" in page


def test_a_sealed_page_offers_no_report_before_the_first_read(browse, sealed, owner, team_scan):
    link = f'href="{team_scan.get_absolute_url()}report/"'
    assert link not in page_of(browse(sealed), team_scan)
    assert link in page_of(browse(owner), team_scan)


def test_committing_an_impression_opens_the_result(browse, sealed, team_scan):
    client = browse(sealed)
    address = f"{team_scan.get_absolute_url()}impressions/"
    assert [client.post(address, IMPRESSION).status_code for _ in range(2)] == [302, 302]

    assert Impression.objects.get().comment == "Abscess?"
    page = page_of(client, team_scan)
    assert "Probably meningioma" in page
    assert "First read: other disease, medium certainty" in page
    assert "Your review" in page
    again = client.post(address, IMPRESSION | {"finding": "glioma"})
    assert again.status_code == 409


def test_other_pages_tell_no_sealed_result(browse, sealed, owner, team, team_scan):
    client = browse(sealed)
    history = client.get("/scans/").content.decode()
    assert "Unread" in history
    assert "91%" not in history
    for result in ("meningioma", "sealed"):
        found = client.get("/scans/", {"result": result}).content.decode()
        assert (team_scan.get_absolute_url() in found) == (result == "sealed")
    map_of_an_old_analysis = f"{team_scan.get_absolute_url()}saliency.png?analysis={team_scan.current_analysis_id}"
    make_analysis(team_scan, state="queued")
    for address in (map_of_an_old_analysis, f"{team_scan.get_absolute_url()}saliency.png"):
        assert client.get(address).status_code == 409
    assert browse(owner).get(map_of_an_old_analysis).status_code == 200


def test_an_earlier_scan_of_the_same_image_tells_nothing(browse, sealed, owner, team):
    from tests.factories import png_bytes

    content = png_bytes(seed=7)
    make_analysis(make_scan(sealed, content=content), state="succeeded")
    scan = make_scan(owner, team=team, content=content)
    make_analysis(scan, state="succeeded")
    assert "already uploaded" not in page_of(browse(sealed), scan)


def test_each_person_switches_their_own_seal(browse, teammate):
    client = browse(teammate)
    assert (
        "Sealed first read is on."
        in client.post("/profile/sealed-reading/", {"on": "yes"}, follow=True).content.decode()
    )
    teammate.refresh_from_db()
    since = teammate.sealed_reading_since
    assert since is not None
    client.post("/profile/sealed-reading/", {"on": "yes"})
    teammate.refresh_from_db()
    assert teammate.sealed_reading_since == since
    client.post("/profile/sealed-reading/", {"on": "no"})
    teammate.refresh_from_db()
    assert teammate.sealed_reading_since is None


def test_only_owners_switch_the_seal_of_a_team(browse, owner, teammate, team):
    fields = {"action": "sealed_reading", "on": "yes"}
    refused = browse(teammate).post(team.get_absolute_url(), fields, follow=True)
    assert "Only an owner" in refused.content.decode()
    browse(owner).post(team.get_absolute_url(), fields)
    team.refresh_from_db()
    assert team.sealed_reading_since is not None
    assert "Turn off" not in browse(teammate).get(team.get_absolute_url()).content.decode()


def test_saving_goes_on_to_the_next_unread_scan(browse, owner, team):
    first, second, third = (make_scan(owner, team=team) for _ in range(3))
    for scan in (first, second, third):
        make_analysis(scan, state="succeeded")
    make_analysis(make_scan(owner), state="failed")
    client = browse(owner)
    go = "/scans/unread/"

    assert client.get(go).url == first.get_absolute_url()
    assert client.get(go, {"after": first.pk}).url == second.get_absolute_url()
    assert client.get(go, {"before": second.pk}).url == first.get_absolute_url()
    assert client.get(go, {"before": first.pk}).url == third.get_absolute_url()
    assert client.post(review_url(second), AGREE | {"next": "yes"}).url == third.get_absolute_url()
    assert client.post(review_url(third), AGREE | {"next": "yes"}).url == first.get_absolute_url()
    assert client.post(review_url(first), AGREE | {"next": "yes"}).url == first.get_absolute_url()
    assert client.get(go).url == "/scans/"


def test_history_leads_to_unread_scans_and_names_corrections(browse, owner, teammate, team_scan):
    page = browse(teammate).get("/scans/").content.decode()
    assert "1 unread" in page
    analysis = get_analysis(teammate, team_scan.current_analysis_id)
    submit_review(analysis, by=teammate, verdict="correct", finding="other_disease", certainty="high")

    page = browse(teammate).get("/scans/", {"finding": "other_disease"}).content.decode()
    assert reverse("web:unread") not in page
    assert "Review or diagnosis: other disease" in page
    for result in ("meningioma", "reviewed-other_disease"):
        assert team_scan.get_absolute_url() in browse(teammate).get("/scans/", {"result": result}).content.decode()
    found = browse(teammate).get("/scans/", {"result": "reviewed-glioma"}).content.decode()
    assert team_scan.get_absolute_url() not in found


def test_history_counts_sealed_results_and_finds_none_of_them_by_a_review(browse, sealed, owner, team_scan):
    analysis = get_analysis(owner, team_scan.current_analysis_id)
    submit_review(analysis, by=owner, verdict="correct", finding="other_disease", certainty="high")
    found = browse(sealed).get("/scans/", {"result": "reviewed-other_disease"})
    assert team_scan.get_absolute_url() not in found.content.decode()
    assert {"name": "sealed", "label": "Unread, sealed", "count": 1} in found.context["counts"]
