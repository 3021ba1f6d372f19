"""Agreement between readings, and their accuracy: findings in, figures out. Works on plain data, for every layer.

Intervals are two-sided 95% confidence intervals. They treat cases as independent. Slices of one patient are not
independent, so with several slices per patient the true uncertainty is larger.
"""

from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import TypeVar

from classifier.findings import FINDINGS, OTHER_DISEASE, TUMOR, TUMORS

MIN_DIAGNOSES = 20
"""Least number of confirmed diagnoses for sensitivity and specificity. With fewer, the intervals say nothing."""

Reader = TypeVar("Reader", bound=Hashable)

_Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True)
class Share:
    """A part of some cases, with its Wilson interval.

    Attributes:
        count: Cases that have the property.
        total: All cases.
    """

    count: int
    total: int

    @property
    def value(self) -> float | None:
        """The share in [0, 1]; None without cases."""
        return self.count / self.total if self.total else None

    @property
    def limits(self) -> tuple[float | None, float | None]:
        """Both limits of the interval; None without cases."""
        return wilson_interval(self.count, self.total) if self.total else (None, None)

    @property
    def low(self) -> float | None:
        """Lower limit of the interval; None without cases."""
        return self.limits[0]

    @property
    def high(self) -> float | None:
        """Upper limit of the interval; None without cases."""
        return self.limits[1]


@dataclass(frozen=True, slots=True)
class Kappa:
    """Cohen's kappa.

    Attributes:
        value: In [-1, 1]; 0 is agreement by chance, 1 is complete agreement.
        low: Lower limit of the interval; None if all cases agree, because the standard error is 0 then.
        high: Upper limit of the interval; None if all cases agree.
    """

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement of two readings of the same cases.

    Attributes:
        share: Cases in which both are the same.
        kappa: Agreement beyond chance; None if it is not defined.
    """

    share: Share
    kappa: Kappa | None


@dataclass(frozen=True, slots=True)
class Flips:
    """Readings before and after an answer, where the diagnosis is known.

    Attributes:
        stayed_right: Right before and after.
        stayed_wrong: Wrong before and after.
        to_right: Wrong before, right after.
        to_wrong: Right before, wrong after.
        open: Without a finding after: the reader agreed with an answer that names none.
    """

    stayed_right: int = 0
    stayed_wrong: int = 0
    to_right: int = 0
    to_wrong: int = 0
    open: int = 0

    @property
    def total(self) -> int:
        """All readings."""
        return self.stayed_right + self.stayed_wrong + self.to_right + self.to_wrong + self.open


@dataclass(frozen=True, slots=True)
class FindingAccuracy:
    """Counts of answers for one finding against the others.

    Attributes:
        finding: One of `FINDINGS`, or `TUMOR` for a tumor of any kind.
        sensitivity: Of the cases with this diagnosis, those with this answer.
        specificity: Of the cases with another diagnosis, those with another answer or none.
    """

    finding: str
    sensitivity: Share
    specificity: Share


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Answers compared with confirmed diagnoses.

    Attributes:
        diagnoses: Number of cases.
        without_finding: Cases whose answer names no finding.
        findings: A tumor of any kind, then each finding; empty with fewer than `MIN_DIAGNOSES` cases.
    """

    diagnoses: int
    without_finding: int
    findings: tuple[FindingAccuracy, ...]


def wilson_interval(count: int, total: int) -> tuple[float, float]:
    """Return the 95% score interval of a proportion.

    E. B. Wilson, Probable inference, the law of succession, and statistical inference, Journal of the American
    Statistical Association 22 (1927) 209-212, without continuity correction.

    Args:
        count: Cases that have the property, 0 to `total`.
        total: All cases, at least 1.
    """
    share, square = count / total, _Z**2
    middle = (share + square / (2 * total)) / (1 + square / total)
    half = _Z * sqrt(share * (1 - share) / total + square / (4 * total**2)) / (1 + square / total)
    # The limits of 0 and of all cases are exact; rounding would leave them a little beside.
    low = 0.0 if count == 0 else middle - half
    high = 1.0 if count == total else middle + half
    return low, high


