"""The facts of a report about a scan, as plain data that can be stored in a signed report.

Facts are JSON values: texts that people read, numbers, and times in ISO 8601 with their offset. They come from rows and
from the model's card only; nothing in them was typed into a report.
"""

import hashlib
import json
from datetime import datetime
from typing import Any

from classifier import wording
from classifier.advice import advice
from classifier.evidence import AnswerRule
from classifier.findings import FINDING_LABELS, FINDINGS
from classifier.inference.decision import answer_rule
from classifier.inference.registry import ModelCard
from classifier.inference.saliency import class_evidence
from classifier.input_problems import SENTENCES, WITHHELD_ANSWER, codes
from classifier.models import Analysis, ClassMaps, Diagnosis, Review, Scan, User
from classifier.selectors.analysis import class_maps
from classifier.selectors.model import card_of
from classifier.selectors.model_figures import model_figures, model_limits

Facts = dict[str, Any]

# Evidence too weak to be visible does not point to a place.
VISIBLE_EVIDENCE = 0.05
LIMITS: tuple[str, ...] = (
    "The network reads one slice. It sees neither the other slices, nor other sequences, nor the patient.",
    "It knows three kinds of tumors. Metastases, hemorrhage, infarction, and other diseases are reported as "
    "“no tumor”.",
    "The overlay shows where the evidence lies. It does not outline the lesion.",
    "For research and decision support only. Not a medical device, and not a diagnosis.",
)
"""Limits of every model."""


def scan_facts(user: User, scan: Scan) -> Facts:
    """Return the facts of a scan as `user` may read them.

    Args:
        user: the reader.
        scan: loaded by a selector for `user`, and not sealed.

    Returns:
        `scan`, `analysis` (None before the first), `input_problems`, `reviews`, `diagnoses`, and `model` (None without
        an analysis). What others say of a scan that is closed to the user is left out, even while its current analysis
        has no result to seal; `statements_closed` is then there and true. Two calls return equal facts unless a row or
        the card changed in between.

    Raises:
        ValueError: if the result is closed to the user. Callers check that and answer with a sentence.
    """
    if scan.sealed:
        raise ValueError(f"The facts of a sealed scan are closed to the reader. Received: {scan.pk}")
    analysis = scan.current_analysis
    card = None if analysis is None else card_of(analysis)
    return {
        "scan": {
            "id": str(scan.pk),
            "short_id": scan.short_id,
            "patient_reference": scan.patient_reference,
            "uploaded_at": _time(scan.created_at),
            "uploaded_by": scan.owner.display_name,
            "width": scan.width,
            "height": scan.height,
            "source_format": scan.source_format,
            "pixels_sha256": scan.pixels_sha256,
            "mended_from": "" if scan.mended_from is None else str(scan.mended_from)[:8],
        },
        "analysis": None if analysis is None else _analysis_facts(analysis, card),
        "input_problems": _input_problems(scan),
        "reviews": [] if scan.closed else _reviews(scan),
        "diagnoses": [] if scan.closed else [_diagnosis(row) for row in scan.diagnoses.select_related("recorded_by")],
        **({"statements_closed": True} if scan.closed else {}),
        "model": None if analysis is None else _model_facts(analysis, card),
        "limits": list(LIMITS),
    }


def facts_hash(facts: Facts) -> str:
    """Return the SHA-256 of facts, to find out whether they changed since a page showed them."""
    return hashlib.sha256(canonical_json(facts).encode()).hexdigest()


