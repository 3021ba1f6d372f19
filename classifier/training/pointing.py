"""Measure whether the saliency map points at the tumor: pointing game and overlap with known boxes."""

import numpy as np
import numpy.typing as npt

from classifier.findings import FINDINGS, TUMORS
from classifier.inference.preprocessing import Float32Array
from classifier.inference.saliency import contrast, upsample
from classifier.training.manifest import Row

SIDE = 128
"""Side of the enlarged maps that are compared with boxes: a box is known to one hundredth of the image."""


def points_at(row: Row, class_maps: npt.ArrayLike) -> bool | None:
    """Return whether the maximum of the tumor's own map lies in its box (pointing game; Zhang et al., 2018).

    Args:
        row: The image.
        class_maps: Array `(h, w, 4)`.

    Returns:
        The answer, or None if the image has no tumor or no known box.
    """
    if row.box is None or row.true_label not in TUMORS:
        return None
    enlarged = _enlarged(row, class_maps)
    y, x = np.unravel_index(int(enlarged.argmax()), enlarged.shape)
    return bool(box_mask(row.box, side=SIDE)[y, x])


def box_iou(row: Row, class_maps: npt.ArrayLike, *, share: float = 0.5) -> float | None:
    """Overlap (intersection over union) of the tumor's box with the map's own.

    Args:
        row: The image.
        class_maps: Array `(h, w, 4)`.
        share: The map's box encloses what exceeds this share of its highest contrast.

    Returns:
        A value in [0, 1], or None if the image has no tumor or no known box.
    """
    if row.box is None or row.true_label not in TUMORS:
        return None
    enlarged = _enlarged(row, class_maps)
    above = enlarged >= share * max(float(enlarged.max()), 1e-6)
    if not above.any():
        return 0.0
    ys, xs = np.flatnonzero(above.any(axis=1)), np.flatnonzero(above.any(axis=0))
    own = np.zeros((SIDE, SIDE), bool)
    own[ys[0] : ys[-1] + 1, xs[0] : xs[-1] + 1] = True
    box = box_mask(row.box, side=SIDE)
    return float((own & box).sum() / (own | box).sum())


def box_mask(box: tuple[float, float, float, float], *, side: int) -> npt.NDArray[np.bool_]:
    """Return the pixels of a square image whose center lies in the box: bool `(side, side)`."""
    x, y, width, height = box
    centers = (np.arange(side) + 0.5) / side
    columns = np.abs(centers - x) <= width / 2
    rows = np.abs(centers - y) <= height / 2
    return rows[:, np.newaxis] & columns[np.newaxis, :]


def _enlarged(row: Row, class_maps: npt.ArrayLike) -> Float32Array:
    own = contrast(class_maps, finding_index=FINDINGS.index(row.true_label))
    return upsample(own, width=SIDE, height=SIDE)
