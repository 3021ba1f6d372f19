"""The sealed first read: what a reader does not get to see before their own impression."""

from datetime import timedelta

import pytest
from django.utils import timezone

from classifier import wording
from classifier.models import Scan, Team, User
from classifier.selectors.analysis import get_analysis, wait_until_finished
from classifier.selectors.history import ScanFilter, dashboard
from classifier.selectors.lists.scope import scope_of
from classifier.selectors.report_facts import facts_hash, scan_facts
from classifier.selectors.scan import get_scan, open_scans, scan_analyses, visible_scans
from classifier.services.errors import Conflict
from classifier.services.report import save_draft, sign_report
from classifier.services.review import record_diagnosis, record_impression, submit_review
from classifier.services.scan import move_scan
from tests.factories import make_analysis, make_scan


@pytest.fixture
def reader(teammate: User) -> User:
    """A teammate whose first reads are sealed."""
    teammate.sealed_reading_since = timezone.now() - timedelta(hours=1)
    teammate.save()
    return teammate


def test_a_sealed_scan_holds_no_result(team_scan: Scan, reader: User, owner: User) -> None:
    scan = get_scan(reader, team_scan.pk)
    analysis = scan.current_analysis

    assert scan.sealed
    assert analysis is not None
    assert (analysis.outcome, analysis.finding, analysis.probabilities) == ("", "", None)
    assert (analysis.confidence, analysis.ood_score, analysis.possible_findings) == (None, None, [])
    assert analysis.tumor_probability is None
    assert analysis.saliency_finding == ""
    assert wording.sentence(analysis) == "Ready for your first read"
    assert get_scan(owner, team_scan.pk).current_analysis.finding == "meningioma"


def test_every_way_to_an_analysis_is_sealed(team_scan: Scan, reader: User) -> None:
    pk = team_scan.current_analysis_id
    loaded = [
        get_analysis(reader, pk),
        wait_until_finished(get_analysis(reader, pk), seconds=0),
        *scan_analyses(reader, team_scan),
        *scan_analyses(reader, team_scan).iterator(),
        visible_scans(reader).first().current_analysis,
        next(visible_scans(reader).iterator()).current_analysis,
    ]
    assert [(a.sealed, a.finding, a.outcome) for a in loaded] == [(True, "", "")] * 6


def test_a_result_that_arrives_while_a_reader_waits_stays_closed(owner, team, reader) -> None:
    scan = make_scan(owner, team=team)
    analysis = make_analysis(scan, state="queued")
    seen = get_scan(reader, scan.pk).current_analysis
    assert not seen.sealed
    pk = analysis.pk
    analysis.delete()
    make_analysis(scan, state="succeeded", id=pk)

    seen.refresh_from_db()

    assert (seen.state, seen.sealed, seen.finding) == ("succeeded", True, "")


def test_a_sealed_analysis_cannot_be_saved(team_scan: Scan, reader: User) -> None:
    with pytest.raises(TypeError):
        get_analysis(reader, team_scan.current_analysis_id).save()


def test_filters_and_figures_do_not_tell_a_sealed_result(team_scan: Scan, reader: User, owner: User, rf) -> None:
    def found(user: User, **values: str) -> int:
        request = rf.get("/")
        request.user = user
        return ScanFilter(values, queryset=visible_scans(user), request=request).qs.count()

    for user, expected in ((reader, 0), (owner, 1)):
        assert found(user, finding="meningioma") == expected
        assert found(user, outcome="classified") == expected
    counts = dashboard(scope_of(reader))
    assert (counts.total, counts.unread, counts.by_finding["meningioma"]) == (1, 1, 0)
    assert dashboard(scope_of(owner)).by_finding["meningioma"] == 1
    assert not open_scans(reader).exists()


def test_the_own_impression_opens_the_scan_for_that_reader_only(team_scan, reader, owner, team: Team) -> None:
    owner.sealed_reading_since = reader.sealed_reading_since
    owner.save()
    record_impression(team_scan, by=reader, finding="glioma", certainty="low")

    assert get_scan(reader, team_scan.pk).current_analysis.finding == "meningioma"
    assert get_scan(owner, team_scan.pk).sealed


