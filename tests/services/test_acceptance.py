"""Closing a commissioning: the report is made of what was measured, signed, and never changed."""

import json

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from classifier.acceptance.limits import Limits
from classifier.acceptance.signature import read_signed
from classifier.events import Kind
from classifier.models import AcceptanceReport, Analysis, Event, Scan
from classifier.selectors.acceptance import acceptance_of, measured_cases
from classifier.selectors.commissioning import open_commissionings, progress_of
from classifier.services import acceptance as module
from classifier.services.acceptance import close_commissioning, public_key
from classifier.services.commissioning import start_commissioning
from classifier.services.commissioning_cases import NewCase, add_cases, add_team_cases, remove_case, retry_cases
from classifier.services.errors import Conflict, NotAllowed
from classifier.services.scan import delete_scan
from tests.factories import make_scan, make_shadow_case

pytestmark = pytest.mark.django_db
LIMITS = Limits({"sensitivity": 0.5, "specificity": 0.99, "refused": 0.2}, least_cases=10, prevalence=0.2)


@pytest.fixture
def commissioning(two_models, team, owner):
    return start_commissioning(team, by=owner, model="compact", limits=LIMITS)


@pytest.fixture
def measured(commissioning, owner, team):
    """Thirty cases: all of ten tumors found, all of twenty others cleared, but for one."""
    for number in range(30):
        truth = "glioma" if number < 10 else "notumor"
        answer = "glioma" if number in (25, *range(10)) else "notumor"
        scan = make_scan(owner, team=team, patient_reference=f"P-{number}")
        make_shadow_case(commissioning, scan, answer=answer, truth=truth)
    return commissioning


def test_a_report_judges_what_was_measured(measured, owner) -> None:
    report = close_commissioning(measured, by=owner)
    content = report.content
    figures = {row["key"]: row for row in content["figures"]}
    assert (figures["sensitivity"]["hits"], figures["sensitivity"]["images"]) == (10, 10)
    assert (figures["specificity"]["hits"], figures["specificity"]["images"]) == (19, 20)
    verdicts = {row["key"]: row["verdict"] for row in content["judged"]}
    # One of twenty: the interval holds the limit of 99%.
    assert verdicts == {"sensitivity": "met", "specificity": "too_few", "refused": "met"}
    assert content["counts"]["with_truth"] == content["counts"]["by_file"] == 30
    assert Event.objects.get(kind=Kind.COMMISSIONING_CLOSED).payload["verdict"] == content["verdict"]


def test_a_report_holds_no_identifier(measured, owner) -> None:
    report = close_commissioning(measured, by=owner)
    text = json.dumps(report.signed)
    for case in measured.cases.select_related("scan"):
        assert str(case.scan_id) not in text
        assert case.scan.pixels_sha256 not in text
    for word in ("P-1", "Neuroradiology", "owner", measured.title, str(measured.pk)):
        assert word not in text
    assert read_signed(text.encode()).public_key == public_key()


def test_only_an_owner_closes_and_only_once(measured, owner, teammate) -> None:
    with pytest.raises(NotAllowed):
        close_commissioning(measured, by=teammate)
    report = close_commissioning(measured, by=owner)
    with pytest.raises(Conflict):
        close_commissioning(measured, by=owner)
    assert acceptance_of(measured) == report
    assert not open_commissionings(measured.team).exists()


def test_nothing_changes_after_the_end(measured, owner, team_scan) -> None:
    report = close_commissioning(measured, by=owner)
    case = measured.cases.first()
    for change in (
        lambda: add_cases(measured, by=owner, cases=[NewCase(team_scan)]),
        lambda: add_team_cases(measured, by=owner, with_truth=False),
        lambda: retry_cases(measured, by=owner),
        lambda: remove_case(measured, by=owner, case_id=case.pk),
    ):
        with pytest.raises(Conflict):
            change()
    report.signed = {}
    with pytest.raises(TypeError):
        report.save()
    before = Event.objects.filter(kind=Kind.COMMISSIONING_CASE_LOST).count()
    delete_scan(case.scan, by=owner)
    assert Event.objects.filter(kind=Kind.COMMISSIONING_CASE_LOST).count() == before
    assert AcceptanceReport.objects.get(pk=report.pk).content["counts"]["with_truth"] == 30


