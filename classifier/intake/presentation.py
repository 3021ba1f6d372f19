"""Presentation of the stored values of a DICOM file (DICOM PS3.3 sections C.11.1 and C.11.2)."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.multival import MultiValue
from pydicom.pixels.processing import apply_modality_lut, apply_voi

from classifier.intake.grayscale import Curve, ramp


def presentation_curve(dataset: Dataset, *, low: float, high: float, use_window: bool = True) -> Curve:
    """Build the curve from stored values to shades.

    Of several windows or tables in a file the first counts, which is what viewers show first; a VOI table
    goes before a window.

    Args:
        dataset: A grayscale image; its rescale, window, VOI table and photometric elements are read.
        low: Stored value that becomes darkest where the file names no usable window.
        high: Stored value that becomes brightest there.
        use_window: Whether to follow the file's own window or table at all.

    Returns:
        A curve for `render`: shades from 0 (black) to 1 (white), MONOCHROME1 already inverted.
    """
    ends = _rescaled(np.array([low, high]), dataset=dataset)
    shade = ramp(float(ends.min()), float(ends.max()))
    if use_window:
        shade = _voi_table(dataset) or _window(dataset) or shade
    is_inverted = dataset.PhotometricInterpretation == "MONOCHROME1"

    def curve(stored: NDArray[np.float64]) -> NDArray[np.float64]:
        shades = shade(_rescaled(stored, dataset=dataset))
        return 1.0 - shades if is_inverted else shades

    return curve


def _rescaled(stored: NDArray[np.float64], *, dataset: Dataset) -> NDArray[np.float64]:
    """Apply the rescale slope and intercept, or the modality table."""
    return np.asarray(apply_modality_lut(stored.astype(np.int64), dataset), dtype=np.float64)


def _voi_table(dataset: Dataset) -> Curve | None:
    """Return the first VOI table as a curve, if there is one."""
    tables = dataset.get("VOILUTSequence")
    if not tables:
        return None
    brightest = float((1 << int(tables[0].LUTDescriptor[2])) - 1)

    def curve(values: NDArray[np.float64]) -> NDArray[np.float64]:
        looked_up = apply_voi(np.rint(values).astype(np.int64), dataset, index=0)
        return np.asarray(looked_up, dtype=np.float64) / brightest

    return curve


def _window(dataset: Dataset) -> Curve | None:
    """Return the first window as a curve, if the file has one that means something."""
    center, width = _first(dataset.get("WindowCenter")), _first(dataset.get("WindowWidth"))
    if center is None or width is None or width <= 0:
        return None
    function = str(dataset.get("VOILUTFunction") or "LINEAR").upper()
    if function == "SIGMOID":
        return lambda values: 1.0 / (1.0 + np.exp(np.clip(-4.0 * (values - center) / width, -700.0, 700.0)))
    if function == "LINEAR_EXACT" or width <= 1:  # LINEAR is not defined for a width of one or less
        return ramp(center - width / 2.0, center + width / 2.0)
    return ramp(center - 0.5 - (width - 1.0) / 2.0, center - 0.5 + (width - 1.0) / 2.0)


def _first(value: Any) -> float | None:
    if isinstance(value, MultiValue | list | tuple):
        value = value[0] if len(value) else None
    if value is None or value == "":
        return None
    number = float(value)
    return number if math.isfinite(number) else None
