"""The statistics as `StatisticsSerializer` describes them, without a serializer for each of hundreds of parts."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from classifier.reading_agreement import Accuracy, Agreement, Share
from classifier.reading_figures import AgreementRow, FlipsRow, ReaderFigures
from classifier.selectors.statistics import Statistics

Data = dict[str, Any]


def statistics_data(figures: Statistics) -> Data:
    """Return the fields of `StatisticsSerializer`."""
    return {
        "models": list(figures.models),
        "own": _reader(figures.own),
        "team": None if figures.team is None else _reader(figures.team),
        "accuracy": _accuracy(figures.accuracy),
        "sampled_scans": figures.sampled_scans,
        "sampled_own_scans": figures.sampled_own_scans,
    }


def _reader(figures: ReaderFigures) -> Data:
    return {
        "readers": figures.readers,
        "reviews": _agreement(figures.reviews),
        "reviews_by_answer": _shares(figures.reviews_by_answer),
        "reviews_by_month": _shares(figures.reviews_by_month),
        "first_reads": _agreement(figures.first_reads),
        "changed": _share(figures.changed),
        "flips": None if figures.flips is None else asdict(figures.flips),
        "flips_by_diagnosis": _flips(figures.flips_by_diagnosis),
        "flips_by_month": _flips(figures.flips_by_month),
        "between_reviews": _agreement(figures.between_reviews),
        "between_first_reads": _agreement(figures.between_first_reads),
    }


def _share(share: Share | None) -> Data | None:
    if share is None:
        return None
    low, high = share.limits
    return {"count": share.count, "total": share.total, "value": share.value, "low": low, "high": high}


def _agreement(agreement: Agreement | None) -> Data | None:
    if agreement is None:
        return None
    return {"share": _share(agreement.share), "kappa": None if agreement.kappa is None else asdict(agreement.kappa)}


def _shares(rows: Sequence[AgreementRow]) -> list[Data]:
    return [{"name": row.name, "share": _share(row.share)} for row in rows]


def _flips(rows: Sequence[FlipsRow]) -> list[Data]:
    return [{"name": row.name, "flips": None if row.flips is None else asdict(row.flips)} for row in rows]


def _accuracy(accuracy: Accuracy) -> Data:
    return {
        "diagnoses": accuracy.diagnoses,
        "without_finding": accuracy.without_finding,
        "findings": [
            {
                "finding": row.finding,
                "sensitivity": _share(row.sensitivity),
                "specificity": _share(row.specificity),
            }
            for row in accuracy.findings
        ],
    }
