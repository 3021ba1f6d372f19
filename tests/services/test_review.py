"""Impressions, reviews and confirmed diagnoses."""

from datetime import date, timedelta

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from classifier.models import Diagnosis, Event, Impression, Review, Scan, User
from classifier.models.append_only import remove_triggers
from classifier.selectors.analysis import get_analysis
from classifier.selectors.scan import get_scan
from classifier.services.errors import Conflict, Invalid, NotAllowed, Sealed
from classifier.services.review import first_broken_link, record_diagnosis, record_impression, submit_review
from classifier.services.scan import delete_scan
from classifier.services.scan_counts import check_counts
from tests.factories import make_analysis, make_scan

CERTAIN = {"certainty": "high"}


def the_analysis(scan: Scan, user: User):
    """Return the scan's analysis as loaded for the user."""
    return get_analysis(user, scan.current_analysis_id)


def seal(user: User) -> None:
    """Turn the sealed first read on, for every scan."""
    user.sealed_reading_since = timezone.now() - timedelta(days=1)
    user.save()


def test_agreement_keeps_the_finding_of_the_analysis(team_scan, teammate) -> None:
    review = submit_review(the_analysis(team_scan, teammate), by=teammate, verdict="agree", **CERTAIN)

    assert (review.finding, review.number) == ("meningioma", 1)
    team_scan.refresh_from_db()
    assert team_scan.reviewed_finding == "meningioma"
    assert Event.objects.filter(kind="review.created", scan_id=team_scan.pk, actor=teammate).count() == 1


def test_a_further_review_revises_the_first_and_both_stay(team_scan, teammate) -> None:
    analysis = the_analysis(team_scan, teammate)
    submit_review(analysis, by=teammate, verdict="agree", seen=0, **CERTAIN)
    submit_review(analysis, by=teammate, verdict="correct", finding="glioma", seen=1, **CERTAIN)

    assert [(r.number, r.verdict) for r in Review.objects.all()] == [(1, "agree"), (2, "correct")]
    team_scan.refresh_from_db()
    assert team_scan.reviewed_finding == "glioma"


def test_a_stale_form_records_nothing(team_scan, teammate) -> None:
    analysis = the_analysis(team_scan, teammate)
    submit_review(analysis, by=teammate, verdict="agree", seen=0, **CERTAIN)

    with pytest.raises(Conflict, match="another window"):
        submit_review(analysis, by=teammate, verdict="correct", finding="glioma", seen=0, **CERTAIN)
    assert Review.objects.count() == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"verdict": "maybe", "certainty": "high"},
        {"verdict": "correct", "finding": "", "certainty": "high"},
        {"verdict": "correct", "finding": "meningioma", "certainty": "high"},
        {"verdict": "correct", "finding": "stroke", "certainty": "high"},
        {"verdict": "agree", "certainty": "certain"},
        {"verdict": "agree", "certainty": "low", "comment": "x" * 2001},
    ],
)
def test_invalid_reviews_are_refused_in_a_sentence(team_scan, teammate, fields) -> None:
    with pytest.raises(Invalid) as error:
        submit_review(the_analysis(team_scan, teammate), by=teammate, **fields)
    assert str(error.value).endswith(".")
    assert not Review.objects.exists()


def test_an_outsider_cannot_review(team_scan, outsider, owner) -> None:
    with pytest.raises(NotAllowed):
        submit_review(the_analysis(team_scan, owner), by=outsider, verdict="agree", **CERTAIN)


def test_an_analysis_without_a_result_cannot_be_reviewed(owner) -> None:
    scan = make_scan(owner)
    make_analysis(scan, state="failed")
    with pytest.raises(Conflict, match="no result"):
        submit_review(the_analysis(scan, owner), by=owner, verdict="agree", **CERTAIN)


def test_a_sealed_result_opens_with_the_impression(team_scan, teammate) -> None:
    seal(teammate)
    with pytest.raises(Sealed):
        submit_review(the_analysis(team_scan, teammate), by=teammate, verdict="agree", **CERTAIN)

    record_impression(team_scan, by=teammate, finding="other_disease", comment="Abscess?", certainty="low")

    assert the_analysis(team_scan, teammate).finding == "meningioma"
    submit_review(the_analysis(team_scan, teammate), by=teammate, verdict="agree", **CERTAIN)
    with pytest.raises(Conflict, match="already recorded"):
        record_impression(team_scan, by=teammate, finding="glioma", certainty="low")


def test_an_impression_of_an_open_result_is_refused(team_scan, teammate) -> None:
    with pytest.raises(Conflict, match="already open") as error:
        record_impression(team_scan, by=teammate, finding="glioma", certainty="low")
    assert error.value.code == "not_sealed"


