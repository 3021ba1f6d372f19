"""Check machine-written sentences against the analysis: block numbers, findings, and sides that it does not have.

The check reads words. It cannot tell whether a sentence about the picture is true; it removes what is known to
contradict the stored result, and says how much was removed and why.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from classifier.assistant.builtin import Facts
from classifier.assistant.references import REFERENCE
from classifier.findings import TUMOR, TUMORS, Outcome
from classifier.wording import remaining_findings

MAX_TEXT = 4000
"""Characters of one part of an explanation. Ten times what the instructions ask for; more is a runaway."""

NUMBER, FINDING, SIDE, ADVICE, LINK, MARK, SCRIPT = "number", "finding", "side", "advice", "link", "mark", "script"
REASONS: dict[str, str] = {
    NUMBER: "it gave a number that is not from this analysis",
    FINDING: "it named a finding that the analysis does not support",
    SIDE: "it named a side of the image without evidence",
    ADVICE: "it diagnosed or prescribed",
    LINK: "it contained a link, an address, or code",
    SCRIPT: "it was not written in Latin letters, so it could not be checked",
    MARK: "it imitated a mark of this program",
}
"""Why a sentence is removed, to follow "removed because"."""

_SENTENCE = re.compile(r"[^.!?\n]+(?:[.!?](?!\s|$)[^.!?\n]*)*[.!?]*\s*|\n+")
# Names of sequences, grades, and classes hold digits and are not figures of a result.
TERMS = re.compile(r"\b(?:T[12](?:\*|w|c)?|[23]-?D|CN ?[IVX]+|IDH-?[12]|1p/19q|H3|WHO)\b", re.IGNORECASE)
_UNITS = "zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
_TENS = "twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred"
_IN_WORDS = re.compile(
    rf"\b(?:{_UNITS}|{_TENS}|\w+teen|half|third|quarter)[\w-]*(?:[ -](?:{_UNITS}))?\s*(?:percent|per cent|%)"
    rf"|\b(?:{_UNITS}|{_TENS})\s+(?:out of|in)\s+(?:{_UNITS}|{_TENS}|a hundred)\b"
    r"|\b(?:percent|per cent)\b|%|\b(?:milli|centi)met(?:er|re)s?\b",
    re.IGNORECASE,
)
_MENTIONS: dict[str, re.Pattern[str]] = {
    "glioma": re.compile(r"\b(?:gliom|glioblastom|astrocytom|oligodendrogliom)\w*", re.IGNORECASE),
    "meningioma": re.compile(r"\bmening[ei]o?m\w*", re.IGNORECASE),
    "pituitary": re.compile(r"\b(?:pituitary|hypophys\w*|prolactinoma\w*|adenoma\w*|sellar mass)\b", re.IGNORECASE),
    "notumor": re.compile(
        r"\b(?:no|without|free of|free from|absence of)(?: (?:signs?|evidence|indications?) of)?(?: an?| any)?"
        r"(?: (?:brain|visible|obvious|intracranial|focal|suspicious))? "
        r"(?:tumou?rs?|lesions?|mass(?:es)?(?! effect)|neoplasms?|abnormalit(?:y|ies))\b|"
        r"\btumou?r-free\b",
        re.IGNORECASE,
    ),
}
# Said outright that all is well. In a result with a tumor, this is wrong in every part.
_NORMAL = re.compile(
    r"\b(?:this|it|brain|image|scan|picture|slice|patient|person|anatomy|stud(?:y|ies)|examination) "
    r"(?:is|are|looks?|appears?|seems?) (?:to be )?"
    r"(?:(?!not\b|never\b|hardly\b|rarely\b|often\b|usually\b|sometimes\b)\w+ ){0,3}?"
    r"(?:normal\b(?! (?:to|that|for)\b)|healthy\b|unremarkable\b)"
    r"|\b(?:shows?|depicts?|contains?|reports?|finds?|sees?) (?:an? )?(?:\w+ )?(?:normal|healthy|unremarkable) "
    r"(?:brain|anatomy|scan|image|person|patient)\b",
    re.IGNORECASE,
)
_OTHER = re.compile(
    r"\b(?:metasta\w+|lymphoma\w*|abscess\w*|infarct\w*|stroke\w*|hemorrhag\w+|haemorrhag\w+|ependymoma\w*|"
    r"medulloblastoma\w*|schwannoma\w*|craniopharyngioma\w*|multiple sclerosis|aneurysm\w*)\b",
    re.IGNORECASE,
)
# A claim, also in a part that may discuss other findings, and as an order to make one.
_CLAIMS = re.compile(
    r"\b(?:shows?|shown|reports?|reported|depicts?|contains?|finds?|found|detects?|sees?|confirms?|names?|states?|says?|"
    r"diagnosis is|this is|it is|result is|finding is)\b(?: that)?(?: \w+){0,3}? (?:an? )?(?:\w+ )?$",
    re.IGNORECASE,
)
_A_TUMOR = re.compile(
    r"\b(?:there is|shows?|contains?|has|with) an? [\w ,-]{0,40}?(?:tumou?r|mass|lesion)\b", re.IGNORECASE
)
_DENIED = re.compile(
    r"\b(?:not|no|cannot|can't|never|unlikely|less likely|rather than|instead of|without|rules? out|excluded?|against|"
    r"than|neither|nor|differential|could also|may also|might also|other (?:diseases|findings|tumors)|such as|"
    r"remain\w*)\b",
    re.IGNORECASE,
)
_ABOUT = re.compile(
    r"\b(?:images?|scans?|pictures?|slices?|results?|analysis|network|patient|evidence|finding|this is)\b",
    re.IGNORECASE,
)
_LEFT, _RIGHT = re.compile(r"\bleft\b", re.IGNORECASE), re.compile(r"\bright\b(?! away)", re.IGNORECASE)
_PATIENT_SIDE = re.compile(
    r"\b(?:patient|person)['’]?s? (?:own )?(?:left|right)\b|\b(?:left|right) hemisphere\b", re.IGNORECASE
)
_ADVICE = re.compile(
    r"\b(?:i (?:diagnose|prescribe|recommend)|my diagnosis|the diagnosis is|definitive(?:ly)? (?:diagnos|confirm)\w*|"
    r"diagnosed (?:with|as)|confirms? the diagnosis|you (?:have|suffer)|(?:start|give|administer|prescribe|take) "
    r"(?:dexamethasone|steroids?|chemotherapy|temozolomide|cabergoline|levetiracetam|radiotherapy|a dose)|"
    r"\w+ ?mg\b|must undergo|should undergo (?:surgery|biopsy|resection|radiotherapy|chemotherapy)|"
    r"(?:patient|he|she|they) (?:dies|will die|survives?|will survive)|"
    r"no further (?:tests?|imaging|examinations?) (?:is|are) needed)\b",
    re.IGNORECASE,
)
_LINK = re.compile(
    r"https?:|www\.|[a-z]+://|\]\(|!\[|<[a-z!/]|javascript:|data:[a-z]+/|`{3}|<\||\[\^|"
    r"\b[\w-]{2,}\.(?:com|org|net|edu|gov|info|biz|app|dev|xyz|online|site|test|local|internal|example)\b|"
    r"[\w.]+@[\w-]+\.\w",
    re.IGNORECASE,
)
_MARKS = re.compile(
    r"\b(?:(?:not )?from the picture\b|(?:checked|verified) against the (?:picture|image)|edited by\b|signed by\b|"
    r"not AI[- ]generated|(?:written|checked|confirmed|approved|verified) by (?:a|the|dr\.?) )",
    re.IGNORECASE,
)
_SCRIPTS = ("LATIN", "GREEK", "MICRO SIGN", "FEMININE ORDINAL", "MASCULINE ORDINAL", "MODIFIER LETTER")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]")


@dataclass(slots=True)
class Checked:
    """A checked text.

    Attributes:
        text: the sentences that passed, with their references unrendered.
        blocked: a key of `REASONS` for each removed sentence.
    """

    text: str
    blocked: list[str] = field(default_factory=list)


def check(text: str, *, facts: Facts, references: Mapping[str, str], asserts: bool | None) -> Checked:
    """Remove the sentences that contradict an analysis.

    Args:
        text: as the model wrote it.
        facts: of the analysis.
        references: the known references.
        asserts: whether the text says what the result or the picture is. Elsewhere, as in what speaks against, other
            findings may be discussed. None decides by the words of each sentence, for answers in a conversation.
    """
    checked = Checked("")
    kept = []
    for sentence in sentences(without_control_characters(text)[:MAX_TEXT]):
        about = bool(_ABOUT.search(sentence)) if asserts is None else asserts
        reason = _reason(sentence, facts=facts, references=references, asserts=about)
        if reason is None:
            kept.append(sentence)
        else:
            checked.blocked.append(reason)
    checked.text = "".join(kept).strip()
    return checked


def without_control_characters(text: str) -> str:
    """Return a text without control characters and characters that hide or reorder others."""
    return _CONTROL.sub("", text)


def complete_sentences(text: str) -> str:
    """Return a growing text without its last sentence, which may go on."""
    return "".join(list(sentences(text))[:-1])


def sentences(text: str) -> Iterator[str]:
    """Yield the sentences of a text, each with the space behind it."""
    return (match.group() for match in _SENTENCE.finditer(text))


def said_of_blocked(blocked: list[str]) -> str:
    """Return the sentence that says what was removed; "" if nothing was."""
    if not blocked:
        return ""
    counted = "One sentence was" if len(blocked) == 1 else f"{len(blocked)} sentences were"
    reasons = [REASONS[reason] for reason in dict.fromkeys(blocked) if reason in REASONS]
    return f"{counted} removed: {'; '.join(reasons)}."


def _reason(sentence: str, *, facts: Facts, references: Mapping[str, str], asserts: bool) -> str | None:
    if _LINK.search(sentence):
        return LINK
    if any(_is_foreign(char) for char in sentence):
        return SCRIPT
    if _MARKS.search(sentence):
        return MARK
    if _has_foreign_number(sentence, references):
        return NUMBER
    if _ADVICE.search(sentence):
        return ADVICE
    if _contradicts_side(sentence, facts):
        return SIDE
    if _contradicts_finding(sentence, facts, asserts=asserts):
        return FINDING
    return None


def _is_foreign(char: str) -> bool:
    """Return whether a letter is neither Latin nor Greek. Such letters can imitate Latin ones, too."""
    return char.isalpha() and not unicodedata.name(char, "").startswith(_SCRIPTS)


def _has_foreign_number(sentence: str, references: Mapping[str, str]) -> bool:
    if any(name not in references for name in REFERENCE.findall(sentence)):
        return True
    bare = TERMS.sub("", REFERENCE.sub("", sentence))
    # List numbers at the beginning of a line are not figures.
    bare = re.sub(r"^\s*\d{1,2}[.)]\s", "", bare)
    return any(char.isnumeric() for char in bare) or "{{" in bare or bool(_IN_WORDS.search(bare))


def _contradicts_side(sentence: str, facts: Facts) -> bool:
    if _PATIENT_SIDE.search(sentence):
        return True
    says = {side for side, words in (("left", _LEFT), ("right", _RIGHT)) if words.search(sentence)}
    if not says or _DENIED.search(sentence):
        return False
    return not says <= ({area.side for area in facts.place.areas} if facts.place is not None else set())


def _contradicts_finding(sentence: str, facts: Facts, *, asserts: bool) -> bool:
    allowed = _allowed(facts)
    says_normal = _NORMAL.search(sentence)
    if says_normal and "notumor" not in allowed and not _DENIED.search(sentence[: says_normal.end()]):
        return True
    if _DENIED.search(sentence) and not _says_no_tumor_of_a_tumor(sentence, facts):
        return False
    result = facts.result
    says_none = result.finding == "notumor" or result.outcome == Outcome.NOT_BRAIN_MRI
    if says_none and _A_TUMOR.search(sentence):
        return True
    if not asserts:
        foreign = [words for name, words in _MENTIONS.items() if name not in allowed]
        return any(_CLAIMS.search(sentence[: found.start()]) for words in foreign for found in words.finditer(sentence))
    named = {name for name, words in _MENTIONS.items() if words.search(sentence)}
    return bool(named - allowed) or bool(_OTHER.search(sentence))


def _says_no_tumor_of_a_tumor(sentence: str, facts: Facts) -> bool:
    """Return whether "no tumor" is said of a result that reports one; its "no" is not a denial."""
    return facts.result.finding in (*TUMORS, TUMOR) and bool(_MENTIONS["notumor"].search(sentence))


def _allowed(facts: Facts) -> set[str]:
    result = facts.result
    if result.outcome == Outcome.NOT_BRAIN_MRI:
        return set()
    if result.finding in (*TUMORS, "notumor"):
        return {result.finding}
    return set(remaining_findings(result))
