"""The data of an acceptance report, and the reports of closed commissionings."""

from collections import Counter

from classifier.acceptance.cases import CaseResult
from classifier.acceptance.report import Circumstances, MeasuredModel
from classifier.events import Kind
from classifier.findings import Outcome
from classifier.inference.ood import Statistics
from classifier.input_problems import blocking
from classifier.models import AcceptanceReport, Analysis, Commissioning, CommissioningCase, SiteCalibration
from classifier.selectors.commissioning import cases_of, installed_card, number_of_events, progress_of
from classifier.selectors.commissioning_cases import Source, Truth, truths_of


def acceptance_of(commissioning: Commissioning) -> AcceptanceReport | None:
    """Return the report of a commissioning; None while it is open."""
    return AcceptanceReport.objects.filter(commissioning=commissioning).select_related("closed_by").first()


def site_calibration_of(commissioning: Commissioning) -> SiteCalibration | None:
    """Return the calibration that a closed commissioning fitted; None if it has none."""
    return SiteCalibration.objects.filter(commissioning=commissioning).first()


def measured_cases(
    commissioning: Commissioning, *, count_refused: bool = True
) -> tuple[list[CaseResult], Circumstances]:
    """Return the analyzed cases, and what else is known of them.

    Left out are answers that no reader would get: those that the input check withholds. It withholds no refusal, so
    refused images are counted whatever it found.

    Args:
        commissioning: The commissioning.
        count_refused: False leaves out every image with such a problem, so that the numbers before the closing do not
            reveal which of them are refused.
    """
    cases = list(cases_of(commissioning).select_related("analysis", "scan").order_by("pk"))
    truths = truths_of(commissioning, cases)
    done = [case for case in cases if case.analysis.state == Analysis.State.SUCCEEDED]
    own = [case for case in done if case.analysis.model_version == commissioning.model_version]
    measured = [case for case in own if not _is_withheld(case, count_refused=count_refused)]
    results = [_result(case, truths[case.pk]) for case in measured]
    progress = progress_of(commissioning)
    found = [truths[case.pk] for case in measured]
    sources = Counter(truth.source for truth in found)
    about = Circumstances(
        without_truth=sources[Source.NONE],
        failed=progress.failed,
        other_version=len(done) - len(own),
        withheld=len(own) - len(measured),
        moved=progress.moved,
        lost=progress.lost,
        removed=number_of_events(commissioning, Kind.COMMISSIONING_CASE_REMOVED),
        contradicted=sum(truth.contradicted for truth in found),
        by_diagnosis=sources[Source.DIAGNOSIS],
        by_file=sources[Source.FILE],
        by_review=sources[Source.REVIEW],
        after_answer=sum(truth.after_answer for truth in found),
        no_reference=sum(not case.scan.patient_reference for case in measured),
    )
    return results, about


def measured_model(commissioning: Commissioning) -> MeasuredModel:
    """Return the version that is commissioned, with what its card says while it is installed."""
    card = installed_card(commissioning)
    statistics = None
    if card is not None and card.ood is not None:
        try:
            statistics = Statistics.load(card.ood.statistics.path)
        except (OSError, ValueError, KeyError, EOFError):
            # Without the file there is no drift to show; the other figures do not need it.
            statistics = None
    return MeasuredModel(
        name=commissioning.model_name,
        version=commissioning.model_version,
        weights_sha256=commissioning.weights_sha256,
        calibration=None if card is None else card.calibration,
        thresholds=None if card is None else card.thresholds,
        statistics=statistics,
    )


def _is_withheld(case: CommissioningCase, *, count_refused: bool) -> bool:
    refused = case.analysis.outcome == Outcome.NOT_BRAIN_MRI
    return bool(blocking(case.scan.input_codes)) and not (refused and count_refused)


def _result(case: CommissioningCase, truth: Truth) -> CaseResult:
    analysis = case.analysis
    # Upper and lower case name one patient, as in the lists.
    reference = case.scan.patient_reference.lower()
    return CaseResult(
        patient=f"reference {reference}" if reference else f"scan {case.scan_id}",
        truth=truth.finding,
        outcome=analysis.outcome,
        finding=analysis.finding,
        probabilities=analysis.probabilities,
        logits=analysis.logits,
        appearance=analysis.appearance,
    )
