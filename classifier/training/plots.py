"""Plots of training and evaluation, as PNG files. Matplotlib is imported inside, since only researchers need it."""

import importlib.util
import logging
from pathlib import Path
from typing import Any

import numpy as np

from classifier.findings import FINDING_LABELS, FINDINGS
from classifier.training import metrics
from classifier.wording import percent

log = logging.getLogger(__name__)

COLORS = {"glioma": "#9f3710", "meningioma": "#2a6fdb", "notumor": "#6f818d", "pituitary": "#7f2d86"}
"""The colors of the pages in the light theme (`static/css/tokens.css`); every line also has a label."""

INK, ACCENT = "#1f2937", "#0a6766"


def plot_evaluation(folder: Path, *, p: np.ndarray, labels: np.ndarray, title: str) -> list[Path]:
    """Write confusion matrix, ROC and precision-recall curves, reliability diagram and coverage curve.

    Args:
        folder: Where the files go; created if missing.
        p: Calibrated probabilities `(N, 4)`.
        labels: Labels int `(N,)`.
        title: Model and protocol.

    Returns:
        The paths of the files; none where matplotlib is not installed.
    """
    if not available():
        return []
    folder.mkdir(parents=True, exist_ok=True)
    drawings = {
        "confusion.png": _confusion,
        "roc.png": _roc,
        "precision-recall.png": _precision_recall,
        "reliability.png": _reliability,
        "coverage.png": _coverage,
    }
    paths = []
    for name, draw in drawings.items():
        figure, axes = _figure()
        draw(axes, p, labels)
        axes.set_title(title, fontsize=9, color=INK)
        figure.savefig(folder / name, dpi=120)
        paths.append(folder / name)
    return paths


SOURCE_BINS = 8
LEAST_IN_BIN = 10
"""A bin with fewer images says nothing about how often they hold a tumor."""


def plot_reliability_by_source(path: Path, *, presence: np.ndarray, tumor: np.ndarray, sources: list[str]) -> None:
    """Write how often images hold a tumor against its calibrated probability, one curve per source.

    Args:
        path: PNG file.
        presence: Calibrated probability of a tumor of any kind, float `(N,)`.
        tumor: Whether each image shows one, bool `(N,)`.
        sources: Where each image came from.
    """
    if not available():
        return
    figure, axes = _figure()
    axes.plot([0, 1], [0, 1], color="#9ca3af", linewidth=1, linestyle="--")
    names, bins = np.array(sources), np.minimum((presence * SOURCE_BINS).astype(int), SOURCE_BINS - 1)
    for number, name in enumerate(sorted(set(sources))):
        points = [
            (presence[own].mean(), tumor[own].mean())
            for index in range(SOURCE_BINS)
            if (own := (names == name) & (bins == index)).sum() >= LEAST_IN_BIN
        ]
        if points:
            axes.plot(*zip(*points, strict=True), marker="osD^vPX*"[number % 8], markersize=4, linewidth=1, label=name)
    axes.set_xlabel("calibrated probability of a tumor")
    axes.set_ylabel("share of images with one")
    axes.legend(fontsize=6, frameon=False)
    figure.savefig(path, dpi=120)