def test_impressions_form_a_chain_that_shows_a_change(owner) -> None:
    for _ in range(3):
        record_impression(make_scan(owner), by=owner, finding="glioma", certainty="medium")
    chain = list(Impression.objects.order_by("number"))
    assert [i.number for i in chain] == [1, 2, 3]
    assert chain[1].previous_hash == chain[0].hash
    assert first_broken_link(chain) is None

    chain[1].finding = "notumor"
    assert first_broken_link(chain) is chain[1]


def test_a_confirmed_diagnosis_outranks_reviews(team_scan, teammate, owner) -> None:
    record_diagnosis(team_scan, by=owner, finding="glioma", source="histology", confirmed_on=date(2026, 1, 2))
    submit_review(the_analysis(team_scan, teammate), by=teammate, verdict="agree", **CERTAIN)
    assert get_scan(owner, team_scan.pk).reviewed_finding == "glioma"


def test_a_stale_form_replaces_no_diagnosis(team_scan, owner) -> None:
    fields = {"by": owner, "finding": "glioma", "source": "histology", "confirmed_on": date(2026, 1, 2)}
    record_diagnosis(team_scan, seen=0, **fields)
    with pytest.raises(Conflict, match="in the meantime"):
        record_diagnosis(team_scan, seen=0, **fields)
    assert Diagnosis.objects.count() == 1


def test_a_diagnosis_from_the_future_is_refused(team_scan, owner) -> None:
    tomorrow = timezone.localdate() + timedelta(days=1)
    with pytest.raises(Invalid, match="future"):
        record_diagnosis(team_scan, by=owner, finding="glioma", source="histology", confirmed_on=tomorrow)


@pytest.mark.parametrize("table", ["review", "impression", "diagnosis"])
@pytest.mark.parametrize("statement", ["UPDATE classifier_{} SET comment = 'changed'", "DELETE FROM classifier_{}"])
def test_the_database_refuses_changes(team_scan, owner, table, statement) -> None:
    seal(owner)
    record_impression(team_scan, by=owner, finding="glioma", certainty="low")
    submit_review(the_analysis(team_scan, owner), by=owner, verdict="agree", **CERTAIN)
    record_diagnosis(team_scan, by=owner, finding="glioma", source="other", confirmed_on=date(2026, 1, 2))

    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement.format(table))


def test_each_migration_creates_the_triggers_again(team_scan, owner) -> None:
    seal(owner)
    record_impression(team_scan, by=owner, finding="glioma", certainty="low")
    remove_triggers(connection)

    call_command("migrate", verbosity=0)

    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE classifier_impression SET comment = 'changed'")


def test_the_models_refuse_changes(team_scan, owner) -> None:
    review = submit_review(the_analysis(team_scan, owner), by=owner, verdict="agree", **CERTAIN)
    with pytest.raises(TypeError):
        review.save()
    with pytest.raises(TypeError):
        review.delete()
    with pytest.raises(TypeError):
        Review.objects.update(comment="changed")


def test_deleting_a_scan_deletes_what_was_said_about_it(team_scan, owner) -> None:
    seal(owner)
    record_impression(team_scan, by=owner, finding="glioma", certainty="low")
    submit_review(the_analysis(team_scan, owner), by=owner, verdict="agree", **CERTAIN)
    record_diagnosis(team_scan, by=owner, finding="glioma", source="other", confirmed_on=date(2026, 1, 2))
    analysis = the_analysis(team_scan, owner)

    delete_scan(team_scan, by=owner)

    assert not any(model.objects.exists() for model in (Review, Impression, Diagnosis))
    with pytest.raises(Conflict, match="deleted"):
        submit_review(analysis, by=owner, verdict="agree", **CERTAIN)


def test_history_finds_what_any_reader_says_now(team_scan, owner, teammate, browse) -> None:
    submit_review(the_analysis(team_scan, teammate), by=teammate, verdict="correct", finding="pituitary", **CERTAIN)
    submit_review(the_analysis(team_scan, teammate), by=teammate, verdict="correct", finding="glioma", **CERTAIN)
    submit_review(the_analysis(team_scan, owner), by=owner, verdict="agree", **CERTAIN)

    def finds(**query: str) -> bool:
        return str(team_scan.pk) in browse(owner).get("/scans/", query).content.decode()

    assert finds(result="reviewed-glioma")
    assert finds(result="reviewed-meningioma")
    assert not finds(result="reviewed-pituitary")
    record_diagnosis(team_scan, by=owner, finding="tumor", source="histology", confirmed_on=date(2026, 1, 2))
    assert finds(result="reviewed-tumor")
    assert finds(result="reviewed-glioma")
    assert check_counts().is_clean
