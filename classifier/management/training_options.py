"""Options shared by the training commands: data, initial weights and hyperparameters."""

import sys
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from classifier.training.config import TrainingConfig
    from classifier.training.loop import Progress
    from classifier.training.run import RunOptions


def stage(text: str) -> tuple[int, int]:
    """Read `SIDE:EPOCHS`, such as 224:2."""
    side, _, epochs = text.partition(":")
    if not (side.isdigit() and epochs.isdigit() and int(side) >= 64):
        raise ArgumentTypeError(f"a stage is SIDE:EPOCHS, such as 224:2. Received: {text!r}")
    return int(side), int(epochs)


def architecture(name: str) -> str:
    """Read the name of an architecture and return it as cards write it."""
    from classifier.inference.architectures import find_architecture

    try:
        return find_architecture(name).name
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


def add_data_option(parser: ArgumentParser) -> None:
    """Add `--data`, which takes one or more folders."""
    parser.add_argument(
        "--data",
        type=Path,
        nargs="+",
        required=True,
        metavar="DIR",
        help="folders with manifest.csv and the images: the main data set, and any of other hospitals",
    )


def add_training_options(parser: ArgumentParser) -> None:
    """Add everything but the choice of training and test images."""
    add = parser.add_argument
    add_data_option(parser)
    add("--output", type=Path, required=True, metavar="DIR", help="checkpoints, weights, curves, run.json")
    add(
        "--architecture",
        type=architecture,
        default="xception",
        metavar="NAME",
        help="xception, compact-cnn, efficientnet-lite0 to -lite2, or a network of keras.applications",
    )
    add("--no-extra", action="store_true", help="do not train on extra_tumors.csv")
    add("--backbone-weights", type=Path, metavar="FILE", help="weights of the backbone without its top")
    add("--initial-weights", type=Path, metavar="FILE", help="weights of a whole network to continue from")
    add("--stage", type=stage, action="append", metavar="SIDE:EPOCHS", help="in order; default 224:2 299:1")
    add("--batch-size", type=int, default=16)
    add("--learning-rate", type=float, default=2e-4)
    add("--warm-up", type=float, default=0.08, help="share of the steps used for learning-rate warmup")
    add("--weight-decay", type=float, default=1e-2)
    add("--smoothing", type=float, default=0.05, help="label smoothing")
    add("--location", type=float, default=0.2, help="weight of the location loss")
    add("--lesion", type=float, default=0.5, help="weight of the lesion loss")
    add("--epoch-steps", type=int, default=0, metavar="N", help="steps of an epoch; 0 counts the images once")
    add("--floor", type=float, default=0.0, help="learning rate at the end, as a share of the peak")
    add("--uniform", action="store_true", help="every image once per epoch, instead of balanced draws")
    add("--mixup-alpha", type=float, default=0.0, help="parameter of mixup's beta distribution; 0 for none")
    add("--augmentation", default="full", choices=("full", "mild"), help="mild: for the protocol official")
    add("--ema", type=float, default=0.0, help="momentum of the moving average of the weights; 0 for none")
    add("--freeze", type=int, help="frozen blocks at the start of the backbone; 3 by default, 0 for a random start")
    add(
        "--layerwise-decay",
        type=float,
        default=1.0,
        help="factor on the learning rate from each block to the one before it; 1 for none",
    )
    add("--patience", type=int, default=0, help="epochs without a better validation loss; 0 never stops")
    add("--seed", type=int, default=1)
    add("--precision", default="float32", choices=("float32", "mixed_bfloat16", "mixed_float16"))
    add("--limit", type=int, metavar="N", help="at most N images, for a trial")


def read_training_options(options: dict[str, Any]) -> "tuple[TrainingConfig, RunOptions]":
    """Return the hyper-parameters, and the data and start, that the options ask for."""
    from classifier.training.config import TrainingConfig
    from classifier.training.run import RunOptions

    from_random = options["backbone_weights"] is None and options["initial_weights"] is None
    freeze = options["freeze"] if options["freeze"] is not None else 0 if from_random else TrainingConfig().freeze
    config = TrainingConfig(
        stages=tuple(options["stage"] or TrainingConfig().stages),
        batch_size=options["batch_size"],
        learning_rate=options["learning_rate"],
        warm_up=options["warm_up"],
        weight_decay=options["weight_decay"],
        smoothing=options["smoothing"],
        location=options["location"],
        lesion=options["lesion"],
        epoch_steps=options["epoch_steps"],
        floor=options["floor"],
        mixup_alpha=options["mixup_alpha"],
        augmentation=options["augmentation"],
        ema=options["ema"],
        balanced=not options["uniform"],
        freeze=freeze,
        layerwise_decay=options["layerwise_decay"],
        patience=options["patience"],
        seed=options["seed"],
    )
    run = RunOptions(
        data=tuple(options["data"]),
        output=options["output"],
        network=options["architecture"],
        extra=not options["no_extra"],
        backbone_weights=options["backbone_weights"],
        initial_weights=options["initial_weights"],
        precision=options["precision"],
        limit=options["limit"],
    )
    return config, run


def training_line() -> "Progress":
    """Return a function that shows steps, loss and time left on standard error."""
    from classifier.training.progress import ProgressLine

    line = ProgressLine(sys.stderr, label="training")

    def progress(done: int, total: int, loss: float, left: float) -> None:
        line(done, total, left=left, note=f"loss {loss:.3f}")

    return progress
