"""The figures of a model in sentences: how often the model is right, and where it is not to be relied on.

They come from the card, and those of single findings from the evaluation that the card names as its source.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from classifier.findings import FINDING_LABELS, FINDINGS, TUMOR, TUMORS, Outcome
from classifier.inference.registry import ModelCard
from classifier.wording import Result, interval, percent

SMALLEST_GROUP = 5


SITE_CALIBRATION = {
    "on": "Site calibration",
    "text": "The result was given with the site calibration of the team. The figures above were measured with the "
    "calibration of the model's card, so shares of answers differ; the team's acceptance report has its own.",
}
"""What is said below the figures of the card if its calibration was not used."""


def model_figures(card: ModelCard, *, site_calibrated: bool = False) -> list[dict[str, str]]:
    """Return what was measured, each as `{"on": …, "text": …}`: own patients first, then other hospitals.

    Args:
        card: the card of the version that ran.
        site_calibrated: whether a site calibration replaced that of the card.

    Returns:
        An empty list if the card has no figures.
    """
    figures = []
    own = _newest(card, "accuracy")
    if own is not None:
        figures.append({"on": _own_patients(own), "text": _own(own)})
    elsewhere = _newest(card, "hospitals")
    if elsewhere is not None:
        figures.append({"on": "Other hospitals", "text": _elsewhere(elsewhere["hospitals"])})
        if elsewhere["hospitals"].get("erased"):
            figures.append({"on": "Tumor digitally removed", "text": _erased(elsewhere["hospitals"]["erased"])})
    return [*figures, SITE_CALIBRATION] if figures and site_calibrated else figures


def result_figures(card: ModelCard, result: Result, *, site_calibrated: bool = False) -> list[dict[str, str]]:
    """Return what was measured of results like this one, each as `{"on": …, "text": …}`; own patients come first.

    Args:
        card: the card of the version that ran.
        result: a succeeded analysis.
        site_calibrated: whether its probabilities and thresholds are those of a site calibration.
    """
    own, elsewhere = _evaluation(card), _newest(card, "hospitals")
    figures = []
    if own is not None:
        figures.append({"on": _own_patients(own), "text": _own_results(own, result, site_calibrated)})
    if elsewhere is not None:
        hospitals = elsewhere["hospitals"]
        figures.append({"on": "Other hospitals", "text": _elsewhere_results(hospitals, result)})
        if result.finding in (*TUMORS, TUMOR) and hospitals.get("erased"):
            figures.append({"on": "Tumor digitally removed", "text": _erased(hospitals["erased"])})
    return [*figures, SITE_CALIBRATION] if figures and site_calibrated else figures


def finding_counts(card: ModelCard) -> list[dict[str, Any]]:
    """Return what the most probable finding was for the test images of each finding, in the order of `FINDINGS`.

    Each row has `finding`, `images`, `found` (this finding was the most probable), `others` (images of other findings),
    `alarms` (of those, images with this finding as the most probable), and `called`, the counts by finding.

    Returns:
        An empty list if this version was not evaluated by finding.
    """
    evaluation = _evaluation(card)
    if evaluation is None:
        return []
    table = evaluation["confusion"]
    total, rows = sum(map(sum, table)), []
    for index, finding in enumerate(FINDINGS):
        images, found = sum(table[index]), table[index][index]
        alarms = sum(row[index] for row in table) - found
        row = {"finding": finding, "images": images, "found": found, "others": total - images, "alarms": alarms}
        rows.append(row | {"called": table[index]})
    return rows


def reliability(card: ModelCard) -> list[dict[str, Any]]:
    """Return how often the stated probabilities of this version were right, smallest probability first.

    Each row has `confidence`, the mean probability of a group of images, `accuracy`, the share of them whose most
    probable finding was right, and `images`, their number. Groups that are too small for a figure are left out.
    """
    evaluation = _evaluation(card) or {}
    groups = evaluation.get("probabilities", {}).get("reliability", [])
    return [group for group in groups if group["images"] >= SMALLEST_GROUP]


def model_limits(card: ModelCard) -> list[str]:
    """Return the weaknesses and the excluded uses that the card names."""
    excluded = [f"Not for: {use[:1].lower()}{use[1:]}" for use in card.details.get("not_for", ())]
    return [*(f"{text.rstrip('.')}." for text in (*excluded, *card.details.get("weaknesses", ())))]


def _newest(card: ModelCard, key: str) -> dict[str, Any] | None:
    """Return the last measurement that has `key`: later entries of a card replace earlier ones."""
    return next((entry for entry in reversed(card.metrics) if entry.get(key)), None)


def _evaluation(card: ModelCard) -> Mapping[str, Any] | None:
    """Return the newest evaluation by finding that belongs to this version of the model; None if there is none."""
    for entry in reversed(card.metrics):
        path = card.folder / str(entry.get("source", ""))
        if "accuracy" in entry and path.is_file():
            content = _read_json(path, path.stat().st_mtime_ns)
            if "per_class" in content and content.get("version") == card.version:
                return content
    return None


@lru_cache(maxsize=16)
def _read_json(path: Path, modified_ns: int) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _own_patients(measured: Mapping[str, Any]) -> str:
    return f"Patients held out of training (protocol {measured['protocol']})"


def _own_results(evaluation: Mapping[str, Any], result: Result, site_calibrated: bool) -> str:
    texts = []
    if result.outcome == Outcome.NOT_BRAIN_MRI:
        refusal = evaluation["refusal"]
        texts.append(
            f"{_share(refusal['brain_mri_refused'])} of the brain MR images were refused by mistake, and "
            f"{_share(refusal['far']['refused'])} of {refusal['far']['images']:,} images of something else were "
            "refused."
        )
    elif result.outcome == Outcome.UNCERTAIN:
        abstention = evaluation["abstention"]
        texts.append(
            f"{evaluation['images']:,} images: {_share(1 - abstention['coverage'])} got no finding. For "
            f"{_share(evaluation['possible']['coverage'])} of the images, the findings that remained possible included "
            "the true one."
        )
    elif result.finding in FINDINGS:
        texts.append(_of_finding(evaluation, result.finding))
        if not site_calibrated:
            # The groups hold probabilities of the card's calibration: those of another one compare with none of them.
            texts.append(_of_probability(evaluation, result.confidence))
        if result.finding in TUMORS:
            texts.append(_of_place(evaluation, result.finding))
    else:
        texts.append(
            f"{_share(evaluation['abstention']['tumor_of_unknown_kind'])} of {evaluation['images']:,} images were "
            f"reported as a tumor of unknown kind. {_share(evaluation['shortcut']['tumor_sensitivity'])} of the images "
            f"with a tumor and {_share(1 - evaluation['shortcut']['specificity'])} of those without one had a tumor as "
            "their most probable finding."
        )
    return " ".join(text for text in texts if text)


def _of_finding(evaluation: Mapping[str, Any], finding: str) -> str:
    """Return how often the most probable finding was right if it was this one, and how often this one was found."""
    measured, index = evaluation["per_class"][finding], FINDINGS.index(finding)
    # Rows are true findings, columns the most probable ones.
    counts = dict(zip(FINDINGS, evaluation["confusion"], strict=True))
    ranked_first = sum(row[index] for row in counts.values())
    label = FINDING_LABELS[finding]
    if finding == "notumor":
        tumors = sum(sum(counts[name]) for name in TUMORS)
        taken = sum(counts[name][index] for name in TUMORS)
        return (
            f"“No tumor” was the most probable finding of {ranked_first:,} images, and "
            f"{_share(measured['precision'])} of these had no tumor. Of {tumors:,} images with a tumor, "
            f"{_share(taken / tumors)} had “no tumor” as their most probable finding."
        )
    return (
        f"{label.capitalize()} was the most probable finding of {ranked_first:,} images, and "
        f"{_share(measured['precision'])} of these showed one. Of {measured['images']:,} images with a {label}, "
        f"{_share(measured['recall'])} had it as their most probable finding."
    )


def _of_probability(evaluation: Mapping[str, Any], confidence: float | None) -> str:
    """Return how often results with a probability near this one were right."""
    groups = evaluation["probabilities"]["reliability"]
    if confidence is None or not groups:
        return ""
    near = min(groups, key=lambda group: abs(group["confidence"] - confidence))
    return (
        f"In the group of {near['images']:,} images whose highest probability was closest to this one (on average "
        f"{_share(near['confidence'])}), the most probable finding was right for {_share(near['accuracy'])}."
    )


def _of_place(evaluation: Mapping[str, Any], finding: str) -> str:
    share = evaluation["saliency"].get("by_finding", {}).get(finding)
    if share is None:
        return ""
    return (
        f"In {_share(share)} of the images with a {FINDING_LABELS[finding]} of known position, the strongest evidence "
        "lay within the box around the tumor."
    )


def _elsewhere_results(hospitals: Mapping[str, Any], result: Result) -> str:
    every = hospitals["all"]
    if result.outcome == Outcome.NOT_BRAIN_MRI:
        return f"{_share(every['refused'])} of {every['images']:,} brain MR images were refused by mistake."
    if result.outcome == Outcome.UNCERTAIN:
        return f"{_share(every['uncertain'])} of {every['images']:,} images were answered with “uncertain”."
    return _elsewhere(hospitals)


def _own(entry: Mapping[str, Any]) -> str:
    text = f"{entry.get('images', 0):,} images: {_share(entry['accuracy'])} of the most probable findings are right"
    if "accuracy_low" in entry and "accuracy_high" in entry:
        text += f" (95% CI {interval(entry['accuracy_low'], entry['accuracy_high'], digits=1)})"
    text += "."
    if "coverage" in entry and "selective_accuracy" in entry:
        text += (
            f" A finding is reported for {_share(entry['coverage'])} of the images; "
            f"{_share(entry['selective_accuracy'])} of the reported findings are right."
        )
    return text


def _elsewhere(hospitals: Mapping[str, Any]) -> str:
    every = hospitals["all"]
    return (
        f"{every['images']:,} images of {every['patients']:,} people of hospitals not trained on: "
        f"sensitivity for a tumor {_share(every['sensitivity'])}, specificity {_share(every['specificity'])}. "
        f"For {_share(every['said_no_tumor_of_tumors'])} of the images with a tumor, the answer is “No tumor seen”."
    )


def _erased(erased: Mapping[str, Any]) -> str:
    return (
        f"In {erased['pairs']} slices the tumor was digitally removed. The network gives a tumor a probability of at "
        f"least 50% in {_share(erased['original_called_tumor'])} of the original slices and in "
        f"{_share(erased['still_called_tumor'])} of the slices without their tumor."
    )


def _share(value: float) -> str:
    """Return a share with one decimal: test sets are too small for more."""
    return percent(value, digits=1)
