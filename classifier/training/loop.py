"""The training loop: config, schedule, checkpoint, resume, early stopping. Runs on any Keras backend."""

import functools
import json
import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from classifier.findings import FINDINGS
from classifier.inference.architectures import find_architecture
from classifier.inference.network import map_side, save_float16, with_training_outputs
from classifier.inference.preprocessing import DEFAULT, Preprocessing
from classifier.training.batches import Batches, evaluation_inputs
from classifier.training.config import TrainingConfig
from classifier.training.ema import ExponentialMovingAverage
from classifier.training.images import ImageSet
from classifier.training.layerwise_lr import LayerwiseLearningRates
from classifier.training.losses import lesion_loss, location_loss, partial_label_loss
from classifier.training.manifest import targets
from classifier.training.metrics import auroc
from classifier.training.pointing import points_at

log = logging.getLogger(__name__)

CHECKPOINT_SECONDS = 240.0
"""A killed run loses at most this much work; writing takes about a second."""


@dataclass(slots=True)
class State:
    """Progress of a run; written with each checkpoint.

    Attributes:
        step: Steps done.
        curve: One entry per epoch: `epoch`, `step`, `size`, `loss`, `validation_loss`, `validation_accuracy`.
        best: Lowest validation loss so far.
        waited: Epochs since then.
        losses: Training losses of the current epoch.
        seconds: Time spent training.
    """

    step: int = 0
    curve: list[dict[str, float]] = field(default_factory=list)
    best: float = float("inf")
    waited: int = 0
    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0


Progress = Callable[[int, int, float, float], None]
"""Called after each step with steps done, all steps, the loss, and seconds left."""


class Trainer:
    """Trains one network in one folder, from wherever the folder's checkpoint stands."""

    def __init__(self, network: Any, *, config: TrainingConfig, folder: Path, mirror: bool = True) -> None:
        """Compile the network.

        Args:
            network: A model made by `build_network`.
            config: What to compute.
            folder: Where checkpoints, curves and the result are kept; created if missing.
            mirror: Whether mirroring may be used.
        """
        import keras

        self.network, self.config, self.folder, self.mirror = network, config, folder, mirror
        self.parameters = find_architecture(network.name).preprocessing()
        self.state = State()
        folder.mkdir(parents=True, exist_ok=True)
        optimizer = keras.optimizers.AdamW(
            learning_rate=config.learning_rate, weight_decay=config.weight_decay, global_clipnorm=config.clip
        )
        self.model = with_training_outputs(network)
        self.model.compile(
            optimizer=optimizer,
            loss=[partial_label_loss(config.smoothing), location_loss(config.sharpness), lesion_loss()],
            loss_weights=[1.0, config.location, config.lesion],
            jit_compile=False,
        )
        optimizer.build(self.model.trainable_variables)
        self.layerwise = LayerwiseLearningRates(network, decay=config.layerwise_decay)
        self.ema = ExponentialMovingAverage(self.model.trainable_variables, momentum=config.ema)

    def fit(self, train: ImageSet, *, validation: ImageSet, official: bool, progress: Progress) -> State:
        """Train to the end of the config, or until validation stops improving.

        Args:
            train: Images to learn from.
            validation: Images to stop on; may be empty.
            official: Whether published labels are learned.
            progress: Told after every step.

        Returns:
            The final state. `best.weights.h5` holds the weights of the best epoch, `final.weights.h5` of the last.
        """
        from classifier.training.augment import AUGMENTATIONS

        config, state = self.config, self.state
        sizes = config.sizes(len(train))
        per_epoch = config.steps_of_epoch(len(train))
        augmentation = AUGMENTATIONS[config.augmentation]
        if not self.mirror:
            augmentation = replace(augmentation, mirror=0.0)
        batches = Batches(
            train,
            augmentation,
            config.batch_size,
            config.seed,
            official,
            config.balanced,
            config.mixup_alpha,
            self.parameters,
            functools.cache(lambda size: map_side(self.network, size=size)),
        )
        saved = started = time.monotonic()
        earlier, first = state.seconds, state.step
        for inputs, *truth in batches.stream(start=state.step, sizes=sizes):
            self.model.optimizer.learning_rate = config.rate(state.step, steps=len(sizes))
            with self.layerwise.applied():
                loss = float(self.model.train_on_batch(inputs, truth, return_dict=True)["loss"])
            self.model.reset_metrics()
            state.losses.append(loss)
            state.step += 1
            self.ema.update(state.step)
            now = time.monotonic()
            state.seconds = earlier + now - started
            left = (now - started) / (state.step - first) * (len(sizes) - state.step)
            progress(state.step, len(sizes), loss, left)
            if state.step % per_epoch == 0 or state.step == len(sizes):
                self._end_epoch(validation, size=sizes[state.step - 1], official=official)
                if config.patience and state.waited >= config.patience:
                    log.info("Stopped early: no better validation loss for %d epochs.", state.waited)
                    break
            if now - saved > CHECKPOINT_SECONDS:
                self.save()
                saved = time.monotonic()
        return state

    def _end_epoch(self, validation: ImageSet, *, size: int, official: bool) -> None:
        state = self.state
        entry: dict[str, float] = {
            "epoch": len(state.curve) + 1,
            "step": state.step,
            "size": size,
            "loss": float(np.mean(state.losses)),
        }
        with self.ema.applied():
            if len(validation):
                entry |= validation_scores(
                    self.model, validation, size=size, official=official, parameters=self.parameters
                )
            score = entry.get("validation_loss", entry["loss"])
            if score < state.best:
                state.best, state.waited = score, 0
                save_float16(self.network, self.folder / "best.weights.h5")
            else:
                state.waited += 1
            save_float16(self.network, self.folder / "final.weights.h5")
        state.curve.append(entry)
        state.losses = []
        log.info("%s", json.dumps(entry))
        self.save()

    def save(self) -> None:
        """Write a checkpoint; a kill at any moment leaves the earlier or the later one whole."""
        import keras

        variables = [*self.model.variables, *self.model.optimizer.variables]
        values = [*map(keras.ops.convert_to_numpy, variables), *self.ema.values]
        arrays = {str(i): value for i, value in enumerate(values)}
        partial = self.folder / "checkpoint.part.npz"
        np.savez(partial, state=json.dumps(asdict(self.state)), **arrays)
        partial.replace(self.folder / "checkpoint.npz")
        curve = self.folder / "curve.json"
        curve.write_text(json.dumps(self.state.curve, indent=2) + "\n", encoding="utf-8")

    def resume(self) -> bool:
        """Continue from the folder's checkpoint.

        Returns:
            Whether there was one.

        Raises:
            ValueError: If it belongs to another network.
        """
        path = self.folder / "checkpoint.npz"
        if not path.is_file():
            return False
        variables = [*self.model.variables, *self.model.optimizer.variables]
        with np.load(path) as archive:
            expected = len(variables) + len(self.ema.values)
            if len(archive.files) != expected + 1:
                raise ValueError(
                    f"{path} belongs to another network. Choose another output folder. "
                    f"Received: {len(archive.files) - 1} tensors, expected {expected}"
                )
            for i, variable in enumerate(variables):
                variable.assign(archive[str(i)])
            self.ema.values = [archive[str(i)] for i in range(len(variables), expected)]
            self.state = State(**json.loads(str(archive["state"])))
        return True


