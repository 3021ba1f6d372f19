"""Commissionings: who starts them, which cases they take, and what becomes of the cases."""

import io
from datetime import date

import numpy as np
import pytest

from classifier.acceptance.limits import Limits
from classifier.events import Kind
from classifier.models import Analysis, Batch, BatchFile, ClassMaps, CommissioningCase, Event, Notification, Scan
from classifier.queue.claim import Result, claim_analyses, finish_analyses
from classifier.selectors.commissioning import progress_of
from classifier.selectors.commissioning_cases import in_review_order, truths_of
from classifier.selectors.scan import get_scan
from classifier.services.analysis import request_all_models, request_analysis
from classifier.services.case_files import add_case_file
from classifier.services.commissioning import start_commissioning
from classifier.services.commissioning_cases import NewCase, add_cases, add_team_cases, remove_case, retry_cases
from classifier.services.errors import Conflict, Invalid, NotAllowed
from classifier.services.notification import make_notifications
from classifier.services.review import record_diagnosis, submit_review
from classifier.services.scan import delete_scan, move_scan
from classifier.services.team import delete_team
from tests.factories import make_analysis, make_scan, make_shadow_case, png_bytes
from tests.worker.test_pipeline import DECISION, LOGITS

pytestmark = pytest.mark.django_db
LIMITS = Limits({"sensitivity": 0.9, "refused": 0.05}, least_cases=2)


@pytest.fixture
def commissioning(two_models, team, owner):
    return start_commissioning(team, by=owner, model="compact", limits=LIMITS)


def finish(number: int = 10) -> int:
    """Give every queued analysis the same answer, as a worker does."""
    maps = np.zeros((7, 7, 4), np.float16)
    claims = claim_analyses(limit=number)
    return finish_analyses([Result(claim, DECISION, maps, "0.1", 5.0, logits=LOGITS) for claim in claims])


def test_only_an_owner_starts_one_and_only_once(two_models, team, owner, teammate, outsider) -> None:
    for person in (teammate, outsider):
        with pytest.raises(NotAllowed):
            start_commissioning(team, by=person, model="compact", limits=LIMITS)
    started = start_commissioning(team, by=owner, model="compact", limits=LIMITS)
    assert (started.model_version, started.title) == ("0.1", "compact 0.1")
    assert Event.objects.get(kind=Kind.COMMISSIONING_STARTED).payload["limits"] == LIMITS.as_dict()
    with pytest.raises(Conflict):
        start_commissioning(team, by=owner, model="compact", limits=LIMITS)
    with pytest.raises(Invalid):
        start_commissioning(team, by=owner, model="none", limits=LIMITS)


def test_limits_never_change(commissioning) -> None:
    commissioning.limits = {}
    with pytest.raises(TypeError):
        commissioning.save()
    with pytest.raises(TypeError):
        type(commissioning).objects.update(limits={})


def test_shadow_analyses_run_in_the_queue_and_leave_no_trace(commissioning, owner, team_scan) -> None:
    before = Event.objects.count()
    add_cases(commissioning, by=owner, cases=[NewCase(team_scan, truth="glioma")])
    current, maps = team_scan.current_analysis_id, ClassMaps.objects.count()
    assert Analysis.with_shadow.filter(scan=team_scan).count() == 2
    assert team_scan.analyses.count() == Analysis.objects.filter(scan=team_scan).count() == 1

    assert finish() == 1

    shadow = CommissioningCase.objects.get().analysis
    assert (shadow.state, shadow.finding, shadow.model_version) == ("succeeded", "glioma", "0.1")
    assert shadow.logits == [3.0, 1.0, 0.5, 0.0]
    assert ClassMaps.objects.count() == maps
    assert Scan.objects.get(pk=team_scan.pk).current_analysis_id == current
    told = Event.objects.order_by("pk")[before:].values_list("kind", flat=True)
    assert list(told) == [Kind.COMMISSIONING_CASES_ADDED]
    make_notifications()
    assert not Notification.objects.exists()
    assert progress_of(commissioning).succeeded == 1


def test_a_request_never_collides_with_what_the_person_cannot_see(commissioning, owner, team_scan) -> None:
    add_cases(commissioning, by=owner, cases=[NewCase(team_scan)])
    asked = request_analysis(get_scan(owner, team_scan.pk), by=owner, model="compact")
    assert not asked.in_shadow
    asked.delete()
    assert [row.model_name for row in request_all_models(get_scan(owner, team_scan.pk), by=owner)] == [
        "xception",
        "compact",
    ]


def test_own_uploads_come_before_shadow_analyses(commissioning, owner, team) -> None:
    add_cases(commissioning, by=owner, cases=[NewCase(make_scan(owner, team=team)) for _ in range(20)])
    asked = request_analysis(make_scan(owner), by=owner)
    claimed = [claim.analysis.pk for claim in claim_analyses(limit=3)]
    assert asked.pk in claimed