def plot_pairs(path: Path, *, pairs: list[tuple[np.ndarray, np.ndarray, float, float]], columns: int = 8) -> None:
    """Write slices with and without their tumor, one above the other, with their probabilities of a tumor.

    Args:
        path: PNG file.
        pairs: With and without the tumor, uint8 `(S, S)`, and the probability of each.
        columns: Pairs in a row.
    """
    if not available() or not pairs:
        return
    from matplotlib.figure import Figure

    rows = -(-len(pairs) // columns)
    figure = Figure(figsize=(1.3 * columns, 2.9 * rows), facecolor="black")
    for index, (whole, erased, before, after) in enumerate(pairs):
        row, column = divmod(index, columns)
        for offset, (pixels, probability) in enumerate(((whole, before), (erased, after))):
            axes = figure.add_subplot(2 * rows, columns, (2 * row + offset) * columns + column + 1)
            axes.imshow(pixels, cmap="gray", vmin=0, vmax=255)
            axes.set_title(percent(probability), fontsize=7, color="white", pad=2)
            axes.axis("off")
    figure.tight_layout(pad=0.3)
    figure.savefig(path, dpi=100)


def plot_curve(path: Path, *, curve: list[dict[str, float]]) -> None:
    """Write the training curve: losses on the left, validation shares on the right axis."""
    if not available():
        return
    figure, axes = _figure()
    epochs = [entry["epoch"] for entry in curve]
    axes.plot(epochs, [entry["loss"] for entry in curve], color=INK, marker="o", label="training loss")
    if all("validation_loss" in entry for entry in curve):
        axes.plot(epochs, [entry["validation_loss"] for entry in curve], color="#D55E00", label="validation loss")
    axes.set_xlabel("epoch")
    axes.set_ylabel("loss")
    axes.set_ylim(bottom=0)
    shares = axes.twinx()
    names = sorted({name for entry in curve for name in entry} - {"epoch", "step", "size", "loss", "validation_loss"})
    for name, style in zip(names, ("-", "--", "-.", ":"), strict=False):
        values = [entry.get(name, np.nan) for entry in curve]
        shares.plot(epochs, values, style, color="#009E73", label=name.removeprefix("validation_").replace("_", " "))
    shares.set_ylim(0, 1)
    handles = [*axes.get_legend_handles_labels()[0], *shares.get_legend_handles_labels()[0]]
    axes.legend(handles=handles, fontsize=7, frameon=False)
    figure.savefig(path, dpi=120)


def available() -> bool:
    """Return whether plots can be drawn, and log it where they cannot. Figures never depend on it."""
    if importlib.util.find_spec("matplotlib") is not None:
        return True
    log.warning("matplotlib is not installed, so no plots were drawn.")
    return False


def roc_points(score: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return false and true positive rates at every threshold, both rising from 0 to 1."""
    hit = positive[np.argsort(-score, kind="stable")]
    true = np.concatenate([[0], np.cumsum(hit)]) / max(1, hit.sum())
    false = np.concatenate([[0], np.cumsum(~hit)]) / max(1, (~hit).sum())
    return false, true


def _figure() -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6, 4.0), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _confusion(axes: Any, p: np.ndarray, labels: np.ndarray) -> None:
    table = metrics.confusion(p, labels)
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Greys", vmin=0, vmax=1)
    names = [FINDING_LABELS[name] for name in FINDINGS]
    axes.set_xticks(range(len(names)), names, rotation=20, fontsize=7)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    axes.set_xlabel("called")
    axes.set_ylabel("label")
    for row in range(len(names)):
        for column in range(len(names)):
            color = "white" if shares[row, column] > 0.5 else INK
            axes.text(column, row, str(table[row, column]), ha="center", va="center", color=color, fontsize=9)


def _roc(axes: Any, p: np.ndarray, labels: np.ndarray) -> None:
    for index, name in enumerate(FINDINGS):
        positive = labels == index
        if positive.any() and not positive.all():
            area = metrics.auroc(p[positive, index], p[~positive, index])
            label = f"{FINDING_LABELS[name]} (area {area:.3f})"
            axes.plot(*roc_points(p[:, index], positive), color=COLORS[name], label=label)
    axes.set_xlabel("false positive rate")
    axes.set_ylabel("sensitivity")
    axes.legend(fontsize=7, frameon=False)


def _precision_recall(axes: Any, p: np.ndarray, labels: np.ndarray) -> None:
    for index, name in enumerate(FINDINGS):
        hit = (labels == index)[np.argsort(-p[:, index], kind="stable")]
        if hit.any():
            found = np.cumsum(hit)
            precision, recall = found / np.arange(1, len(hit) + 1), found / found[-1]
            axes.plot(recall, precision, color=COLORS[name], label=FINDING_LABELS[name])
    axes.set_xlabel("recall")
    axes.set_ylabel("precision")
    axes.set_ylim(0, 1.02)
    axes.legend(fontsize=7, frameon=False, loc="lower left")


def _reliability(axes: Any, p: np.ndarray, labels: np.ndarray) -> None:
    table = metrics.reliability(p, labels)
    axes.plot([0, 1], [0, 1], color="#9ca3af", linewidth=1, linestyle="--")
    confidence = [row["confidence"] for row in table]
    sizes = [10 + 200 * row["images"] / len(p) for row in table]
    axes.scatter(confidence, [row["accuracy"] for row in table], s=sizes, color=ACCENT)
    axes.set_xlabel("confidence")
    axes.set_ylabel("accuracy")
    axes.set_xlim(0.2, 1.02)
    axes.set_ylim(0, 1.05)


def _coverage(axes: Any, p: np.ndarray, labels: np.ndarray) -> None:
    coverage, accuracy = metrics.selective(p, labels)
    axes.plot(coverage, accuracy, color=ACCENT)
    axes.set_xlabel("share of images answered")
    axes.set_ylabel("accuracy on them")
    axes.set_ylim(min(0.8, float(accuracy.min())), 1.005)
