"""The limits that a site sets before it measures a model, and the verdict against each."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

LEAST_CASES = "cases"
PREVALENCE = "prevalence"
MAX_CASES = 5000
"""Cases of one commissioning: their figures take seconds, and more would hardly narrow an interval."""
DEFAULT_LEAST_CASES = 50


class Verdict(StrEnum):
    """The verdict against one limit."""

    MET = "met"
    NOT_MET = "not_met"
    TOO_FEW = "too_few"


VERDICT_LABELS: dict[str, str] = {
    Verdict.MET: "Met",
    Verdict.NOT_MET: "Not met",
    Verdict.TOO_FEW: "Too few cases to say",
}


@dataclass(frozen=True, slots=True)
class Limit:
    """A kind of limit.

    Attributes:
        key: Its name, the same as that of the figure that it limits.
        label: Its name for people.
        is_least: Whether the figure must reach it; otherwise the figure must not exceed it.
        help: What the figure is, in a sentence.
    """

    key: str
    label: str
    is_least: bool
    help: str


LIMITS: tuple[Limit, ...] = (
    Limit(
        "sensitivity",
        "Minimum sensitivity",
        True,
        "Share of the images with a tumor whose probability of a tumor is at least one half.",
    ),
    Limit(
        "specificity",
        "Minimum specificity",
        True,
        "Share of the images without a tumor whose probability of a tumor is below one half.",
    ),
    Limit("accuracy", "Minimum accuracy", True, "Share of the images whose most probable finding is the true one."),
    Limit("refused", "Maximum share refused", False, "Share of the images that are refused as not brain MR."),
    Limit("uncertain", "Maximum share uncertain", False, "Share of the images that get no finding."),
    Limit(
        "ece",
        "Maximum calibration error",
        False,
        "Mean distance between the stated confidence and the share of correct answers.",
    ),
    Limit(
        "false_omission",
        "Maximum false-omission rate",
        False,
        "Share of tumors among the images called no tumor, at the prevalence of the site.",
    ),
    Limit(
        "false_discovery",
        "Maximum false-discovery rate",
        False,
        "Share of images without a tumor among those called a tumor, at the prevalence of the site.",
    ),
)
BY_KEY: dict[str, Limit] = {limit.key: limit for limit in LIMITS}
AT_PREVALENCE = ("false_omission", "false_discovery")


class InvalidLimits(ValueError):
    """The limits cannot be used; the message is for people."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one commissioning.

    Attributes:
        shares: Limit by key, each in [0, 1].
        least_cases: Number of cases with truth below which no limit is judged.
        prevalence: Share of images with a tumor at the site, in (0, 1); None if it is not known.
    """

    shares: Mapping[str, float]
    least_cases: int = DEFAULT_LEAST_CASES
    prevalence: float | None = None

    def __post_init__(self) -> None:
        if unknown := set(self.shares) - set(BY_KEY):
            raise InvalidLimits(f"There is no limit “{min(unknown)}”.")
        if not self.shares:
            raise InvalidLimits("Set at least one limit. A model is accepted or refused by limits set beforehand.")
        for key, value in self.shares.items():
            if not 0 <= value <= 1:
                raise InvalidLimits(f"{BY_KEY[key].label} must be between 0 and 100%.")
        if not 1 <= self.least_cases <= MAX_CASES:
            raise InvalidLimits(f"The minimum number of cases must be between 1 and {MAX_CASES}.")
        if self.prevalence is not None and not 0 < self.prevalence < 1:
            raise InvalidLimits("The prevalence must be above 0 and below 100%.")
        if self.prevalence is None and set(self.shares) & set(AT_PREVALENCE):
            raise InvalidLimits("A limit on the false-omission or false-discovery rate needs the prevalence.")

    def as_dict(self) -> dict[str, object]:
        """Return the limits as JSON values."""
        return {"shares": dict(self.shares), LEAST_CASES: self.least_cases, PREVALENCE: self.prevalence}

    @classmethod
    def from_dict(cls, stored: Mapping[str, object]) -> "Limits":
        """Return what `as_dict` stored."""
        shares, cases, prevalence = stored["shares"], stored[LEAST_CASES], stored[PREVALENCE]
        assert isinstance(shares, Mapping)
        assert isinstance(cases, int)
        return cls(
            {str(key): float(value) for key, value in shares.items()},
            least_cases=cases,
            prevalence=None if prevalence is None else float(str(prevalence)),
        )


def verdict(limit: Limit, *, bound: float, low: float | None, high: float | None, enough: bool) -> Verdict:
    """Return the verdict against a limit, judged by the interval of the figure and not by the figure alone.

    Args:
        limit: The kind of limit.
        bound: Its value.
        low: Lower end of the 95% interval; None if nothing was measured.
        high: Upper end.
        enough: Whether there are as many cases as the site asked for.
    """
    if not enough or low is None or high is None:
        return Verdict.TOO_FEW
    if (low >= bound) if limit.is_least else (high <= bound):
        return Verdict.MET
    if (high < bound) if limit.is_least else (low > bound):
        return Verdict.NOT_MET
    return Verdict.TOO_FEW
