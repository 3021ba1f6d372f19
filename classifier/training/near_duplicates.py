"""The pixel nearest neighbor: a look-up without any training, whose score shows how much a split leaks."""

from collections.abc import Iterator

import numpy as np

from classifier.inference.preprocessing import Float32Array, UInt8Array, resize

SIDE = 48
"""Small enough to ignore compression, large enough to tell slices of one patient apart."""

CHUNK = 512
"""Rows compared at a time; keeps the similarity table at a few megabytes."""


def fingerprints(pixels: UInt8Array, *, side: int = SIDE) -> Float32Array:
    """Small copies of images with mean 0 and length 1, so that their dot product is a correlation.

    Args:
        pixels: uint8 `(N, S, S)`.
        side: Side of the copies.

    Returns:
        float32 `(N, side * side)`; a flat image becomes zero.
    """
    small = np.stack([resize(image, size=side) for image in pixels]).astype(np.float32).reshape(len(pixels), -1)
    centered = small - small.mean(axis=1, keepdims=True)
    result: Float32Array = centered / np.maximum(np.linalg.norm(centered, axis=1, keepdims=True), 1e-6)
    return result


def mirror(prints: Float32Array) -> Float32Array:
    """Return the fingerprints of the mirrored images: float32 `(N, side * side)`."""
    side = round(prints.shape[1] ** 0.5)
    return np.ascontiguousarray(prints.reshape(-1, side, side)[:, :, ::-1]).reshape(len(prints), -1)


def similarities(prints: Float32Array, others: Float32Array) -> Iterator[tuple[int, Float32Array]]:
    """Yield the correlation of some images with all others, mirrored or not, whichever is larger.

    Args:
        prints: float32 `(N, D)`.
        others: float32 `(M, D)`.

    Yields:
        The index of the first row, and float32 `(≤ CHUNK, M)` in [-1, 1].
    """
    for start in range(0, len(prints), CHUNK):
        part = prints[start : start + CHUNK]
        yield start, np.maximum(part @ others.T, mirror(part) @ others.T)


def nearest(prints: Float32Array, others: Float32Array) -> tuple[np.ndarray, Float32Array]:
    """Return the most similar other image of each image, mirror-aware.

    Args:
        prints: float32 `(N, D)`.
        others: float32 `(M, D)`.

    Returns:
        Indices int `(N,)` into the others, and the correlations float32 `(N,)`.
    """
    indices, values = [], []
    for _, table in similarities(prints, others):
        best = table.argmax(axis=1)
        indices.append(best)
        values.append(table[np.arange(len(table)), best])
    return np.concatenate(indices), np.concatenate(values)
