"""Advice to the reader of a result. Works on plain data, for every edge."""

from dataclasses import dataclass

from classifier.evidence import Ground, ground
from classifier.findings import TUMOR, Outcome
from classifier.wording import Result


@dataclass(frozen=True, slots=True)
class Advice:
    """Advice to the reader of a result.

    Attributes:
        meaning: What the outcome says and what it does not.
        steps: What to do next, in order.
    """

    meaning: str
    steps: tuple[str, ...]


def advice(result: Result, *, has_overlay: bool = True) -> Advice | None:
    """Return what to do next after a succeeded analysis; None for any other.

    Args:
        result: The result of the analysis.
        has_overlay: Whether an overlay is shown beside it.
    """
    if result.outcome == Outcome.NOT_BRAIN_MRI:
        return _NOT_BRAIN_MRI
    if result.outcome == Outcome.UNCERTAIN:
        reason = ground(outcome=result.outcome, finding="", probabilities=result.probabilities)
        meaning = _SPLIT if reason is Ground.SPLIT else _BELOW
        return Advice(meaning=f"{meaning} Do not rely on any of the four probabilities.", steps=_UNCERTAIN_STEPS)
    if result.outcome != Outcome.CLASSIFIED:
        return None
    if result.finding == "notumor":
        return _NO_TUMOR
    found = _TUMOR_OF_UNKNOWN_KIND if result.finding == TUMOR else _TUMOR
    return Advice(meaning=found.meaning, steps=(_READ_FIRST if has_overlay else _READ_IMAGE, *found.steps))


_READ_FIRST = (
    "Read the image alone first, then with the overlay. The overlay shows where the evidence lies, not where the "
    "lesion ends."
)
_READ_IMAGE = "Read the image yourself. No single place in it stands out, so there is no overlay to compare with."
_TUMOR = Advice(
    meaning="Of the four findings, the network considers this one the most likely in this single image.",
    steps=(
        "Compare with the neighboring slices and the other sequences; the network has seen none of them.",
        "Have a neuroradiologist confirm or reject the finding. A confident answer can be wrong.",
    ),
)
_TUMOR_OF_UNKNOWN_KIND = Advice(
    meaning="The network sees a tumor in this single image but cannot determine its kind.",
    steps=(
        "Upload other slices or a contrast-enhanced T1 series of the same patient, which often shows the kind.",
        "Have a neuroradiologist confirm or reject the tumor and determine its kind. A confident answer can be wrong.",
    ),
)
_NO_TUMOR = Advice(
    meaning="The network sees none of its three tumor types in this single image. That does not rule out a tumor.",
    steps=(
        "Look at the neighboring slices: a small lesion may not be visible in this one.",
        "Keep in mind what the network was not trained for: metastases, hemorrhage, infarction, and other diseases "
        "are all reported as “no tumor”.",
        "Rely on the symptoms and the full examination, not on this result.",
    ),
)
_SPLIT = "The evidence is split between several findings."
_BELOW = "The most probable finding does not reach the probability that this model requires."
_UNCERTAIN_STEPS = (
    "Upload another slice or sequence of the same patient. A contrast-enhanced T1 slice through the lesion is "
    "most informative.",
    "Check that the image is upright, uncropped, and free of annotations.",
    "If the result remains uncertain, disregard it and ask a neuroradiologist.",
)
_NOT_BRAIN_MRI = Advice(
    meaning="No finding is reported, because a finding would be meaningless for this kind of image.",
    steps=(
        "Check that you chose the right file.",
        "If it is a brain MR image, export the slice itself: not inverted, and without a frame or text. Do not use a "
        "screenshot.",
        "Upload the new file. You can delete this one.",
    ),
)