def validation_scores(
    model: Any, images: ImageSet, *, size: int, official: bool, parameters: Preprocessing = DEFAULT
) -> dict[str, float]:
    """Return scores without augmentation.

    Args:
        model: A model made by `with_training_outputs`.
        images: The validation images.
        size: Side of the inputs in pixels.
        official: Whether published labels count.
        parameters: Channels and value range of the inputs.

    Returns:
        `validation_loss` (no smoothing); `validation_accuracy` on full labels; where there are such images,
        `validation_tumor_sensitivity` (tumors of unknown type called any tumor), `validation_specificity`
        `validation_pointing` (strongest place of a tumor's own map inside its box), and `validation_area_…`: for each
        set of another hospital and sequence, the area under the ROC curve of tumor against no tumor.
    """
    parts = [model.predict_on_batch(part) for part in evaluation_inputs(images, size=size, parameters=parameters)]
    logits = np.concatenate([np.asarray(part[0], np.float64) for part in parts])
    maps = np.concatenate([np.asarray(part[1], np.float32) for part in parts])
    allowed = np.array([targets(row, official=official) for row in images.rows], np.float32)
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = exponentials / exponentials.sum(axis=1, keepdims=True)
    right = allowed[np.arange(len(p)), p.argmax(axis=1)] > 0
    partial = np.array([row.partial for row in images.rows])
    healthy = np.array([row.true_label == "notumor" for row in images.rows])
    hits = [hit for row, item in zip(images.rows, maps, strict=True) if (hit := points_at(row, item)) is not None]
    parts_of = {
        "validation_accuracy": right[~partial],
        "validation_tumor_sensitivity": right[partial],
        "validation_specificity": right[healthy],
        "validation_pointing": np.array(hits),
    }
    notumor = FINDINGS.index("notumor")
    for key in sorted({(row.source, row.sequence) for row in images.rows if row.use}):
        own = np.array([(row.source, row.sequence) == key for row in images.rows])
        if (own & healthy).any() and (own & ~healthy).any():
            area = auroc(1 - p[own & ~healthy, notumor], 1 - p[own & healthy, notumor])
            parts_of[f"validation_area_{key[0]}_{key[1]}"] = np.array([area])
    loss = float(-np.log(np.maximum((p * allowed).sum(axis=1), 1e-12)).mean())
    return {"validation_loss": loss} | {name: float(part.mean()) for name, part in parts_of.items() if len(part)}
