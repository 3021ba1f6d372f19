"""The agreement between the answers of several models, in words. Works on plain data, for every edge."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from classifier.findings import FINDING_LABELS, TUMOR, TUMORS, Outcome
from classifier.wording import SUCCEEDED, Result


class Agreement(StrEnum):
    """How far several answers agree, worst last."""

    FULL = "full"
    """All models give the same answer."""
    PARTIAL = "partial"
    """Those that report a finding agree; others are uncertain or refuse the image."""
    KIND = "kind"
    """All that report a finding see a tumor, but of different kinds."""
    PRESENCE = "presence"
    """Some see a tumor and others none."""


def agreement(results: Mapping[str, Result]) -> Agreement | None:
    """Return how far the models agree; None while fewer than two have an answer.

    Args:
        results: Result of each model by its name. One that has not succeeded, or is closed to the
            reader, has no answer.
    """
    answers = list(_answers(results).values())
    if len(answers) < 2:
        return None
    findings = {answer for answer in answers if answer in FINDING_LABELS}
    if _sees_tumor(findings) and findings - {*TUMORS, TUMOR}:
        return Agreement.PRESENCE
    if len(findings) > 1:
        return Agreement.KIND
    return Agreement.FULL if len(set(answers)) == 1 else Agreement.PARTIAL


def agreement_sentence(results: Mapping[str, Result]) -> str:
    """Return the agreement as a sentence that names the models; "" while fewer than two have an answer."""
    kind, answers = agreement(results), _answers(results)
    if kind is None:
        return ""
    if kind is Agreement.FULL:
        return f"{_all(len(answers))} agree: {_label(next(iter(answers.values())))}."
    groups: dict[str, list[str]] = {}
    for name, answer in answers.items():
        groups.setdefault(answer, []).append(name)
    parts = "; ".join(
        f"{_label(answer)}: {_join(names)}" for answer, names in sorted(groups.items(), key=lambda g: -len(g[1]))
    )
    return f"{_OPENING[kind].format(all=_all(len(answers)))} {parts[:1].upper()}{parts[1:]}."


_OPENING: dict[Agreement, str] = {
    Agreement.PARTIAL: "Not all models report a finding.",
    Agreement.KIND: "The models see a tumor but differ on its kind.",
    Agreement.PRESENCE: "The models disagree on whether there is a tumor.",
}


def _answers(results: Mapping[str, Result]) -> dict[str, str]:
    """Return what each model says: a finding, or an outcome without one."""
    return {
        name: result.finding if result.outcome == Outcome.CLASSIFIED else result.outcome
        for name, result in results.items()
        if result.state == SUCCEEDED and result.outcome
    }


def _sees_tumor(findings: set[str]) -> bool:
    return not findings.isdisjoint({*TUMORS, TUMOR})


def _label(answer: str) -> str:
    return FINDING_LABELS.get(answer) or _OUTCOMES[answer]


_OUTCOMES: dict[str, str] = {Outcome.UNCERTAIN: "uncertain", Outcome.NOT_BRAIN_MRI: "not a brain MR image"}


def _all(number: int) -> str:
    return "Both models" if number == 2 else f"All {number} models"


def _join(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
