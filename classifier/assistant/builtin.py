"""The built-in explanation of a result: fixed sentences about measured facts. Works on plain data.

No language model takes part. Each number comes from the analysis, its class map, or the evaluation of the model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from classifier.advice import advice
from classifier.assistant.place import Area, Place
from classifier.evidence import Ground, ground
from classifier.explanation import reason
from classifier.findings import FINDING_LABELS, TUMOR, Outcome
from classifier.wording import SUCCEEDED, Result, percent, probability, sentence

PROVIDER = "built-in"
"""Name of the built-in explanation among the providers of explanations."""

MOST_AREAS = 3
"""Evidence in more places than this points to none of them, so the rest is only counted."""


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts that an explanation is made of.

    Attributes:
        result: The analysis.
        failure: Sentence of a failed analysis; else "".
        shown: The finding whose evidence the overlay shows; "" for none.
        place: Where that evidence lies; None if no place stands out.
        figures: What was measured of such results, each as `{"on": …, "text": …}`.
        limits: Weaknesses and excluded uses that the model card names.
        model: Name and version of the model.
    """

    result: Result
    failure: str = ""
    shown: str = ""
    place: Place | None = None
    figures: Sequence[Mapping[str, str]] = ()
    limits: Sequence[str] = ()
    model: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of an explanation: a heading, then paragraphs, then list items."""

    heading: str
    paragraphs: tuple[str, ...] = ()
    items: tuple[str, ...] = field(default=())


def explain(facts: Facts) -> list[Section]:
    """Return the explanation of a result, section by section.

    An analysis without a result gets one section that says so. A result that is closed to the reader (sealed first
    read) gets none: nothing is said about it.
    """
    result = facts.result
    if result.state != SUCCEEDED:
        return [Section("Result", (f"{sentence(result)}. There is no result to explain.", *_given(facts.failure)))]
    if not result.outcome:
        return []
    return [
        Section("Result", _answer(facts)),
        Section("Where the evidence lies", _location(facts)),
        Section("How reliable such results were", _none_measured(facts), _measured(facts)),
        Section("What the network cannot see", (_BLIND,), (*_blind_to(result), *facts.limits)),
        Section("What is usually done next", (_GENERAL, *_next(result))),
    ]


def markdown(sections: Sequence[Section]) -> str:
    """Return an explanation as one text in Markdown."""
    parts = []
    for section in sections:
        items = "\n".join(f"- {item}" for item in section.items)
        parts.append("\n\n".join(_given(f"## {section.heading}", *section.paragraphs, items)))
    return "\n\n".join(parts)


def _given(*texts: str) -> tuple[str, ...]:
    return tuple(text for text in texts if text)


def _answer(facts: Facts) -> tuple[str, ...]:
    result = facts.result
    said = f"{sentence(result)}."
    known = advice(result)
    by = f"The answer comes from the model {facts.model}, which read this single image." if facts.model else ""
    return (" ".join(_given(said, "" if known is None else known.meaning, reason(result), _in_words(result), by)),)


def _in_words(result: Result) -> str:
    """Return what the probability of an answer means."""
    if result.outcome != Outcome.CLASSIFIED or result.confidence is None:
        return ""
    of_100 = min(99, max(1, round(100 * result.confidence)))
    return (
        f"A calibrated probability of {probability(result.confidence)} says that about {of_100} of 100 such results "
        "should be right. The section “How reliable such results were” says how often they were."
    )


def _location(facts: Facts) -> tuple[str, ...]:
    result, place = facts.result, facts.place
    if result.outcome == Outcome.NOT_BRAIN_MRI:
        return ("The image was not classified, so there is no evidence for a finding to show.",)
    if not facts.shown:
        if result.finding == "notumor":
            return ("“No tumor” has no location: it is the absence of evidence for a tumor anywhere in the image.",)
        return ("No tumor is likely enough for its evidence to be shown.",)
    label = FINDING_LABELS[facts.shown]
    if facts.shown != result.finding:
        label = f"{label} (the most likely kind of tumor)"
    if place is None:
        return (f"No single place in the image stands out as evidence for {label}.",)
    return _given(
        f"The evidence for {label} is {place.strength}. {_areas(place)} In all, the evidence covers about "
        f"{_extent(place.extent)} of the picture. It does not outline a lesion, and its position is coarse.",
        _SIDES if place.names_side else "",
    )


def _extent(share: float) -> str:
    return "1%" if share < 0.01 else percent(share)


def _areas(place: Place) -> str:
    areas = place.areas
    if len(areas) == 1:
        return f"It lies in one area, {_position(areas[0])}."
    if len(areas) > MOST_AREAS:
        return f"It is spread over {len(areas)} areas. The strongest lies {_position(areas[0])}."
    further = "; another ".join(_position(area) for area in areas[1:])
    return f"It lies in {len(areas)} areas: the strongest {_position(areas[0])}; another {further}."


def _position(area: Area) -> str:
    if area.side == "middle":
        return "in the middle of the image" if area.height == "middle" else f"in the {area.height} middle of the image"
    if area.height == "middle":
        return f"on the {area.side} side of the image, at mid-height"
    return f"on the {area.side} side of the image, in its {area.height} part"


def _none_measured(facts: Facts) -> tuple[str, ...]:
    return () if facts.figures else ("The evaluation of the model version that ran is not installed.",)


def _measured(facts: Facts) -> tuple[str, ...]:
    return tuple(f"{figure['on']}: {figure['text']}" for figure in facts.figures)


def _blind_to(result: Result) -> tuple[str, ...]:
    own = {
        "glioma": "It cannot tell the grade or the molecular type of a glioma, nor a glioma from a metastasis, a "
        "lymphoma, or an abscess.",
        "meningioma": "It cannot tell the grade of a meningioma, nor a meningioma from a dural metastasis or another "
        "mass at the dura.",
        "pituitary": "It cannot tell a pituitary adenoma from another mass in the sellar region, and it knows nothing "
        "about hormones.",
        TUMOR: "It cannot tell the kind of the tumor, and its list of kinds is short.",
        "notumor": "A small lesion, a lesion outside this slice, or one that does not show in this sequence can be "
        "missed.",
    }
    return _given(own.get(result.finding, ""), *_EVER)


def _next(result: Result) -> tuple[str, ...]:
    if result.outcome == Outcome.UNCERTAIN:
        split = ground(outcome=result.outcome, finding="", probabilities=result.probabilities) is Ground.SPLIT
        between = "the findings that remain possible" if split else "the leading finding and the others"
        return (
            "An uncertain answer is not a finding. Usually, other slices and sequences of the same examination are "
            f"read, contrast-enhanced T1 first, and a neuroradiologist decides between {between}.",
        )
    if result.outcome == Outcome.NOT_BRAIN_MRI:
        return (
            "Usually, the file is checked: it may be another body part, another modality, a screenshot, or an image "
            "with a frame or text. A brain MR slice exported by itself can be uploaded again.",
        )
    return (_NEXT[result.finding],)


_BLIND = "The network reads one image without knowing the patient."
_EVER = (
    "It does not see the neighboring slices, other sequences, earlier examinations, symptoms, age, or treatment.",
    "It knows three kinds of tumors. Metastases, hemorrhage, infarction, inflammation, and other diseases are not "
    "among its answers; it can report them as “no tumor” or as one of the three tumors.",
)
_SIDES = (
    "“Left” and “right” are sides of the image as it is shown. In axial and coronal images that follow the "
    "radiological convention, the left side of the image is the patient's right. BrainScan does not know "
    "whether this image does."
)
_GENERAL = "In general terms, and not as a recommendation for this patient:"
_NEXT: dict[str, str] = {
    "glioma": (
        "A suspected glioma is usually examined with a full MR protocol with and without contrast, often with "
        "diffusion and perfusion, and read by a neuroradiologist. A multidisciplinary tumor board discusses the case. "
        "Type and grade are determined from tissue."
    ),
    "meningioma": (
        "A suspected meningioma is usually examined with contrast-enhanced MR for its attachment to the dura, its "
        "relation to vessels and sinuses, and edema, and read by a neuroradiologist. Depending on size, growth, and "
        "symptoms, it is followed with repeated imaging or discussed by a multidisciplinary tumor board."
    ),
    "pituitary": (
        "A suspected pituitary tumor is usually examined with thin coronal and sagittal slices of the sellar region "
        "with and without contrast. Hormones and the visual field are tested, and endocrinology, ophthalmology, and "
        "neurosurgery decide together."
    ),
    TUMOR: (
        "If the kind of a suspected tumor is unclear, a full MR protocol with and without contrast is usually read "
        "by a neuroradiologist, who also considers kinds that this network does not know, such as metastases. A "
        "multidisciplinary tumor board discusses the case. The kind is often determined from tissue."
    ),
    "notumor": (
        "A slice without a visible tumor does not settle the question. Usually, the whole examination is read, and "
        "symptoms decide whether other sequences, contrast, or a later examination are needed."
    ),
}