def test_it_waits_for_the_analyses(measured, owner, team) -> None:
    add_cases(measured, by=owner, cases=[NewCase(make_scan(owner, team=team))])
    with pytest.raises(Conflict, match="1 analysis is waiting"):
        close_commissioning(measured, by=owner)


def test_a_case_that_changes_meanwhile_stops_it(measured, owner, monkeypatch) -> None:
    build = module.build_report

    def change(*args, **kwargs):
        measured.cases.first().delete()
        return build(*args, **kwargs)

    monkeypatch.setattr(module, "build_report", change)
    with pytest.raises(Conflict, match="changed while"):
        close_commissioning(measured, by=owner)
    assert acceptance_of(measured) is None


def test_a_patient_that_changes_meanwhile_stops_it(measured, owner, monkeypatch) -> None:
    build = module.build_report

    def change(*args, **kwargs):
        Scan.objects.filter(commissioning_cases__commissioning=measured).update(patient_reference="P-1")
        return build(*args, **kwargs)

    monkeypatch.setattr(module, "build_report", change)
    with pytest.raises(Conflict, match="changed while"):
        close_commissioning(measured, by=owner)


def test_answers_that_the_input_check_withholds_are_not_measured(measured, owner) -> None:
    scans = Scan.objects.filter(commissioning_cases__commissioning=measured)
    scans.filter(patient_reference__in=("P-1", "P-2")).update(input_problems=[{"code": "turned", "detail": "1"}])
    scans.filter(patient_reference="P-2").update(input_accepted_at=timezone.now())
    content = close_commissioning(measured, by=owner).content
    assert (content["counts"]["analyzed"], content["counts"]["withheld"]) == (29, 1)
    assert "1 case whose answer the input check withholds" in " ".join(content["not_known"])


def test_a_refusal_counts_whatever_the_input_check_finds(measured, owner, team) -> None:
    turned = make_scan(owner, team=team, patient_reference="P-30", input_problems=[{"code": "turned", "detail": "1"}])
    make_shadow_case(measured, turned, answer="not_brain_mri", truth="notumor")
    before, about = measured_cases(measured, count_refused=False)
    assert (len(before), about.withheld) == (30, 1), "A count before the closing reveals that the image is refused."
    content = close_commissioning(measured, by=owner).content
    refused = next(row for row in content["figures"] if row["key"] == "refused")
    assert (refused["hits"], refused["images"], content["counts"]["withheld"]) == (1, 31, 0)
    assert progress_of(measured).withheld == 0


def test_other_versions_and_removed_models_are_reported(measured, owner, two_models) -> None:
    other = measured.cases.first()
    Analysis.with_shadow.filter(pk=other.analysis_id).update(model_version="0.2")
    (two_models / "compact" / "card.json").unlink()
    content = close_commissioning(measured, by=owner).content
    assert (content["counts"]["analyzed"], content["counts"]["other_version"]) == (29, 1)
    assert "no longer installed" in " ".join(content["not_known"])
    assert content["site_calibration"] is None


def test_an_empty_commissioning_can_be_closed(commissioning, owner) -> None:
    content = close_commissioning(commissioning, by=owner).content
    assert (content["verdict"], content["figures"]) == ("too_few", [])
    assert {row["verdict"] for row in content["judged"]} == {"too_few"}


def test_the_command_compares_files(measured, owner, tmp_path, capsys) -> None:
    signed = close_commissioning(measured, by=owner).signed
    good, bad = tmp_path / "here.json", tmp_path / "changed.json"
    good.write_text(json.dumps(signed), encoding="utf-8")
    bad.write_text(json.dumps(signed).replace('"verdict": "', '"verdict": "x'), encoding="utf-8")
    call_command("acceptance", str(good))
    printed = capsys.readouterr().out
    assert "Sensitivity for a tumor" in printed
    assert "compact 0.1" in printed
    with pytest.raises(CommandError, match=r"changed\.json: The signature does not match"):
        call_command("acceptance", str(good), str(bad))
