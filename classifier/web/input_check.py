"""Problems of an image, described for its page."""

from dataclasses import dataclass

from classifier.input_problems import MARKED, MARKED_HEAD, SENTENCES, TURNS, mend_of
from classifier.models import Scan


@dataclass(frozen=True, slots=True)
class Described:
    """A problem in words.

    Attributes:
        sentence: The problem.
        mend: The action that mends it; "" if none does.
        button: The label of the action's button.
        can_be_cropped: Whether the problem may lie at the border, where it can be cut off.
    """

    sentence: str
    mend: str = ""
    button: str = ""
    can_be_cropped: bool = False


def described(scan: Scan) -> list[Described]:
    """Return the problems of a scan's image that nobody has overruled."""
    shown = []
    for problem in scan.input_problems:
        code = problem.get("code")
        if code not in scan.input_codes:
            continue
        mend = mend_of(problem)
        button = {"turn": f"Make a copy turned {TURNS.get(problem.get('detail', ''))}", "blank": "Blank out the text"}
        shown.append(Described(SENTENCES[code], mend, button.get(mend, ""), code in (MARKED, MARKED_HEAD)))
    return shown
