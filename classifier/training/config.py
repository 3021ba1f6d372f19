"""The configuration of a training run, besides its data."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """Configuration of a run, besides its data.

    Attributes:
        stages: Pairs (image side in pixels, epochs), in order.
        batch_size: Images per step.
        learning_rate: Peak, after warm-up.
        warm_up: Share of all steps with a rising rate.
        weight_decay: Of AdamW, decoupled.
        smoothing: Label smoothing.
        location: Weight of the loss that asks for evidence at the tumor's place; 0 leaves it out.
        sharpness: See `location_loss`.
        lesion: Weight of the loss that asks for each place whether it holds a tumor; 0 leaves it out.
        balanced: Whether images are drawn by `Draws`; else every image once per epoch.
        epoch_steps: Steps between two validations; 0 counts the training images once.
        floor: Learning rate at the end, as a share of the peak. A moving average of the weights wants it high.
        mixup_alpha: See `Batches`.
        augmentation: A key of `AUGMENTATIONS`.
        freeze: Frozen blocks.
        layerwise_decay: See `LayerwiseLearningRates`.
        clip: Largest gradient norm.
        ema: Momentum of the moving average of the weights, which is what is validated and saved; 0 saves the
            weights themselves.
        patience: Epochs without a better validation loss before stopping; 0 never stops.
        seed: Of order, augmentation and initial head.
    """

    stages: tuple[tuple[int, int], ...] = ((224, 2), (299, 1))
    batch_size: int = 16
    learning_rate: float = 2e-4
    warm_up: float = 0.08
    weight_decay: float = 1e-2
    smoothing: float = 0.05
    location: float = 0.2
    sharpness: float = 0.5
    lesion: float = 0.5
    balanced: bool = True
    epoch_steps: int = 0
    floor: float = 0.0
    mixup_alpha: float = 0.0
    augmentation: str = "full"
    freeze: int = 3
    layerwise_decay: float = 1.0
    clip: float = 1.0
    ema: float = 0.0
    patience: int = 0
    seed: int = 1

    def sizes(self, images: int) -> list[int]:
        """Return the image side at every step, for a training set of `images` images."""
        return [size for size, epochs in self.stages for _ in range(self.steps_of_epoch(images) * epochs)]

    def steps_of_epoch(self, images: int) -> int:
        """Return the steps of one epoch, for a training set of `images` images."""
        return self.epoch_steps or max(1, images // self.batch_size)

    def rate(self, step: int, *, steps: int) -> float:
        """Return the learning rate at a step: linear warm-up, then half a cosine to the floor."""
        warm = max(1, int(self.warm_up * steps))
        if step < warm:
            return self.learning_rate * (step + 1) / warm
        share = 0.5 * (1 + float(np.cos(np.pi * (step - warm) / max(1, steps - warm))))
        return self.learning_rate * (self.floor + (1 - self.floor) * share)