def cohens_kappa(pairs: Iterable[tuple[str, str]]) -> Kappa | None:
    """Return Cohen's unweighted kappa of two readings of the same cases; None if it is not defined.

    It is not defined without cases, and where both readings are the same single finding throughout.

    The coefficient: J. Cohen, A coefficient of agreement for nominal scales, Educational and Psychological Measurement
    20 (1960) 37-46. The interval: the large-sample standard error of J. L. Fleiss, J. Cohen and B. S. Everitt, Large
    sample standard errors of kappa and weighted kappa, Psychological Bulletin 72 (1969) 323-327, equation 13. It is
    meant for many cases; with a few tens of them it is somewhat too narrow.
    """
    cells = Counter(pairs)
    total = sum(cells.values())
    if not total:
        return None
    rows: Counter[str] = Counter()
    columns: Counter[str] = Counter()
    for (row, column), count in cells.items():
        rows[row] += count
        columns[column] += count
    expected = sum(rows[name] * columns[name] for name in rows) / total**2
    if expected == 1:
        return None
    observed = sum(count for (row, column), count in cells.items() if row == column) / total
    kappa = (observed - expected) / (1 - expected)
    if observed == 1:
        return Kappa(kappa, None, None)
    agreed = sum(
        count / total * (1 - (rows[row] + columns[column]) / total * (1 - kappa)) ** 2
        for (row, column), count in cells.items()
        if row == column
    )
    differed = (1 - kappa) ** 2 * sum(
        count / total * ((columns[row] + rows[column]) / total) ** 2
        for (row, column), count in cells.items()
        if row != column
    )
    variance = agreed + differed - (kappa - expected * (1 - kappa)) ** 2
    half = _Z * sqrt(max(variance, 0.0) / total) / (1 - expected)
    return Kappa(kappa, max(kappa - half, -1.0), min(kappa + half, 1.0))


def agreement(pairs: Iterable[tuple[str, str]]) -> Agreement:
    """Return the agreement of two readings of the same cases."""
    cases = list(pairs)
    return Agreement(Share(sum(one == other for one, other in cases), len(cases)), cohens_kappa(cases))


def reader_pairs(readings: Iterable[tuple[Hashable, Reader, str]]) -> list[tuple[str, str]]:
    """Return the findings of two readers for each case that has at least two.

    A case gives one pair, that of its first two readers, so that the pairs are independent. Within a pair the readers
    keep the same order throughout, so two readers who read everything are the two raters of Cohen's kappa.

    Args:
        readings: Case, reader, and finding, in the order of the readings. Of several readings of a case by one reader
            the last one counts.
    """
    cases: dict[Hashable, dict[Reader, str]] = {}
    for case, reader, finding in readings:
        cases.setdefault(case, {})[reader] = finding
    order = {reader: place for place, reader in enumerate(sorted({r for by in cases.values() for r in by}, key=str))}
    pairs = []
    for by_reader in cases.values():
        if len(by_reader) < 2:
            continue
        first = sorted(list(by_reader)[:2], key=order.__getitem__)
        pairs.append((by_reader[first[0]], by_reader[first[1]]))
    return pairs


def is_right(reading: str, diagnosis: str) -> bool:
    """Return whether a reading fits a diagnosis. A tumor of unknown kind fits each kind of tumor, and each fits it."""
    kinds = (*TUMORS, TUMOR)
    return reading == diagnosis or (TUMOR in (reading, diagnosis) and reading in kinds and diagnosis in kinds)


def flips(readings: Iterable[tuple[str, str, str]]) -> Flips:
    """Count how readings changed with the answer.

    Args:
        readings: The finding before the answer, the finding after it ("" for none), and the confirmed diagnosis.
    """
    counts: Counter[str] = Counter()
    for before, after, diagnosis in readings:
        if not after:
            counts["open"] += 1
        elif is_right(before, diagnosis):
            counts["stayed_right" if is_right(after, diagnosis) else "to_wrong"] += 1
        else:
            counts["to_right" if is_right(after, diagnosis) else "stayed_wrong"] += 1
    return Flips(**counts)


def accuracy(cases: Iterable[tuple[str, str]]) -> Accuracy:
    """Return the sensitivity and specificity of answers for each finding.

    An answer without a finding ("uncertain", or refused as not a brain MR image) reports no finding: it lowers the
    sensitivity for the diagnosis and no specificity. The answer "tumor of unknown kind" counts as a tumor and as none
    of the kinds. A diagnosis that does not say whether a finding is present is left out of that finding's figures: a
    tumor of unknown kind for the kinds, another disease for "tumor" and "no tumor".

    Args:
        cases: The answer, one of `ANSWERS` or "" for none, and the confirmed diagnosis, one of `READINGS`.
    """
    known = list(cases)
    without = sum(not answer for answer, _ in known)
    if len(known) < MIN_DIAGNOSES:
        return Accuracy(len(known), without, ())
    any_tumor = [(_tumor(answer), _tumor(diagnosis)) for answer, diagnosis in known if diagnosis != OTHER_DISEASE]
    rows = [_accuracy_of(TUMOR, any_tumor)]
    for finding in FINDINGS:
        unknown = OTHER_DISEASE if finding == "notumor" else TUMOR
        rows.append(_accuracy_of(finding, [case for case in known if case[1] != unknown]))
    return Accuracy(len(known), without, tuple(rows))


def _tumor(finding: str) -> str:
    return TUMOR if finding in TUMORS else finding


def _accuracy_of(finding: str, cases: Iterable[tuple[str, str]]) -> FindingAccuracy:
    counts = Counter((answer == finding, diagnosis == finding) for answer, diagnosis in cases)
    return FindingAccuracy(
        finding,
        sensitivity=Share(counts[True, True], counts[True, True] + counts[False, True]),
        specificity=Share(counts[False, False], counts[False, False] + counts[True, False]),
    )