def test_what_cannot_be_a_case_is_reported_in_a_sentence(commissioning, owner, team, team_scan, scan) -> None:
    diagnosed = make_scan(owner, team=team)
    record_diagnosis(diagnosed, by=owner, finding="meningioma", source="histology", confirmed_on=date(2026, 1, 2))
    content = png_bytes()
    first, same = (make_scan(owner, team=team, content=content) for _ in range(2))
    cases = [
        NewCase(team_scan, "glioma", "a"),
        NewCase(team_scan, "glioma", "b"),
        NewCase(scan, "glioma", "c"),
        NewCase(make_scan(owner, team=team, sample="glioma-1"), "glioma", "d"),
        NewCase(diagnosed, "glioma", "e"),
        NewCase(first, "", "f"),
        NewCase(same, "", "g"),
        NewCase(make_scan(owner, team=team), "cyst", "h"),
    ]
    added = add_cases(commissioning, by=owner, cases=cases)
    assert added.number == 2
    assert [problem.name for problem in added.problems] == ["b", "c", "d", "e", "g", "h"]
    assert "confirmed diagnosis says meningioma" in added.problems[3].reason


def test_truth_is_the_diagnosis_then_the_file_then_the_review(commissioning, owner, team) -> None:
    scans = [make_scan(owner, team=team) for _ in range(4)]
    for scan in scans:
        make_analysis(scan, state="succeeded", model_name="compact", model_version="0.1")
    add_cases(
        commissioning,
        by=owner,
        cases=[NewCase(scan, t) for scan, t in zip(scans, ["glioma", "glioma", "", ""], strict=True)],
    )
    record_diagnosis(scans[0], by=owner, finding="pituitary", source="histology", confirmed_on=date(2026, 1, 2))
    submit_review(scans[2].current_analysis, by=owner, verdict="agree", certainty="high")
    cases = {case.scan_id: case for case in CommissioningCase.objects.all()}
    truths = truths_of(commissioning, list(cases.values()))
    found = [truths[cases[scan.pk].pk] for scan in scans]
    assert [(t.finding, t.source) for t in found] == [
        ("pituitary", "diagnosis"),
        ("glioma", "file"),
        ("meningioma", "review"),
        ("", "none"),
    ]
    assert [t.contradicted for t in found] == [True, False, False, False]
    assert [t.after_answer for t in found] == [False, False, True, False]


def test_a_file_of_cases_finds_stores_and_refuses(commissioning, owner, team, team_scan) -> None:
    named = make_scan(owner, team=team)
    batch = Batch.objects.create(owner=owner, team=team)
    BatchFile.objects.create(batch=batch, number=1, name="kept.png", scan=named)
    rows = [
        "file,finding,patient",
        f"https://brain.example/scans/{team_scan.pk}/,glioma,",
        "kept.png,notumor,",
        "sent.png,pituitary,P-77",
        "broken.png,pituitary,",
        "missing.png,glioma,",
        "kept.png,cyst,",
        "export/sent.png,glioma,P-78",
    ]
    images = {"sent.png": png_bytes(), "broken.png": b"GIF89a", "stray.png": png_bytes()}

    def send():
        files = [(name, io.BytesIO(content)) for name, content in images.items()]
        return add_case_file(commissioning, by=owner, content="\n".join(rows).encode(), images=files)

    added = send()
    assert added.number == 3
    # By their lines in the file, whatever is wrong with them.
    assert [str(problem).partition(":")[0] for problem in added.problems] == [
        "Row 5 (broken.png)",
        "Row 6 (missing.png)",
        "Row 7 (kept.png)",
        "Row 8 (export/sent.png)",
        "stray.png",
    ]
    assert not Scan.objects.filter(patient_reference="P-78").exists()
    stored = Scan.objects.get(patient_reference="P-77")
    assert (stored.team, stored.commissioning_cases.get().stated_truth) == (team, "pituitary")
    again = send()
    assert (again.number, Scan.objects.filter(patient_reference="P-77").count()) == (0, 1)
    assert sum("is a case already" in problem.reason for problem in again.problems) == 3
    assert [problem.row for problem in again.problems] == [2, 3, 4, 5, 6, 7, 8, 0]


def test_an_image_whose_row_cannot_be_used_is_not_said_to_have_none(commissioning, owner) -> None:
    names = ("cyst.png", "twice.png", "stray.png")
    images = [(name, io.BytesIO(png_bytes())) for name in names]
    rows = b"file,finding\nexport/cyst.png,cyst\ntwice.png,glioma\ntwice.png,glioma\n"
    added = add_case_file(commissioning, by=owner, content=rows, images=images)
    assert added.number == 1
    assert [(problem.name, problem.reason) for problem in added.problems if not problem.row] == [
        ("cyst.png", "the row that names this image cannot be used. It was not stored."),
        ("stray.png", "no row names this image. It was not stored."),
    ]


