"""Drafts, signatures and addenda of reports."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from classifier.models import Event, Report, ReportAddendum, Scan, SignedReport, User
from classifier.selectors.report import addenda_of, get_signed_report, is_unchanged, verify_report
from classifier.selectors.report_facts import facts_hash, scan_facts
from classifier.selectors.scan import get_scan
from classifier.services.errors import Conflict, Invalid, NotAllowed, Sealed
from classifier.services.report import add_addendum, delete_draft, save_draft, sign_report, update_report
from classifier.services.review import submit_review
from classifier.services.scan import delete_scan
from tests.factories import make_analysis, make_scan

TEXTS = {"findings": "A mass.", "impression": "Meningioma likely.", "recommendation": "Contrast T1."}


def drafted(scan: Scan, user: User, **texts: str) -> Report:
    return save_draft(get_scan(user, scan.pk), by=user, texts=TEXTS | texts)


def sign(report: Report, user: User) -> SignedReport:
    facts = scan_facts(user, get_scan(user, report.scan_id))
    return sign_report(report, by=user, seen=report.version, seen_facts=facts_hash(facts))


def test_a_draft_is_saved_again_by_its_author_only(team_scan, owner, teammate) -> None:
    report = drafted(team_scan, owner)
    saved = update_report(report, by=owner, texts={"impression": "Glioma likely."}, seen=1)

    assert (saved.findings, saved.impression, saved.version) == ("A mass.", "Glioma likely.", 2)
    with pytest.raises(NotAllowed):
        update_report(report, by=teammate, texts={"impression": "No."})
    with pytest.raises(NotAllowed):
        delete_draft(report, by=teammate)


def test_a_stale_window_overwrites_nothing(scan, owner) -> None:
    drafted(scan, owner)
    for seen in (0, 2):
        with pytest.raises(Conflict, match="another window"):
            save_draft(get_scan(owner, scan.pk), by=owner, texts=TEXTS | {"findings": "Other."}, seen=seen)
    assert Report.objects.get().findings == "A mass."


def test_a_signature_stores_texts_facts_and_their_hash(scan, owner) -> None:
    signed = sign(drafted(scan, owner), owner)

    assert signed.snapshot["texts"] == TEXTS
    assert signed.snapshot["facts"]["analysis"]["sentence"] == "Probably meningioma (91%)"
    assert is_unchanged(get_signed_report(owner, signed.pk), [])
    assert Report.objects.get().state == Report.State.SIGNED
    event = Event.objects.get(kind="report.signed")
    assert (event.actor, event.payload) == (owner, {"report": str(signed.pk), "sha256": signed.sha256})


def test_a_signed_report_is_not_changed_signed_again_or_deleted(scan, owner) -> None:
    report = drafted(scan, owner)
    sign(report, owner)
    for change in (
        lambda: update_report(report, by=owner, texts={"impression": "Other."}),
        lambda: sign(report, owner),
        lambda: delete_draft(report, by=owner),
    ):
        with pytest.raises(Conflict, match="is signed and is never changed"):
            change()


@pytest.mark.parametrize(
    "statement",
    ["UPDATE classifier_signedreport SET content = '{}'", "DELETE FROM classifier_signedreport"],
)
def test_the_database_refuses_changes_of_a_signed_report(scan, owner, statement) -> None:
    sign(drafted(scan, owner), owner)
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_what_changed_since_the_page_was_opened_is_read_before_signing(scan, owner) -> None:
    report = drafted(scan, owner)
    shown = get_scan(owner, scan.pk)
    before = facts_hash(scan_facts(owner, shown))
    submit_review(shown.current_analysis, by=owner, verdict="correct", finding="glioma", certainty="low")
    with pytest.raises(Conflict, match="changed since"):
        sign_report(report, by=owner, seen=1, seen_facts=before)
    with pytest.raises(Conflict, match="another window"):
        sign_report(report, by=owner, seen=0, seen_facts=before)
    assert not SignedReport.objects.exists()


def test_a_report_without_an_impression_or_result_is_not_signed(owner) -> None:
    pending = make_scan(owner)
    make_analysis(pending, state="running")
    with pytest.raises(Conflict, match="has not finished"):
        sign(drafted(pending, owner), owner)
    failed = make_scan(owner)
    make_analysis(failed, state="failed")
    with pytest.raises(Invalid, match="impression"):
        sign(drafted(failed, owner, impression=" "), owner)


def test_only_the_author_signs_and_outsiders_write_nothing(team_scan, owner, teammate, outsider) -> None:
    report = drafted(team_scan, owner)
    with pytest.raises(NotAllowed):
        sign(report, teammate)
    with pytest.raises(NotAllowed):
        save_draft(team_scan, by=outsider, texts=TEXTS)


def test_a_sealed_scan_gets_no_report(scan, owner) -> None:
    owner.sealed_reading_since = timezone.now() - timedelta(days=1)
    owner.save()
    with pytest.raises(Sealed):
        drafted(scan, owner)


def test_addenda_form_a_chain_that_begins_with_the_report(team_scan, owner, teammate) -> None:
    signed = sign(drafted(team_scan, owner), owner)
    first = add_addendum(signed, by=owner, text="Compared with March.", seen=0)
    second = add_addendum(signed, by=teammate, text="Agreed.", seen=1)

    assert (first.previous_hash, second.previous_hash) == (signed.sha256, first.hash)
    assert is_unchanged(get_signed_report(owner, signed.pk), addenda_of(signed))
    second.text = "Not agreed."
    assert not is_unchanged(signed, [first, second])
    assert Event.objects.filter(kind="report.addendum").count() == 2
    with pytest.raises(Conflict, match="Another addendum"):
        add_addendum(signed, by=owner, text="Late.", seen=1)
    with pytest.raises(Invalid):
        add_addendum(signed, by=owner, text="  ")


def test_a_report_goes_with_its_scan(scan, owner) -> None:
    signed = sign(drafted(scan, owner), owner)
    add_addendum(signed, by=owner, text="More.")
    delete_scan(get_scan(owner, scan.pk), by=owner)
    for model in (Report, SignedReport, ReportAddendum):
        assert not model.objects.exists()


def test_a_second_report_needs_another_result(scan, owner) -> None:
    sign(drafted(scan, owner), owner)
    with pytest.raises(Conflict, match="Add an addendum to it instead"):
        drafted(scan, owner)
    make_analysis(scan, state="failed", model_name="other")
    assert drafted(scan, owner).state == Report.State.DRAFT


def test_anyone_can_verify_a_number_or_hash(scan, owner) -> None:
    signed = sign(drafted(scan, owner), owner)
    for code in (signed.number, signed.number.lower(), f" {signed.sha256.upper()}\n"):
        found = verify_report(code)
        assert found is not None
        assert (found.signer_name, found.unchanged) == ("owner", True)
    for code in ("", "R-0000-0000-0000", "0" * 64, "%", str(signed.pk)):
        assert verify_report(code) is None


def test_a_text_that_is_too_long_is_refused(scan, owner) -> None:
    with pytest.raises(Invalid, match="Findings has at most 8000 characters; this text has 8001"):
        drafted(scan, owner, findings="x" * 8001)
