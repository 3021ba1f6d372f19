"""Recognize text that probably identifies a patient. A hint, not a guarantee."""

import re
from typing import Final

HINT: Final = "This looks like a name or a date of birth. Use a pseudonym that only your department can resolve."

_SEPARATED: Final = r"[./\-\s]"
_DATE: Final = re.compile(
    rf"(?<!\d)(?:(?:0?[1-9]|[12]\d|3[01]){_SEPARATED}(?:0?[1-9]|1[0-2]){_SEPARATED}(?:(?:19|20)\d\d|\d\d)"
    rf"|(?:0?[1-9]|1[0-2])/(?:0?[1-9]|[12]\d|3[01])/(?:(?:19|20)\d\d|\d\d)"
    rf"|(?:19|20)\d\d{_SEPARATED}(?:0?[1-9]|1[0-2]){_SEPARATED}(?:0?[1-9]|[12]\d|3[01]))(?!\d)"
)
_WORD: Final = re.compile(r"[^\W\d_]{2,}(?:['-][^\W\d_]{2,})*")
# Words of pseudonyms that are not names.
_USUAL_WORDS: Final = (
    "and anonymous arm case center clinic cohort control day demo department group healthy hospital left month mri of "
    "patient phantom post pre project random right sample scan series site study subject test the trial unknown visit "
    "volunteer ward week"
)
_USUAL: Final = frozenset(_USUAL_WORDS.split())


def looks_identifying(text: str) -> bool:
    """Return whether a patient reference looks like a name or a date of birth.

    Two neighboring words that are not usual words of pseudonyms count as a name, so "P-1234", "Study arm B" and
    "2024-0117-A" pass, and "John Smith" does not.
    """
    if _DATE.search(text):
        return True
    without = re.split(r"[^\w'\- ]", text)
    for part in without:
        run = 0
        for word in part.split():
            is_name = _WORD.fullmatch(word) is not None and word.lower() not in _USUAL and not word.isupper()
            is_name = is_name or (word.isupper() and word.isalpha() and len(word) >= 4 and word.lower() not in _USUAL)
            run = run + 1 if is_name else 0
            if run >= 2:
                return True
    return False
