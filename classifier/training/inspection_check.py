"""Measure the input check on images that it has never seen: clean, turned, cropped, and marked."""

import random
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from classifier.input_problems import CROPPED, MARKED, MARKED_HEAD, SENTENCES, TURNED
from classifier.inspection import Problem, inspect_image, turned
from classifier.training.images import read_source
from classifier.training.inspection_draws import marked
from classifier.training.manifest import Row

UInt8Array = npt.NDArray[np.uint8]

HEAD_FROM, LEAST_SHARE = 0.2, 0.05
LEAST_CHANGED = 0.0005
"""Share of the pixels that a marking changes, below which it is hardly visible: black on black, or white on white."""

Change = Callable[[UInt8Array, random.Random, int], tuple[UInt8Array, str]]


def check_inspection(
    rows: Sequence[Row], *, fonts: tuple[Path, ...], count: int = 300, seed: int = 7
) -> dict[str, Any]:
    """Return the shares of images that are warned of.

    Args:
        rows: Images that nothing was fitted on.
        fonts: Font files that no training image was marked with.
        count: Images of each kind.
        seed: Seed of all choices.
    """
    chance = random.Random(seed)
    chosen = chance.sample(list(rows), min(count, len(rows)))
    images = [read_source(row.path, mirrored=row.mirrored) for row in chosen]
    milliseconds: list[float] = []

    def inspect(image: UInt8Array) -> list[Problem]:
        started = time.process_time()
        problems = inspect_image(image)
        milliseconds.append((time.process_time() - started) * 1000)
        return problems

    clean = [inspect(image) for image in images]
    result: dict[str, Any] = {
        "images": len(images),
        "fonts": sorted(path.stem for path in fonts),
        "clean": {
            "warned": _share(bool(problems) for problems in clean),
            "by_code": {
                code: _share(any(problem.code == code for problem in problems) for problems in clean)
                for code in SENTENCES
            },
            "files": sorted(row.file for row, problems in zip(chosen, clean, strict=True) if problems),
        },
    }
    changes: dict[str, tuple[tuple[str, ...], Change]] = {
        TURNED: ((TURNED,), _turn),
        CROPPED: ((CROPPED,), _crop),
        MARKED: ((MARKED, MARKED_HEAD), lambda image, chance, number: _mark(image, chance, number, fonts)),
    }
    for name, (codes, change) in changes.items():
        found: dict[str, list[bool]] = {}
        any_warning = []
        for number, image in enumerate(images):
            changed, kind = change(image, chance, number)
            problems = inspect(changed)
            found.setdefault(kind, []).append(any(problem.code in codes for problem in problems))
            any_warning.append(bool(problems))
        result[name] = {
            "warned": _share(any_warning),
            "named": _share(value for values in found.values() for value in values),
            "by_kind": {
                kind: {"images": len(values), "named": _share(values)} for kind, values in sorted(found.items())
            },
        }
    result["processor_milliseconds_median"] = round(statistics.median(milliseconds), 1)
    return result


def _turn(image: UInt8Array, chance: random.Random, number: int) -> tuple[UInt8Array, str]:
    quarters = number % 3 + 1
    return turned(image, quarters=quarters), f"{90 * quarters} degrees"


def _crop(image: UInt8Array, chance: random.Random, number: int) -> tuple[UInt8Array, str]:
    """Cut 22 to 35% of the head's extent off two sides. Shares of the image could cut off background only."""
    bright = image > HEAD_FROM * np.percentile(image, 99)
    cuts = []
    for axis in (1, 0):
        lines = np.flatnonzero(bright.mean(axis=axis) > LEAST_SHARE)
        first, last = (int(lines[0]), int(lines[-1]) + 1) if len(lines) else (0, image.shape[1 - axis])
        removed = chance.uniform(0.22, 0.35) * (last - first)
        cuts.append(
            slice(round(first + removed), None) if chance.random() < 0.5 else slice(None, round(last - removed))
        )
    return np.ascontiguousarray(image[cuts[0], cuts[1]]), "two sides"


def _mark(image: UInt8Array, chance: random.Random, number: int, fonts: tuple[Path, ...]) -> tuple[UInt8Array, str]:
    kind = ("text", "letter", "arrow")[number % 3]
    found = marked(image, chance=chance, fonts=fonts, kind=kind)
    return found.image, kind if found.mask.mean() >= LEAST_CHANGED else f"{kind}, hardly visible"


def _share(values: Any) -> float:
    values = list(values)
    return round(sum(values) / len(values), 4) if values else 0.0
