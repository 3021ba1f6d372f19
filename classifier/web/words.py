"""What an analysis says, in sentences. Outcomes are words before they are figures."""

from collections.abc import Sequence
from dataclasses import dataclass

from classifier.findings import FINDING_LABELS, TUMOR, Outcome
from classifier.inference.calibration import display_percent
from classifier.models import Analysis

NBSP = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do after reading a result.

    Attributes:
        meaning: what the outcome says and what it does not.
        steps: what to do next, in order.
    """

    meaning: str
    steps: tuple[str, ...]


def percent(probability: float) -> str:
    """Return a probability in [0, 1] as whole per cent, never 0 or 100: "91 %", "<1 %", ">99 %"."""
    if probability < 0.01:
        return f"<1{NBSP}%"
    if probability > 0.99:
        return f">99{NBSP}%"
    return f"{display_percent(probability)}{NBSP}%"


def mark_of(analysis: Analysis | None) -> str:
    """Return the name of the mark that stands beside the result: a finding, an outcome or a state."""
    if analysis is None:
        return Analysis.State.CANCELLED
    if analysis.state != Analysis.State.SUCCEEDED:
        return analysis.state
    return analysis.finding if analysis.outcome == Outcome.CLASSIFIED else analysis.outcome


def sentence(analysis: Analysis | None) -> str:
    """Return the result as a sentence with its probability.

    "Probably meningioma (91%)", or "Probably a tumor (96%), kind uncertain: meningioma or glioma".
    """
    words = short_sentence(analysis)
    if analysis is None or analysis.outcome != Outcome.CLASSIFIED:
        return words
    words = f"{words} ({percent(analysis.confidence or 0.0)})"
    if analysis.finding == TUMOR:
        return f"{words}, kind uncertain: {_either(analysis.likeliest_kinds)}"
    return words


def short_sentence(analysis: Analysis | None) -> str:
    """Return the result as a sentence without figures, for lists that show them in a column of their own."""
    if analysis is None:
        return "Not analysed"
    if analysis.state != Analysis.State.SUCCEEDED:
        return _STATES[analysis.state]
    if analysis.outcome == Outcome.NOT_BRAIN_MRI:
        return "This does not look like a brain MR image"
    if analysis.outcome == Outcome.UNCERTAIN:
        return f"Uncertain: {alternatives(analysis)}"
    if analysis.finding == "notumor":
        return "No tumor seen"
    if analysis.finding == TUMOR:
        return "Probably a tumor"
    return f"Probably {FINDING_LABELS[analysis.finding]}"


def alternatives(analysis: Analysis) -> str:
    """Return the findings that remain possible, the likeliest first: "glioma, meningioma or no tumor"."""
    if len(analysis.possible_findings) < 2:
        return f"perhaps {_either(analysis.possible_findings) or 'none of the four findings'}"
    return _either(analysis.possible_findings)


def _either(findings: Sequence[str]) -> str:
    """Return the names of findings as a choice: "glioma, meningioma or no tumor"."""
    labels = [FINDING_LABELS[name] for name in findings]
    return " or ".join(part for part in (", ".join(labels[:-1]), *labels[-1:]) if part)


def badge(analysis: Analysis | None) -> str:
    """Return the result in one to four words, for badges."""
    if analysis is None:
        return "Not analysed"
    if analysis.state != Analysis.State.SUCCEEDED:
        return analysis.get_state_display()
    if analysis.outcome == Outcome.CLASSIFIED:
        return FINDING_LABELS[analysis.finding].capitalize()
    return analysis.get_outcome_display()


def waiting(position: int) -> str:
    """Return how long the queue is for an analysis at `position`, 1 being the next."""
    if position <= 1:
        return "Next in the queue"
    return f"Number {position} in the queue"


def duration(milliseconds: float | None) -> str:
    """Return a time for people: "85 ms", "1.4 s"; "" for `None`."""
    if milliseconds is None:
        return ""
    if milliseconds < 1000:
        return f"{max(1, round(milliseconds))}{NBSP}ms"
    return f"{milliseconds / 1000:.1f}{NBSP}s"


def advice(analysis: Analysis) -> Advice | None:
    """Return what to do next after a succeeded analysis; `None` for any other."""
    if analysis.outcome == Outcome.CLASSIFIED:
        return {"notumor": _NO_TUMOR, TUMOR: _TUMOR_OF_UNKNOWN_KIND}.get(analysis.finding, _TUMOR)
    if analysis.outcome == Outcome.UNCERTAIN:
        return _UNCERTAIN
    return _NOT_BRAIN_MRI if analysis.outcome == Outcome.NOT_BRAIN_MRI else None


_STATES: dict[str, str] = {
    Analysis.State.QUEUED: "Waiting for its analysis",
    Analysis.State.RUNNING: "Being analysed",
    Analysis.State.FAILED: "The analysis failed",
    Analysis.State.CANCELLED: "The analysis was cancelled",
}

_TUMOR = Advice(
    meaning="Of the four findings it knows, the network finds this one the likeliest in this one image.",
    steps=(
        "Read the image yourself before you look at the overlay again: it shows where the evidence lies, not "
        "where the lesion ends.",
        "Compare with the neighbouring slices and the other sequences; the network has seen none of them.",
        "Have a neuroradiologist confirm or reject it. A confident answer can be wrong.",
    ),
)
_TUMOR_OF_UNKNOWN_KIND = Advice(
    meaning="The network sees a tumor in this one image but cannot tell its kind.",
    steps=(
        "Read the image yourself before you look at the overlay again: it shows where the evidence lies, not "
        "where the lesion ends.",
        "Upload other slices or a contrast-enhanced T1 series of the same patient; the kind is most often told there.",
        "Have a neuroradiologist confirm or reject the tumor and name its kind. A confident answer can be wrong.",
    ),
)
_NO_TUMOR = Advice(
    meaning="The network sees none of its three tumor types in this one image. That does not rule out a tumor.",
    steps=(
        "Look at the neighbouring slices: a small lesion may not be in this one.",
        "Remember what it was not trained for: metastases, bleeding, infarction and other disease are all called "
        "“no tumor”.",
        "Let symptoms and the full examination decide, not this result.",
    ),
)
_UNCERTAIN = Advice(
    meaning="The evidence is split. Do not rely on any of the four probabilities.",
    steps=(
        "Upload another slice or sequence of the same patient; a contrast-enhanced T1 slice through the lesion "
        "tells most.",
        "Check that the image is upright, uncropped and free of annotations.",
        "If it stays uncertain, leave the network out of the decision and ask a neuroradiologist.",
    ),
)
_NOT_BRAIN_MRI = Advice(
    meaning="No finding is named, because one would mean nothing for an image of this kind.",
    steps=(
        "Check that you chose the right file.",
        "If it is a brain MR image, export the slice itself: not inverted, no screenshot, no frame, no text.",
        "Upload the new file. This one can be deleted.",
    ),
)
