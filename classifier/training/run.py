"""One training run from a manifest to weights and `run.json`."""

import hashlib
import json
import logging
import platform
import subprocess
import sys
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from classifier.findings import FINDINGS
from classifier.inference.architectures import find_architecture
from classifier.inference.network import backbone_of, build_network, freeze_blocks
from classifier.training.config import TrainingConfig
from classifier.training.hospitals import check_outlines, read_data
from classifier.training.images import ImageSet, load_images
from classifier.training.loop import Progress, Trainer
from classifier.training.manifest import EXTRA_NAME, MANIFEST_NAME, Row
from classifier.training.protocols import Split, make_split

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The network to train, and its data.

    Attributes:
        data: Folders with manifests, see `read_data`.
        output: Folder of the run.
        network: Name of the architecture, see `find_architecture`.
        protocol: Data protocol.
        test_fold: Fold left out under `patient`.
        validate: Whether a validation part of the training images is held out; without it nothing can be chosen or
            stopped by it, and the last weights count.
        extra: Whether to learn from the partially labeled tumors.
        backbone_weights: File of backbone weights, or None for a random start.
        initial_weights: File of a whole network's weights to go on from, or None; comes after the backbone's.
        precision: Keras dtype policy; `mixed_bfloat16` is 1.6 times as fast on CPUs with AVX-512-BF16.
        limit: Largest number of training images (for trials), or None.
    """

    data: tuple[Path, ...]
    output: Path
    network: str = "xception"
    protocol: str = "patient"
    test_fold: int = 0
    validate: bool = True
    extra: bool = True
    backbone_weights: Path | None = None
    initial_weights: Path | None = None
    precision: str = "float32"
    limit: int | None = None


def train(options: RunOptions, *, config: TrainingConfig, progress: Progress) -> dict[str, Any]:
    """Train, or resume training, in `options.output`.

    Args:
        options: Data and network.
        config: Hyper-parameters.
        progress: Told after every step.

    Returns:
        The content of `run.json`, which is written beside `final.weights.h5`, `best.weights.h5` and `curve.json`.

    Raises:
        ManifestError: If the data must not be used.
        ValueError: If a weights file cannot be used.
    """
    import keras

    split = split_of(options)
    check_outlines(split.train)
    train_set = load_images(split.train[: options.limit], outlines=True)
    validation = load_images(validation_rows(split.validation)[: options.limit])
    keras.utils.set_random_seed(config.seed)
    keras.config.set_dtype_policy(options.precision)
    network = build_network(options.network)
    if options.backbone_weights is not None:
        read_weights(backbone_of(network), options.backbone_weights)
    if options.initial_weights is not None:
        read_weights(network, options.initial_weights)
    freeze_blocks(network, blocks=config.freeze)
    trainer = Trainer(network, config=config, folder=options.output, mirror=split.may_mirror)
    if trainer.resume():
        log.info("Resumed at step %d.", trainer.state.step)
    record = describe(options, config=config, split=split, train_set=train_set, validation=validation)
    write_json(options.output / "run.json", record)
    state = trainer.fit(train_set, validation=validation, official=split.official_labels, progress=progress)
    record |= {
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "steps": state.step,
        "seconds": round(state.seconds, 1),
        "curve": state.curve,
    }
    write_json(options.output / "run.json", record)
    return record


def read_weights(network: Any, path: Path) -> None:
    """Read weights into a Keras model; raise `ValueError` with what to do if the file does not fit it."""
    try:
        network.load_weights(path)
    except (OSError, KeyError, ValueError) as error:
        raise ValueError(f"{path} does not hold weights of this network. Choose another file. ({error})") from error


VALIDATION_ROWS = 64
"""Largest number of images of one source and label that are validated on after each epoch; a pass over all would take
longer than many epochs."""


def validation_rows(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """Return at most `VALIDATION_ROWS` images of each source, sequence and label, evenly spread, in order."""
    strata: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        strata.setdefault((row.source, row.sequence, row.true_label), []).append(row)
    chosen = {
        own[int(position)].image
        for own in strata.values()
        for position in np.linspace(0, len(own) - 1, min(len(own), VALIDATION_ROWS))
    }
    return tuple(row for row in rows if row.image in chosen)


def split_of(options: RunOptions) -> Split:
    """Read the manifests and divide them by the run's protocol."""
    return make_split(
        read_data(options.data, extra=options.extra),
        protocol=options.protocol,
        test_fold=options.test_fold,
        validate=options.validate,
    )


def describe(
    options: RunOptions, *, config: TrainingConfig, split: Split, train_set: ImageSet, validation: ImageSet
) -> dict[str, Any]:
    """All inputs needed to repeat the run."""
    import keras

    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command_line(),
        "code": revision(),
        "network": options.network,
        "input": input_of(options.network),
        "protocol": options.protocol,
        "test_fold": options.test_fold if options.protocol == "patient" else None,
        "labels": list(FINDINGS),
        "config": asdict(config),
        "precision": options.precision,
        "backbone_weights": digest(options.backbone_weights) if options.backbone_weights else None,
        "initial_weights": digest(options.initial_weights) if options.initial_weights else None,
        "manifests": {
            f"{folder.name}/{name}": digest(folder / name)
            for folder in options.data
            for name in (MANIFEST_NAME, EXTRA_NAME)
            if (folder / name).is_file()
        },
        "images": {"train": len(train_set), "validation": len(validation), "test": len(split.test)},
        "sources": dict(sorted(Counter(row.source for row in train_set.rows).items())),
        "licences": sorted({row.licence for row in train_set.rows if row.licence}),
        "partial_labels": sum(row.partial for row in train_set.rows),
        "skipped": [*train_set.skipped, *validation.skipped],
        "environment": {
            "python": platform.python_version(),
            "keras": keras.version(),
            "backend": keras.backend.backend(),
            "machine": platform.machine(),
        },
    }


def input_of(network: str) -> dict[str, Any]:
    """Return the format of an architecture's input as a card writes it, without the side."""
    parameters = find_architecture(network).preprocessing()
    return {
        "channels": parameters.channels,
        "range": [parameters.low, parameters.high],
        "resize": parameters.resize,
    }


def command_line() -> str:
    """Return how the program was called, absolute paths by their names: a record says nothing about its machine."""
    arguments = [Path(word).name if Path(word).is_absolute() else word for word in sys.argv[1:]]
    return " ".join(["manage.py", *arguments])


def digest(path: Path) -> str:
    """Return the sha256 of a file, as hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def revision() -> str:
    """Return the commit of the code, or `unknown` outside a checkout."""
    try:
        command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def write_json(path: Path, content: Any) -> None:
    """Write readable JSON in one step, so that no reader sees half of it."""
    partial = path.with_name(path.name + ".part")
    partial.write_text(json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n", encoding="utf-8")
    partial.replace(path)
