"""Sentences and figures about an analysis. Works on plain data, for every edge."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from classifier.evidence import AnswerRule
from classifier.findings import FINDING_LABELS, TUMOR, Outcome, likely_kinds, remaining
from classifier.input_problems import EDGE, WITHHELD, blocking

NBSP = "\N{NO-BREAK SPACE}"

SUCCEEDED, CANCELLED = "succeeded", "cancelled"
STATE_LABELS: dict[str, str] = {
    "queued": "Queued",
    "running": "Running",
    SUCCEEDED: "Succeeded",
    "failed": "Failed",
    CANCELLED: "Canceled",
}
"""Every state of an analysis in one word."""

BATCH_LABELS: dict[str, str] = {
    "tumor": "tumor",
    "notumor": "no tumor seen",
    "uncertain": "uncertain",
    "not_brain_mri": "not a brain MR image",
    "check": "with an image to check",
    "unread": "unread",
    "waiting": "waiting",
    "failed": "failed",
    "cancelled": "canceled",
    "refused": "refused",
    "gone": "deleted or not visible to you",
}
"""Possible states of a file of a batch, in the order of a summary."""

SEALED = "sealed"
"""Mark of a result that is closed to the reader: a succeeded analysis without an outcome."""


class Result(Protocol):
    """Fields of an analysis that the sentences need. `Analysis` rows satisfy it; so does `ResultData`.

    Attributes:
        state: A key of `STATE_LABELS`.
        outcome: A key of `OUTCOME_LABELS` if succeeded; else "". Also "" if the result is closed to the reader
            (sealed first read).
        finding: One of `ANSWERS` if classified; else "".
        probabilities: Calibrated, in [0, 1], in the order of `FINDINGS`; None without any.
        possible_findings: Findings that remain possible, most probable first.
        confidence: Probability of what is said, in [0, 1]; None without any.
        answer_rule: The thresholds that the answer was given with; None if they are not known.
        input_codes: Problems of the image that the input check found and nobody has overruled.
    """

    @property
    def state(self) -> str: ...  # noqa: D102
    @property
    def outcome(self) -> str: ...  # noqa: D102
    @property
    def finding(self) -> str: ...  # noqa: D102
    @property
    def probabilities(self) -> Sequence[float] | None: ...  # noqa: D102
    @property
    def possible_findings(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def confidence(self) -> float | None: ...  # noqa: D102
    @property
    def answer_rule(self) -> AnswerRule | None: ...  # noqa: D102
    @property
    def input_codes(self) -> Sequence[str]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class ResultData:
    """A result outside the database. See `Result` for the attributes."""

    outcome: str
    finding: str = ""
    probabilities: Sequence[float] | None = None
    possible_findings: Sequence[str] = ()
    confidence: float | None = None
    state: str = SUCCEEDED
    answer_rule: AnswerRule | None = None
    input_codes: Sequence[str] = ()


def percent(share: float, *, digits: int = 0) -> str:
    """Return a measured share as percent: 0.954 is "95%", or "95.4%" with one digit.

    Only none is 0%, and only all is 100%: 0.9996 with one digit is ">99.9%".
    """
    least = 10**-digits
    if 0 < share < 1:
        if float(f"{100 * share:.{digits}f}") == 0:
            return f"<{least:.{digits}f}%"
        if float(f"{100 * share:.{digits}f}") == 100:
            return f">{100 - least:.{digits}f}%"
    return f"{100 * share:.{digits}f}%"


def exact_percent(share: float) -> str:
    """Return a share that a person stated as percent, as precise as it is: 0.95 is "95%", 0.99996 is "99.996%"."""
    return f"{100 * share:.10g}%"


def probability(value: float) -> str:
    """Return a probability in [0, 1] as whole percent: "91%", "<1%", ">99%".

    Never 0% or 100%: test sets are too small to tell 99% from certainty.
    """
    if value < 0.01:
        return "<1%"
    return ">99%" if value > 0.99 else percent(value)


def interval(low: float, high: float, *, digits: int = 0, is_share: bool = True) -> str:
    """Return the bounds of a figure that is never negative: "81–93" for a share in percent, "0.93–0.99" for another."""
    factor = 100 if is_share else 1
    return f"{factor * low:.{digits}f}–{factor * high:.{digits}f}"


def signed_interval(low: str, high: str) -> str:
    """Return bounds that may carry a sign, which a dash would hide: "−0.20 to 0.49"."""
    return f"{low} to {high}"


def with_interval(
    value: float, low: float | None, high: float | None, *, digits: int = 0, is_share: bool = True
) -> str:
    """Return a figure with its interval: "86.7% (80.2–92.7)", "0.964 (0.934–0.986)"; alone if a bound is None."""
    text = percent(value, digits=digits) if is_share else f"{value:.{digits}f}"
    if low is None or high is None:
        return text
    return f"{text} ({interval(low, high, digits=digits, is_share=is_share)})"


def duration(milliseconds: float | None) -> str:
    """Return a time as "85 ms", "1.4 s" or, from two minutes on, "12 min"; "" for None."""
    if milliseconds is None:
        return ""
    if milliseconds < 1000:
        return f"{max(1, round(milliseconds))}{NBSP}ms"
    if milliseconds < 120_000:
        return f"{milliseconds / 1000:.1f}{NBSP}s"
    return f"{milliseconds / 60_000:,.0f}{NBSP}min"


def megabytes(size: int) -> str:
    """Return a size in bytes as whole megabytes: "20 MB"."""
    return f"{size // 2**20} MB"


def ordinal(number: int) -> str:
    """Return a positive number with its English suffix: "1st", "12th", "23rd"."""
    suffix = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"


def queue_place(position: int) -> str:
    """Return the place of a queued analysis in words; position 1 is next."""
    return "Next in the queue" if position <= 1 else f"{ordinal(position)} in the queue"


def choice(names: Sequence[str]) -> str:
    """Return findings as a choice: "glioma or meningioma", "glioma, meningioma, or no tumor"; "" for none."""
    labels = [FINDING_LABELS[name] for name in names]
    if len(labels) < 3:
        return " or ".join(labels)
    return f"{', '.join(labels[:-1])}, or {labels[-1]}"


def sentence(result: Result | None) -> str:
    """Return the result as a sentence with its probability.

    "Probably meningioma (91%)", or "Probably a tumor (96%), kind uncertain: meningioma or glioma".
    """
    if result is None or result.outcome != Outcome.CLASSIFIED or withheld(result):
        return short_sentence(result)
    return f"{_answer(result)} ({probability(result.confidence or 0.0)}){_kinds(result)}"


def short_sentence(result: Result | None) -> str:
    """Return the words of `sentence` without the probability, for lists that have a column for it."""
    if result is None:
        return "Not analyzed"
    if result.state != SUCCEEDED:
        return _STATE_SENTENCES[result.state]
    if withheld(result):
        return WITHHELD[blocking(result.input_codes)]
    if not result.outcome:
        return "Ready for your first read"
    if result.outcome == Outcome.NOT_BRAIN_MRI and EDGE in result.input_codes:
        return WITHHELD[EDGE]
    if result.outcome == Outcome.NOT_BRAIN_MRI:
        return "This does not look like a brain MR image"
    if result.outcome == Outcome.UNCERTAIN:
        return f"Uncertain: {alternatives(result)}"
    return f"{_answer(result)}{_kinds(result)}"


def _answer(result: Result) -> str:
    """Return what a classified result says, without probability and kinds."""
    if result.finding == "notumor":
        return "No tumor seen"
    return "Probably a tumor" if result.finding == TUMOR else f"Probably {FINDING_LABELS[result.finding]}"


def _kinds(result: Result) -> str:
    """Return the end of the sentence about a tumor of unknown kind; "" for any other finding."""
    if result.finding != TUMOR:
        return ""
    kinds = likely_kinds(result.probabilities, remaining_findings(result))
    return f", kind uncertain: {'possibly ' if len(kinds) == 1 else ''}{choice(kinds)}"


def withheld(result: Result | None) -> bool:
    """Return whether the answer is withheld because of a problem of the image: a confident answer may be wrong."""
    # An analysis that was loaded for a person has lost such an answer already.
    if getattr(result, "withheld", False):
        return True
    if result is None or result.outcome in ("", Outcome.NOT_BRAIN_MRI):
        return False
    return bool(blocking(result.input_codes))


def alternatives(result: Result) -> str:
    """Return the findings that remain possible, most probable first: "glioma, meningioma, or no tumor"."""
    names = remaining_findings(result)
    if len(names) < 2:
        return f"possibly {choice(names) or 'none of the four findings'}"
    return choice(names)


def remaining_findings(result: Result) -> tuple[str, ...]:
    """Return the findings that remain possible, most probable first. No other finding is more probable."""
    if not result.probabilities:
        return tuple(result.possible_findings)
    return remaining(result.probabilities, result.possible_findings)


def mark(result: Result | None) -> str:
    """Return the name of the mark beside a result: its finding, its outcome, or its state."""
    if result is None:
        return CANCELLED
    if result.state != SUCCEEDED:
        return result.state
    if withheld(result):
        return "withheld"
    return result.finding if result.outcome == Outcome.CLASSIFIED else result.outcome or SEALED


def batch_state(result: Result | None) -> str:
    """Return the outcome of a stored file: a key of `BATCH_LABELS`."""
    if result is None or result.state == CANCELLED:
        return CANCELLED
    if result.state != SUCCEEDED:
        return result.state if result.state == "failed" else "waiting"
    if withheld(result):
        return "check"
    if result.outcome != Outcome.CLASSIFIED:
        return result.outcome or "unread"
    return "notumor" if result.finding == "notumor" else "tumor"


def batch_summary(counts: Mapping[str, int]) -> str:
    """Return the summary of a batch: "30 files: 12 tumor, 4 uncertain, 2 refused".

    Args:
        counts: Number of files for each key of `BATCH_LABELS`, in the order to print.
    """
    total = sum(counts.values())
    parts = [f"{count} {BATCH_LABELS[state]}" for state, count in counts.items()]
    return f"{total} file{'' if total == 1 else 's'}: {', '.join(parts)}" if parts else "No files"


_STATE_SENTENCES: dict[str, str] = {
    "queued": "Waiting for analysis",
    "running": "Analysis in progress",
    "failed": "The analysis failed",
    CANCELLED: "The analysis was canceled",
}
