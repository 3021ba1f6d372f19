"""The numbers that a language model may mention, each as a reference that is rendered from the analysis.

A model writes `{{confidence}}`; people read "91%". A number that is not a reference never reaches the page.
"""

import re
from collections.abc import Mapping

from classifier.assistant.builtin import Facts
from classifier.findings import FINDINGS
from classifier.wording import percent, probability

REFERENCE = re.compile(r"\{\{\s*([a-z0-9_]{1,40})\s*\}\}")


def references_of(facts: Facts) -> dict[str, str]:
    """Return every reference of a result with the text that it is rendered as.

    Args:
        facts: of a succeeded analysis.
    """
    result = facts.result
    found: dict[str, str] = {}
    if result.confidence is not None:
        found["confidence"] = probability(result.confidence)
    if result.probabilities:
        found |= {f"p_{name}": probability(value) for name, value in zip(FINDINGS, result.probabilities, strict=True)}
        found["p_tumor"] = probability(1.0 - result.probabilities[FINDINGS.index("notumor")])
    rule = result.answer_rule
    if rule is not None:
        found |= {"threshold_finding": probability(rule["finding"]), "threshold_notumor": probability(rule["notumor"])}
        if rule["tumor"] is not None:
            found["threshold_tumor"] = probability(rule["tumor"])
    if facts.place is not None:
        found["extent"] = percent(max(facts.place.extent, 0.01))
    return found | {f"figure_{number}": figure["text"] for number, figure in enumerate(facts.figures, start=1)}


def render(text: str, references: Mapping[str, str]) -> str:
    """Return a text with its references replaced. Unknown ones are left out; `check` refuses them before."""
    return REFERENCE.sub(lambda match: references.get(match.group(1), ""), text)
