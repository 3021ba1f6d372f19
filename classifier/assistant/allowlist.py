"""The fields of a scan that may be sent to a provider. Nothing else is read when a request to a provider is made.

Each field is a function of the facts of one result. Notes, the patient reference, file names, people's names, dates,
comments, and identifiers are not fields, so they cannot be sent.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from classifier.assistant.builtin import Facts
from classifier.assistant.references import references_of
from classifier.findings import FINDING_LABELS, Outcome
from classifier.wording import remaining_findings, short_sentence

Reviews = Sequence[Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a request.

    Attributes:
        key: name in the request and in the audit.
        label: words for people.
        read: returns the value from the facts of a result and from its reviews; None leaves the field out.
    """

    key: str
    label: str
    read: Callable[[Facts, Reviews], Any]


IMAGE = "image"
"""Key of the picture, which is sent only if staff allow it for the provider and the person asks for it."""
IMAGE_LABEL = "The image: its pixels without metadata, if you allow it and the person includes it"
CHECK_LABEL = (
    "If its statements about the image are checked: these statements with the fields above, a blank picture, and the "
    "image with left and right exchanged"
)
QUESTION = "question"
QUESTION_LABEL = "In a conversation: the questions that the person types, and the answers before"

NEVER = (
    "Patient reference, notes, file names",
    "Names of people and teams, comments in reviews",
    "Dates, identifiers, other scans, reports",
)
"""What is never sent, for people."""


def _outcome(facts: Facts, _: Reviews) -> str:
    return short_sentence(facts.result)


def _finding(facts: Facts, _: Reviews) -> str | None:
    return FINDING_LABELS[facts.result.finding] if facts.result.finding else None


def _possible(facts: Facts, _: Reviews) -> list[str] | None:
    if facts.result.outcome not in (Outcome.CLASSIFIED, Outcome.UNCERTAIN):
        return None
    return [FINDING_LABELS[name] for name in remaining_findings(facts.result)]


def _numbers(facts: Facts, _: Reviews) -> dict[str, str]:
    return references_of(facts)


def _evidence(facts: Facts, _: Reviews) -> dict[str, Any] | None:
    if facts.place is None or not facts.shown:
        return None
    return {
        "for": FINDING_LABELS[facts.shown],
        "strength": facts.place.strength,
        "areas": [{"side_of_the_image": area.side, "height": area.height} for area in facts.place.areas[:3]],
    }


def _model(facts: Facts, _: Reviews) -> str:
    return facts.model


def _limits(facts: Facts, _: Reviews) -> list[str]:
    return list(facts.limits)


def _readings(_: Facts, reviews: Reviews) -> list[dict[str, str]] | None:
    return [dict(review) for review in reviews] or None


FIELDS: tuple[Field, ...] = (
    Field("outcome", "The answer as a sentence, for example “Probably glioma”", _outcome),
    Field("finding", "The reported finding", _finding),
    Field("possible_findings", "The findings that remain possible", _possible),
    Field("numbers", "Probabilities, thresholds, extent of the evidence, figures of the model's evaluation", _numbers),
    Field("evidence", "Side, height, and strength of the evidence", _evidence),
    Field("model", "Name and version of the network", _model),
    Field("limits", "Limits that the model card names", _limits),
    Field("reviews", "Verdict, finding, and certainty of reviews, without names and comments", _readings),
)
"""Every field that a request can contain besides the image and what a person asks."""


def context_of(facts: Facts, reviews: Reviews = ()) -> dict[str, Any]:
    """Return what is sent about a result: the fields that have a value, by key."""
    values = {field.key: field.read(facts, reviews) for field in FIELDS}
    return {key: value for key, value in values.items() if value not in (None, "", [], {})}
