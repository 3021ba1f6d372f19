"""Draw class activation maps, the network's evidence by location, on an absolute scale."""

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from classifier.findings import FINDINGS, TUMORS
from classifier.inference.preprocessing import Float32Array
from classifier.inference.registry import SaliencyScale

MAX_SIDE = 1024
"""Overlays are smooth, so more pixels than a large screen has would only cost time."""

RAMP: tuple[tuple[float, tuple[int, int, int]], ...] = (
    (0.0, (120, 28, 20)),
    (0.5, (235, 104, 28)),
    (1.0, (255, 226, 120)),
)
"""A warm color ramp of rising lightness: readable on gray tissue and with color vision deficiency."""

VISIBLE_FROM = 0.15
"""Evidence, in [0, 1], below which an overlay is too faint to point to a place."""

MAX_ALPHA = 0.85
"""The anatomy stays visible below full evidence."""


def contrast(class_maps: npt.ArrayLike, *, finding_index: int) -> Float32Array:
    """Return the evidence at each location for one finding, relative to the average of all findings.

    Adding a constant to all class maps changes no probability, so only differences between them carry information.
    This difference is invariant under such a constant.

    Args:
        class_maps: Array `(h, w, 4)` in units of logits.
        finding_index: Index in `FINDINGS`.

    Returns:
        float32 `(h, w)`, in units of logits.
    """
    maps = np.asarray(class_maps, np.float32)
    result: Float32Array = maps[..., finding_index] - maps.mean(axis=-1)
    return result


def class_evidence(
    class_maps: npt.ArrayLike, finding_index: int, *, scale: SaliencyScale | None = None
) -> Float32Array:
    """Return the evidence for one finding on an absolute scale, on which weak evidence looks weak.

    Args:
        class_maps: Array `(h, w, 4)` in units of logits.
        finding_index: Index in `FINDINGS`.
        scale: Range of the contrast; from the model's card.

    Returns:
        float32 `(h, w)` in [0, 1].

    Raises:
        ValueError: If the maps do not have one channel for each finding.
    """
    maps = np.asarray(class_maps, np.float32)
    if maps.ndim != 3 or maps.shape[-1] != len(FINDINGS):
        raise ValueError(f"Class maps must be (h, w, {len(FINDINGS)}). Received: {maps.shape}")
    scale = SaliencyScale() if scale is None else scale
    raised = contrast(maps, finding_index=finding_index) - scale.floor
    result: Float32Array = np.clip(raised / max(scale.ceiling - scale.floor, 1e-6), 0.0, 1.0)
    return result


def overlay_png(
    class_maps: npt.ArrayLike, *, finding: str, width: int, height: int, scale: SaliencyScale | None = None
) -> bytes:
    """Draw the evidence for a tumor as a transparent picture to lay over the image.

    Args:
        class_maps: Array `(h, w, 4)` in units of logits.
        finding: A tumor of `FINDINGS`.
        width: Width of the image in pixels.
        height: Height of the image in pixels.
        scale: See `class_evidence`.

    Returns:
        RGBA PNG in the image's proportions, its long side at most `MAX_SIDE` pixels.

    Raises:
        ValueError: If the finding is unknown or `notumor`, which has no location to show.
    """
    if finding not in TUMORS:
        raise ValueError(f"A saliency map shows one of {', '.join(TUMORS)}. Received: {finding!r}")
    evidence = class_evidence(class_maps, FINDINGS.index(finding), scale=scale)
    shrink = min(1.0, MAX_SIDE / max(width, height))
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    smooth = upsample(evidence, width=size[0], height=size[1])
    picture = Image.fromarray(color(np.clip(smooth, 0.0, 1.0)))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def upsample(evidence: Float32Array, *, width: int, height: int) -> Float32Array:
    """Enlarge a map smoothly to the size of its image.

    Args:
        evidence: float32 `(h, w)`.
        width: Width of the result in pixels.
        height: Height of the result in pixels.

    Returns:
        float32 `(height, width)`; may slightly exceed the input's range.
    """
    enlarged = Image.fromarray(np.ascontiguousarray(evidence, np.float32))
    return np.asarray(enlarged.resize((width, height), Image.Resampling.BICUBIC), np.float32)


def color(evidence: Float32Array) -> npt.NDArray[np.uint8]:
    """Color evidence, with an opacity proportional to it.

    Args:
        evidence: float32 `(H, W)` in [0, 1].

    Returns:
        uint8 `(H, W, 4)`: red, green, blue, opacity.
    """
    stops = [stop for stop, _ in RAMP]
    table = np.array([rgb for _, rgb in RAMP], np.float32)
    channels = [np.interp(evidence, stops, table[:, channel]) for channel in range(3)]
    opacity = evidence.astype(np.float64) * (255.0 * MAX_ALPHA)
    return np.rint(np.stack([*channels, opacity], axis=-1)).astype(np.uint8)
