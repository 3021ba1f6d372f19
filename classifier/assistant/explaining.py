"""Ask a language model for an explanation and keep what agrees with the analysis."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from classifier.assistant import llm
from classifier.assistant.builtin import Facts
from classifier.assistant.check import check, said_of_blocked
from classifier.assistant.prompts import EXPLAIN, data_of
from classifier.assistant.references import references_of, render
from classifier.assistant.statements import HEADINGS, Part, markdown_of, parts_of
from classifier.services.assistant import Connection

# Here the text says what the result or the picture is; the other parts may discuss other findings.
ASSERTING = ("summary", "picture")


@dataclass(slots=True)
class Explained:
    """A checked explanation.

    Attributes:
        answer: the model's own.
        parts: what agrees with the analysis, as `classifier.assistant.statements` has it; empty if the summary does
            not.
        statements: its statements about the picture.
        blocked: the reason of each sentence that was removed.
    """

    answer: llm.Answer
    parts: list[Part] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)
    blocked: list[str] = field(default_factory=list)

    def text(self, marks: list[str] | None = None) -> str:
        """Return the explanation as Markdown; without marks, statements about the picture are "not checked"."""
        return markdown_of(self.parts, marks=marks or (), note=said_of_blocked(self.blocked))


def explain(
    connection: Connection, *, facts: Facts, context: Mapping[str, Any], image: bytes | None = None
) -> Explained:
    """Return a checked explanation of a result.

    Args:
        connection: the provider.
        facts: of the analysis.
        context: what is sent about it.
        image: PNG file to send; None sends none, and statements about the picture are left out.

    Raises:
        ProviderFailed: if there is no usable answer.
    """
    prompt = data_of(context, has_image=image is not None)
    explained = Explained(llm.explain(connection, instructions=EXPLAIN, prompt=prompt, image=image))
    references = references_of(facts)
    kept: dict[str, list[str]] = {}
    for part in HEADINGS:
        if part == "picture" and image is None:
            # Without the image, statements about it are invented.
            continue
        said = explained.answer.content.get(part) or ()
        for item in [said] if isinstance(said, str) else said:
            checked = check(item, facts=facts, references=references, asserts=part in ASSERTING)
            explained.blocked += checked.blocked
            if checked.text:
                kept.setdefault(part, []).append(render(checked.text, references))
    if "summary" in kept:
        explained.parts, explained.statements = parts_of(kept, has_image=image is not None)
    return explained
