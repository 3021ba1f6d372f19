"""Problems of an image, described for its page."""

from dataclasses import dataclass

from classifier.input_problems import SENTENCES, TURNS, mend_of
from classifier.models import Scan


@dataclass(frozen=True, slots=True)
class Described:
    """A problem in words.

    Attributes:
        sentence: The problem.
        mend: The action that mends it; "" if none does.
        button: The label of the action's button.
    """

    sentence: str
    mend: str = ""
    button: str = ""


def described(scan: Scan) -> list[Described]:
    """Return the problems of a scan's image that nobody has overruled."""
    shown = []
    for problem in scan.input_problems:
        code = problem.get("code")
        if code not in scan.input_codes:
            continue
        mend = mend_of(problem)
        button = {"turn": f"Make a copy turned {TURNS.get(problem.get('detail', ''))}", "blank": "Blank out the text"}
        shown.append(Described(SENTENCES[code], mend, button.get(mend, "")))
    return shown
