"""Gather the facts that the explanation of a scan is made of."""

from classifier.assistant.builtin import Facts
from classifier.assistant.place import Place, evidence_place
from classifier.findings import FINDINGS
from classifier.inference.registry import ModelError
from classifier.inference.saliency import class_evidence
from classifier.models import Analysis, ClassMaps, Scan
from classifier.selectors.analysis import class_maps
from classifier.selectors.model import card_of, model_card
from classifier.selectors.model_figures import model_limits, result_figures


def facts_of(analysis: Analysis) -> Facts:
    """Return the facts of an analysis.

    Args:
        analysis: as loaded for the reader; a sealed one has no facts.
    """
    card = card_of(analysis)
    has_result, has_site = bool(analysis.outcome), analysis.site_calibration_id is not None
    return Facts(
        result=analysis,
        failure=analysis.failure_message,
        shown=analysis.saliency_finding,
        place=_place(analysis),
        figures=result_figures(card, analysis, site_calibrated=has_site) if has_result and card is not None else (),
        limits=model_limits(card) if has_result and card is not None else (),
        model=f"{analysis.model_name} {analysis.model_version}".strip(),
    )


def image_of(scan: Scan) -> bytes:
    """Return the stored image of a scan, a PNG file without metadata."""
    with scan.image.open("rb") as file:
        return bytes(file.read())


def _place(analysis: Analysis) -> Place | None:
    """Return the place that the overlay shows, on the overlay's own scale; None if there is no overlay."""
    finding = analysis.saliency_finding
    if not finding:
        return None
    try:
        maps, card = class_maps(analysis), model_card(analysis.model_name)
    except (ClassMaps.DoesNotExist, ModelError):
        return None
    scale = None if card is None else card.saliency
    return evidence_place(class_evidence(maps, FINDINGS.index(finding), scale=scale))