def canonical_json(content: Any) -> str:
    """Return JSON with sorted keys and without spaces: equal content gives equal text."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _analysis_facts(analysis: Analysis, card: ModelCard | None) -> Facts:
    withheld = wording.withheld(analysis)
    # The thresholds that the answer was given with; those of the card may be others.
    rule = analysis.answer_rule or (None if card is None else answer_rule(card))
    advised = None if withheld else advice(analysis)
    return {
        "id": str(analysis.pk),
        "state": analysis.state,
        "outcome": "" if withheld else analysis.outcome,
        "finding": "" if withheld else analysis.finding,
        "sentence": wording.sentence(analysis),
        "short_sentence": wording.short_sentence(analysis),
        "mark": wording.mark(analysis),
        "reason": WITHHELD_ANSWER if withheld else analysis.failure_message,
        "meaning": advised.meaning if advised else "",
        "steps": list(advised.steps) if advised else [],
        "queued_at": _time(analysis.queued_at),
        "finished_at": _time(analysis.finished_at),
        "probabilities": [] if withheld else _probabilities(analysis, rule),
        "tumor": None if withheld else _tumor(analysis, rule),
        "overlay": None if withheld else _overlay(analysis, card),
        "site_calibration": "" if analysis.site_calibration_id is None else str(analysis.site_calibration_id)[:8],
    }


def _input_problems(scan: Scan) -> list[str]:
    """Return the problems of an image in sentences, those that a person has overruled with what that person said."""
    overruled = " A person has confirmed that the image is right."
    return [SENTENCES[code] + ("" if code in scan.input_codes else overruled) for code in codes(scan.input_problems)]


def _probabilities(analysis: Analysis, rule: AnswerRule | None) -> list[Facts]:
    if not analysis.probabilities:
        return []
    return [
        {
            "finding": name,
            "label": FINDING_LABELS[name].capitalize(),
            "value": value,
            "text": wording.probability(value),
            "threshold": "" if rule is None else wording.percent(_threshold(name, rule), digits=1),
            "reported": name == analysis.finding,
            "possible": name in analysis.possible_findings,
        }
        for name, value in zip(FINDINGS, analysis.probabilities, strict=True)
    ]


def _threshold(finding: str, rule: AnswerRule) -> float:
    return rule["notumor"] if finding == "notumor" else rule["finding"]


def _tumor(analysis: Analysis, rule: AnswerRule | None) -> Facts | None:
    """Return the probability of a tumor of any kind; None where the network gives none."""
    if analysis.tumor_probability is None:
        return None
    threshold = None if rule is None else rule["tumor"]
    return {
        "value": round(analysis.tumor_probability, 6),
        "text": wording.probability(analysis.tumor_probability),
        "threshold": "" if threshold is None else wording.percent(threshold, digits=1),
        "never_reported": rule is not None and threshold is None,
    }


def _overlay(analysis: Analysis, card: ModelCard | None) -> Facts | None:
    """Return what is needed to draw the same overlay again; None if there is none."""
    finding = analysis.saliency_finding
    if not finding:
        return None
    try:
        maps = class_maps(analysis)
    except ClassMaps.DoesNotExist:
        return None
    scale = None if card is None else card.saliency
    evidence = class_evidence(maps, FINDINGS.index(finding), scale=scale)
    return {
        "finding": finding,
        "label": FINDING_LABELS[finding],
        "floor": None if scale is None else scale.floor,
        "ceiling": None if scale is None else scale.ceiling,
        "maps_sha256": hashlib.sha256(maps.tobytes()).hexdigest(),
        "points_to_a_place": bool(evidence.max() >= VISIBLE_EVIDENCE),
    }


def _reviews(scan: Scan) -> list[Facts]:
    """Return the newest review of each reader of each analysis, oldest first."""
    newest: dict[tuple[Any, int], Review] = {}
    for review in scan.reviews.select_related("reviewer"):
        newest[review.analysis_id, review.reviewer_id] = review
    return [
        {
            "reader": review.reviewer.display_name,
            "verdict": review.verdict,
            "text": _verdict(review),
            "certainty": review.get_certainty_display().lower(),
            "comment": review.comment,
            "revised": review.number - 1,
            "of_current_analysis": review.analysis_id == scan.current_analysis_id,
            "at": _time(review.created_at),
        }
        for review in sorted(newest.values(), key=lambda row: (row.created_at, str(row.pk)))
    ]


def _verdict(review: Review) -> str:
    label = FINDING_LABELS.get(review.finding, "")
    if review.verdict == Review.Verdict.CORRECT:
        return f"Corrects the result: {label}"
    return f"Agrees with the result: {label}" if label else "Agrees with the result"


def _diagnosis(row: Diagnosis) -> Facts:
    return {
        "label": FINDING_LABELS[row.finding].capitalize(),
        "source": row.get_source_display(),
        "confirmed_on": row.confirmed_on.isoformat(),
        "recorded_by": row.recorded_by.display_name,
        "comment": row.comment,
        "at": _time(row.created_at),
    }


def _model_facts(analysis: Analysis, card: ModelCard | None) -> Facts:
    return {
        "name": analysis.model_name,
        "version": analysis.model_version or ("" if card is None else card.version),
        "title": "" if card is None else str(card.details.get("title", "")),
        "installed": card is not None,
        "figures": []
        if card is None
        else model_figures(card, site_calibrated=analysis.site_calibration_id is not None),
        "limits": [] if card is None else model_limits(card),
    }


def _time(value: datetime | None) -> str:
    return "" if value is None else value.isoformat()
