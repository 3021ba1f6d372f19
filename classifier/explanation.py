"""Explain an answer in sentences: which threshold applies, and which findings remain possible."""

from collections.abc import Sequence

from classifier.evidence import AnswerRule, Ground, ground, leaders
from classifier.findings import FINDING_LABELS, FINDINGS, TUMORS, ranked
from classifier.wording import Result, percent, probability, remaining_findings

DIGITS = 4
"""Decimals up to which two probabilities are told apart; analyses store six digits of a share."""


def reason(result: Result) -> str:
    """Return why the answer is what it is, with the threshold; "" without probabilities.

    "No tumor 87%, below the 94% that this model requires to report no tumor."
    """
    values = result.probabilities
    why = ground(outcome=result.outcome, finding=result.finding, probabilities=values)
    if why is None or values is None:
        return ""
    rule, first = result.answer_rule, ranked(values)[0]
    if why is Ground.SPLIT:
        names = [f"{FINDING_LABELS[name]} {_shown(values, name)}" for name in leaders(values)]
        return f"The evidence is split: {', '.join(names)}. {_requirement(first, rule)}"
    if rule is None:
        return "" if why is Ground.REACHED else f"{_label(first)} {_shown(values, first)}. {_requirement(first, rule)}"
    if why is Ground.UNKNOWN_KIND:
        return (
            f"A tumor of any kind {at_least(_any_tumor(values), rule['tumor'] or 0.0)} that this model requires to "
            f"report a tumor. {_label(first)} {below(_value(values, first), rule['finding'])} required to name its "
            "kind."
        )
    named = result.finding if why is Ground.REACHED else first
    needed = rule["notumor"] if named == "notumor" else rule["finding"]
    compare = at_least if why is Ground.REACHED else below
    return f"{_label(named)} {compare(_value(values, named), needed)} that this model requires to {_act(named)}."


def remaining_reasons(result: Result) -> list[str]:
    """Return for each finding, most probable first, why it remains possible or not; [] if the rule is not known."""
    values, rule = result.probabilities, result.answer_rule
    if not values or rule is None:
        return []
    listed = remaining_findings(result)
    return [_remaining_reason(name, values, listed=listed, rule=rule) for name in ranked(values)]


def below(value: float, limit: float) -> str:
    """Return "87%, below the 94%", with as many decimals as tell the two apart."""
    shown, needed = _apart(value, limit)
    return f"{shown}, just below the {needed}" if shown == needed else f"{shown}, below the {needed}"


def at_least(value: float, limit: float) -> str:
    """Return "98%, at least the 94%"."""
    return f"{probability(value)}, at least the {probability(limit)}"


def _remaining_reason(name: str, values: Sequence[float], *, listed: Sequence[str], rule: AnswerRule) -> str:
    value, needed, label = _value(values, name), rule["possible"][name], _label(name)
    if name not in listed:
        return f"{label} {below(value, needed)} from which it remains possible."
    if value >= needed:
        return f"{label} {at_least(value, needed)} from which it remains possible."
    if len(listed) == 1:
        return f"{label} {probability(value)}, possible because it is the most probable finding."
    return f"{label} {probability(value)}, listed because {FINDING_LABELS[listed[-1]]}, no more probable, is."


def _requirement(first: str, rule: AnswerRule | None) -> str:
    if rule is None:
        return "No finding reaches the probability that the model requires."
    if first == "notumor":
        return f"This model requires {probability(rule['notumor'])} to report no tumor."
    text = f"This model requires {probability(rule['finding'])} to name a kind of tumor"
    if rule["tumor"] is not None:
        text += f", or {probability(rule['tumor'])} for a tumor of any kind"
    return f"{text}."


def _act(name: str) -> str:
    return "report no tumor" if name == "notumor" else "name a kind of tumor"


def _apart(value: float, limit: float) -> tuple[str, str]:
    """Return two probabilities with as many decimals as tell them apart, up to `DIGITS`."""
    shown = probability(value), probability(limit)
    for digits in range(1, DIGITS + 1):
        if shown[0] != shown[1]:
            break
        shown = percent(value, digits=digits), percent(limit, digits=digits)
    return shown


def _label(name: str) -> str:
    return FINDING_LABELS[name].capitalize()


def _shown(values: Sequence[float], name: str) -> str:
    return probability(_value(values, name))


def _value(values: Sequence[float], name: str) -> float:
    return values[FINDINGS.index(name)]


def _any_tumor(values: Sequence[float]) -> float:
    return sum(_value(values, name) for name in TUMORS)
