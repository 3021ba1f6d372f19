"""Ask a language model for an explanation and keep what agrees with the analysis."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from classifier.assistant import llm
from classifier.assistant.builtin import Facts
from classifier.assistant.check import check, complete_sentences, said_of_blocked
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
    connection: Connection,
    *,
    facts: Facts,
    context: Mapping[str, Any],
    image: bytes | None = None,
    write: Callable[[str], None] | None = None,
) -> Explained:
    """Return a checked explanation of a result.

    Args:
        connection: the provider.
        facts: of the analysis.
        context: what is sent about it.
        image: PNG file to send; None sends none, and statements about the picture are left out.
        write: called with the text while it grows: its finished sentences, checked and rendered like those of the whole
            answer. It gets "" if nothing of the answer is to be shown yet, or any more. None asks for no pieces.

    Raises:
        ProviderFailed: if there is no usable answer.
    """
    prompt = data_of(context, has_image=image is not None)
    keep = partial(_keep, facts=facts, references=references_of(facts), has_image=image is not None)
    growing = None if write is None else _writer(write, keep)
    return keep(llm.explain(connection, instructions=EXPLAIN, prompt=prompt, image=image, write=growing))


def finished_parts(content: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of a growing answer without the last sentence of each part that may go on.

    A model writes one part after the other, so a part that stands still while another one grows is finished.

    Args:
        content: the parts as far as they are written.
        before: the parts as they were before. They differ from `content`.
    """
    found: dict[str, Any] = {}
    for part, said in content.items():
        if said == before.get(part):
            found[part] = said
        elif isinstance(said, str):
            found[part] = complete_sentences(said)
        elif said:
            found[part] = [*said[:-1], complete_sentences(said[-1])]
    return found


def _writer(write: Callable[[str], None], keep: Callable[[llm.Answer], Explained]) -> Callable[[dict[str, Any]], None]:
    """Return a function that takes the parts of a growing answer and writes what of them can be shown."""
    before: dict[str, Any] = {}
    written = ""

    def grow(content: dict[str, Any]) -> None:
        nonlocal before, written
        if content == before:
            return
        kept = keep(llm.Answer(finished_parts(content, before)))
        before = content
        text = kept.text() if kept.parts else ""
        if text != written:
            write(text)
            written = text

    return grow


def _keep(answer: llm.Answer, *, facts: Facts, references: Mapping[str, str], has_image: bool) -> Explained:
    """Return what of an answer agrees with the analysis."""
    explained = Explained(answer)
    kept: dict[str, list[str]] = {}
    for part in HEADINGS:
        if part == "picture" and not has_image:
            # Without the image, statements about it are invented.
            continue
        said = answer.content.get(part) or ()
        for item in [said] if isinstance(said, str) else said:
            checked = check(item, facts=facts, references=references, asserts=part in ASSERTING)
            explained.blocked += checked.blocked
            if checked.text:
                kept.setdefault(part, []).append(render(checked.text, references))
    if "summary" in kept:
        explained.parts, explained.statements = parts_of(kept, has_image=has_image)
    return explained
