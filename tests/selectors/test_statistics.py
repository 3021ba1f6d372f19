"""Statistics of readings, and what one person learns from them about another."""

from datetime import date, timedelta

import pytest
from django.utils import timezone

from classifier.acceptance.limits import Limits
from classifier.models import Membership, Scan
from classifier.reading_agreement import MIN_DIAGNOSES, Flips, Share
from classifier.selectors.statistics import Statistics, StatisticsFilter, statistics
from classifier.services.commissioning import start_commissioning
from classifier.services.review import record_diagnosis, record_impression, submit_review
from tests.factories import TeamFactory, UserFactory, join, make_analysis, make_scan, make_shadow_case

pytestmark = pytest.mark.django_db


def review(scan, by, finding=""):
    """Agree, or correct to `finding`."""
    from classifier.selectors.analysis import get_analysis

    analysis = get_analysis(by, scan.current_analysis_id)
    verdict = "correct" if finding else "agree"
    return submit_review(analysis, by=by, verdict=verdict, finding=finding, certainty="high")


def diagnose(scan, by, finding, source="histology"):
    return record_diagnosis(scan, by=by, finding=finding, source=source, confirmed_on=date(2026, 1, 2))


def analyzed(owner, team=None, **fields) -> Scan:
    scan = make_scan(owner, team=team)
    make_analysis(scan, state="succeeded", **fields)
    return scan


def of(user, **chosen) -> Statistics:
    return statistics(user, StatisticsFilter(**chosen))


def upload_at(scan, at):
    Scan.objects.filter(pk=scan.pk).update(created_at=at)


@pytest.fixture
def sealed(team):
    """The team's scans from now on are closed until an impression."""
    team.sealed_reading_since = timezone.now() - timedelta(hours=1)
    team.save()
    return team


def test_nothing_was_read_yet(owner, outsider, scan):
    figures = of(owner)
    assert (figures.own.readers, figures.own.reviews.share, figures.team) == (0, Share(0, 0), None)
    assert (figures.models, figures.accuracy.diagnoses) == ((), 0)
    assert of(outsider).team.readers == 0


def test_agreement_with_the_network(owner):
    review(analyzed(owner), owner)
    review(analyzed(owner), owner, "glioma")
    review(analyzed(owner, outcome="uncertain", finding=""), owner)
    own = of(owner).own
    assert own.reviews.share == Share(2, 3)
    assert [(row.name, row.share) for row in own.reviews_by_answer] == [
        ("meningioma", Share(1, 2)),
        ("uncertain", Share(1, 1)),
    ]


def test_a_revised_review_counts_once_as_its_last(owner):
    scan = analyzed(owner)
    review(scan, owner)
    review(scan, owner, "glioma")
    assert of(owner).own.reviews.share == Share(0, 1)
    review(scan, owner)
    assert of(owner).own.reviews.share == Share(1, 1)


def test_a_person_sees_their_own_figures_and_a_team_only_in_sum(owner, teammate, team):
    scans = [analyzed(owner, team) for _ in range(3)]
    for scan in scans:
        review(scan, teammate, "glioma")
    seen = of(owner)
    assert (seen.own.readers, seen.team.readers, seen.team.reviews) == (0, 1, None)
    assert [row.share for row in seen.team.reviews_by_answer] == [None]
    assert of(teammate).own.reviews.share == Share(0, 3)
    review(scans[0], owner)
    seen = of(owner)
    assert seen.own.reviews.share == Share(1, 1)
    assert seen.team.reviews.share == Share(1, 4)
    assert seen.team.between_reviews.share == Share(0, 1)


def test_private_scans_and_other_teams_stay_out_of_the_sum(owner, teammate, team, outsider):
    other = TeamFactory(name="Surgery")
    join(other, owner, UserFactory(username="surgeon"), role=Membership.Role.MEMBER)
    for scan in (analyzed(owner), analyzed(owner, other)):
        review(scan, owner)
    shared = analyzed(owner, team)
    review(shared, owner)
    review(shared, teammate)
    assert of(owner).own.reviews.share == Share(3, 3)
    assert of(owner).team.reviews.share == Share(3, 3)
    assert of(owner, team=team).team.reviews.share == Share(2, 2)
    assert of(owner, team=team).own.reviews.share == Share(1, 1)
    assert of(teammate).team.reviews.share == Share(2, 2)
    assert of(outsider).team.reviews.share == Share(0, 0)
    assert of(outsider).models == ()


def test_flips_of_sealed_first_reads(owner, teammate, sealed):
    helped, harmed, unjudged = (analyzed(owner, sealed) for _ in range(3))
    for scan, before in ((helped, "notumor"), (harmed, "meningioma"), (unjudged, "notumor")):
        record_impression(scan, by=owner, finding=before, certainty="low")
    review(helped, owner)
    review(harmed, owner, "glioma")
    for scan in (helped, harmed, unjudged):
        diagnose(scan, owner, "meningioma")
    figures = of(owner)
    assert figures.own.flips == Flips(to_right=1, to_wrong=1)
    assert [(row.name, row.flips) for row in figures.own.flips_by_diagnosis] == [("meningioma", figures.own.flips)]
    assert figures.own.changed == Share(2, 2)
    # All answers are meningioma.
    assert figures.own.first_reads.share == Share(1, 3)
    assert figures.team.flips is None
    record_impression(helped, by=teammate, finding="meningioma", certainty="low")
    review(helped, teammate)
    assert of(owner).team.flips == Flips(stayed_right=1, to_right=1, to_wrong=1)
    assert of(owner).own.flips == figures.own.flips