def test_a_team_seals_for_all_its_members(team_scan: Scan, team: Team, teammate: User, owner: User) -> None:
    team.sealed_reading_since = timezone.now() - timedelta(hours=1)
    team.save()
    assert get_scan(teammate, team_scan.pk).sealed
    assert get_scan(owner, team_scan.pk).sealed


def test_scans_from_before_the_setting_stay_open(team_scan: Scan, teammate: User) -> None:
    teammate.sealed_reading_since = timezone.now() + timedelta(seconds=5)
    teammate.save()
    assert not get_scan(teammate, team_scan.pk).sealed


@pytest.mark.parametrize("state", ["queued", "succeeded"])
def test_the_map_of_an_earlier_analysis_stays_closed(team_scan: Scan, reader: User, browse, state) -> None:
    earlier = team_scan.current_analysis_id
    make_analysis(team_scan, state=state)
    url = f"/scans/{team_scan.pk}/saliency.png?analysis={earlier}"

    assert browse(team_scan.owner).get(url).status_code == 200
    assert browse(reader).get(url).status_code != 200


def test_a_team_seal_is_not_opened_by_moving_the_scan(team_scan: Scan, team: Team, owner: User, browse) -> None:
    team.sealed_reading_since = timezone.now() - timedelta(hours=1)
    team.save()
    url = f"/scans/{team_scan.pk}/edit/"
    values = {"patient_reference": "P-9", "notes": "", "team": ""}

    refused = browse(owner).post(url, values)

    assert refused.status_code == 400
    assert "the change would open it" in refused.content.decode()
    stored = get_scan(owner, team_scan.pk)
    assert (stored.team, stored.sealed, stored.patient_reference) == (team, True, team_scan.patient_reference)
    assert browse(owner).post(url, values | {"team": team.pk}).status_code == 302
    record_impression(stored, by=owner, finding="glioma", certainty="low")
    assert browse(owner).post(url, values).status_code == 302
    assert get_scan(owner, team_scan.pk).team is None


def test_a_scan_that_stays_sealed_can_be_moved(team_scan: Scan, owner: User) -> None:
    owner.sealed_reading_since = timezone.now() - timedelta(hours=1)
    owner.save()

    move_scan(get_scan(owner, team_scan.pk), by=owner, team=None)

    assert get_scan(owner, team_scan.pk).sealed


@pytest.mark.parametrize("state", ["queued", "failed"])
def test_reports_do_not_tell_reviews_while_a_newer_analysis_has_no_result(
    team_scan: Scan, reader: User, owner: User, browse, api, state
) -> None:
    analysis = get_analysis(owner, team_scan.current_analysis_id)
    submit_review(analysis, by=owner, verdict="agree", certainty="high", comment="Dural tail")
    today = timezone.localdate()
    record_diagnosis(
        get_scan(owner, team_scan.pk), by=owner, finding="meningioma", source="histology", confirmed_on=today
    )
    make_analysis(team_scan, state=state)
    reference = team_scan.patient_reference
    client = browse(reader)

    for url in (
        f"/scans/{team_scan.pk}/",
        f"/scans/{team_scan.pk}/report.html",
        f"/reports/patient/?patient_reference={reference}",
    ):
        page = client.get(url, follow=True).content.decode()
        assert team_scan.short_id in page
        for words in ("Agreed", "Dural tail", "meningioma (", "<strong>Meningioma</strong>", "No review is recorded"):
            assert words not in page, url
    program = api(reader).get(f"/api/v1/scans/{team_scan.pk}/report.html").content.decode()
    assert "Dural tail" not in program
    assert "Closed to you until you record your own impression" in program
    draft = save_draft(get_scan(reader, team_scan.pk), by=reader, texts={"impression": "A mass."})
    with pytest.raises(Conflict):
        sign_report(draft, by=reader, seen=1, seen_facts=facts_hash(scan_facts(reader, get_scan(reader, team_scan.pk))))
    assert "Dural tail" in browse(owner).get(f"/scans/{team_scan.pk}/report.html").content.decode()