def test_images_of_one_name_get_no_truth_of_each_other(commissioning, owner) -> None:
    rows = b"file,finding\nleft/1.png,glioma\nright/1.png,notumor\n"
    images = [("1.png", io.BytesIO(png_bytes())), ("1.png", io.BytesIO(png_bytes()))]
    added = add_case_file(commissioning, by=owner, content=rows, images=images)
    assert (added.number, Scan.objects.count()) == (0, 0)
    assert [problem.row for problem in added.problems] == [2, 3]
    assert all("several images of this name" in problem.reason for problem in added.problems)


def test_a_row_fits_the_patient_of_its_scan(commissioning, owner, team) -> None:
    first, second, third = (make_scan(owner, team=team, patient_reference=name) for name in ("P-1", "P-1", ""))
    rows = ["file,finding,patient", f"{first.pk},glioma, p-1", f"{second.pk},glioma,P-2", f"{third.pk},glioma,P-3"]
    added = add_case_file(commissioning, by=owner, content="\n".join(rows).encode())
    assert added.number == 1
    assert [(problem.row, "has" in problem.reason) for problem in added.problems] == [(3, True), (4, True)]
    assert "the scan has the patient reference “P-1”" in added.problems[0].reason
    assert "the scan has no patient reference" in added.problems[1].reason


def test_members_change_nothing(commissioning, teammate, team_scan) -> None:
    for change in (
        lambda: add_cases(commissioning, by=teammate, cases=[NewCase(team_scan)]),
        lambda: add_team_cases(commissioning, by=teammate, with_truth=False),
        lambda: add_case_file(commissioning, by=teammate, content=b"file,finding\na,glioma"),
        lambda: retry_cases(commissioning, by=teammate),
        lambda: remove_case(commissioning, by=teammate, case_id=team_scan.pk),
    ):
        with pytest.raises(NotAllowed):
            change()


def test_a_removed_model_fails_its_cases_and_takes_no_more(commissioning, owner, team_scan, two_models) -> None:
    case = make_shadow_case(commissioning, team_scan)
    values = {"state": "failed", "outcome": "", "finding": "", "probabilities": None, "failure_message": "Gone."}
    Analysis.with_shadow.filter(pk=case.analysis_id).update(**values)
    assert progress_of(commissioning).failed == 1
    card = (two_models / "compact" / "card.json").read_text(encoding="utf-8")
    (two_models / "compact" / "card.json").unlink()
    for change in (
        lambda: retry_cases(commissioning, by=owner),
        lambda: add_team_cases(commissioning, by=owner, with_truth=False),
    ):
        with pytest.raises(Conflict):
            change()
    (two_models / "compact" / "card.json").write_text(card, encoding="utf-8")
    assert retry_cases(commissioning, by=owner) == 1
    assert (progress_of(commissioning).failed, progress_of(commissioning).waiting) == (0, 1)


def test_a_deleted_or_moved_scan_is_counted(commissioning, owner, team) -> None:
    scans = [make_scan(owner, team=team) for _ in range(3)]
    add_cases(commissioning, by=owner, cases=[NewCase(scan) for scan in scans])
    delete_scan(scans[0], by=owner)
    move_scan(scans[1], by=owner, team=None)
    progress = progress_of(commissioning)
    assert (progress.cases, progress.lost, progress.moved, progress.waiting) == (1, 1, 1, 1)
    remove_case(commissioning, by=owner, case_id=CommissioningCase.objects.get(scan=scans[2]).pk)
    assert not Analysis.with_shadow.filter(scan=scans[2]).exists()


def test_a_team_with_an_open_commissioning_is_not_deleted(commissioning, owner, team) -> None:
    with pytest.raises(Conflict):
        delete_team(team, by=owner)


def test_the_order_for_review_mixes_disagreements_with_others(commissioning, owner, team) -> None:
    answers = {}
    for number in range(16):
        scan = make_scan(owner, team=team)
        make_analysis(scan, state="succeeded", finding="glioma")
        case = make_shadow_case(commissioning, scan, answer="pituitary" if number % 4 == 0 else "glioma")
        answers[case.pk] = case.analysis.finding
    known = make_shadow_case(commissioning, make_scan(owner, team=team), truth="glioma")
    ordered = in_review_order(commissioning)
    assert ordered[-1].pk == known.pk
    shown = [answers[case.pk] for case in ordered[:-1]]
    # Each of the first pairs holds one case on which the models disagree, in either place.
    assert [set(shown[at : at + 2]) for at in range(0, 8, 2)] == [{"glioma", "pituitary"}] * 4
    assert set(shown[8:]) == {"glioma"}
    assert ordered == in_review_order(commissioning)