@pytest.mark.parametrize("finding", ["meningioma", "glioma"])
def test_a_sealed_answer_leaks_into_no_figure(owner, teammate, sealed, finding):
    scans = [analyzed(owner, sealed, finding=finding) for _ in range(MIN_DIAGNOSES)]
    third = UserFactory(username="third")
    join(sealed, third)
    nothing = of(teammate)
    for scan in scans:
        for reader in (owner, third):
            record_impression(scan, by=reader, finding="glioma", certainty="low")
            review(scan, reader)
        diagnose(scan, owner, finding)
    assert of(owner).accuracy.diagnoses == MIN_DIAGNOSES
    assert of(owner).team.reviews.share == Share(2 * MIN_DIAGNOSES, 2 * MIN_DIAGNOSES)
    assert of(teammate) == nothing
    record_impression(scans[0], by=teammate, finding="glioma", certainty="low")
    assert of(teammate).accuracy.diagnoses == 1


def test_the_accuracy_of_the_network_on_confirmed_diagnoses(owner, teammate, team):
    scans = [analyzed(owner, team, finding=said) for said in ("glioma",) * 10 + ("notumor",) * 9]
    for scan in scans[:9] + scans[10:]:
        diagnose(scan, owner, scan.current_analysis.finding)
    assert (of(teammate).accuracy.diagnoses, of(teammate).accuracy.findings) == (18, ())
    diagnose(scans[9], owner, "meningioma")
    uncertain = analyzed(owner, team, outcome="uncertain", finding="")
    diagnose(uncertain, owner, "glioma")
    figures = of(teammate).accuracy
    assert (figures.diagnoses, figures.without_finding) == (20, 1)
    by_finding = {row.finding: row for row in figures.findings}
    assert by_finding["glioma"].sensitivity == Share(9, 10)
    assert by_finding["glioma"].specificity == Share(9, 10)
    assert by_finding["meningioma"].sensitivity == Share(0, 1)
    assert by_finding["tumor"].sensitivity == Share(10, 11)


def test_the_newest_diagnosis_holds_if_it_is_confirmed(owner):
    corrected, unconfirmed, pending = analyzed(owner), analyzed(owner), make_scan(owner)
    diagnose(corrected, owner, "glioma")
    diagnose(corrected, owner, "pituitary", source="follow_up")
    diagnose(unconfirmed, owner, "glioma", source="other")
    diagnose(pending, owner, "glioma")
    record_count = of(owner).accuracy.diagnoses
    assert record_count == 1


def test_filters(owner, team):
    old, new = analyzed(owner, team), analyzed(owner, team)
    upload_at(old, timezone.now() - timedelta(days=400))
    review(old, owner, "glioma")
    review(new, owner)
    today = timezone.localdate()
    assert of(owner, uploaded_after=today - timedelta(days=30)).own.reviews.share == Share(1, 1)
    assert of(owner, uploaded_before=today - timedelta(days=30)).own.reviews.share == Share(0, 1)
    assert [row.share for row in of(owner).own.reviews_by_month] == [Share(0, 1), Share(1, 1)]


def test_the_filter_by_model_version(owner, sealed):
    scan = analyzed(owner, sealed, finding="meningioma", model_version="1.0")
    record_impression(scan, by=owner, finding="glioma", certainty="low")
    review(scan, owner)
    diagnose(scan, owner, "glioma")
    make_analysis(scan, state="succeeded", finding="glioma", model_version="2.0")
    make_analysis(scan, state="failed")
    scan.refresh_from_db()
    assert of(owner).models == ("xception:1.0", "xception:2.0")
    old, new = of(owner, model="xception:1.0"), of(owner, model="xception:2.0")
    assert (old.own.reviews.share, new.own.reviews.share) == (Share(1, 1), Share(0, 0))
    assert (old.own.first_reads.share, new.own.first_reads.share) == (Share(0, 1), Share(1, 1))
    assert (old.own.flips, new.own.flips) == (Flips(to_wrong=1), Flips())
    assert of(owner, model="nothing:1").own.readers == 0
    assert of(owner, model="nothing:1").models == old.models


def test_an_answer_in_shadow_mode_counts_nowhere(two_models, owner, team, sealed):
    scan = analyzed(owner, team, finding="glioma", model_version="1.0")
    record_impression(scan, by=owner, finding="glioma", certainty="low")
    diagnose(scan, owner, "glioma")
    before = of(owner)
    commissioning = start_commissioning(team, by=owner, model="compact", limits=Limits({"sensitivity": 0.9}))
    make_shadow_case(commissioning, scan, answer="pituitary")
    assert of(owner) == before
    assert (before.models, before.own.first_reads.share) == (("xception:1.0",), Share(1, 1))


def test_the_number_of_queries_does_not_grow(owner, teammate, team, django_assert_num_queries):
    for _ in range(4):
        scan = analyzed(owner, team)
        review(scan, owner)
        review(scan, teammate)
        diagnose(scan, owner, "glioma")
    # The scope, three looks for a sample, and three kinds of statements.
    with django_assert_num_queries(7):
        of(owner)
