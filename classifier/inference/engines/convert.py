"""`python -m classifier.inference.engines.convert MODEL_FOLDER MODULE TARGET`: export a model for an engine.

`export.prepare` runs this module in a separate process. On failure, the last line of its standard error is the reason.
"""

import importlib
import sys
from pathlib import Path
from typing import Any

from classifier.inference.engines.keras import load_network
from classifier.inference.registry import ModelError, load_card


def convert(folder: Path, *, module: str, target: Path) -> None:
    """Convert a model in this process, which must have TensorFlow.

    Args:
        folder: `models/<name>`.
        module: The dotted name of the module of an engine that runs exported graphs.
        target: An empty folder.

    Raises:
        ModelError: If the model cannot be used.
    """
    card = load_card(folder)
    adapter: Any = importlib.import_module(module)
    adapter.write(load_network(card), card=card, folder=target)


if __name__ == "__main__":
    try:
        convert(Path(sys.argv[1]), module=sys.argv[2], target=Path(sys.argv[3]))
    except ModelError as error:
        sys.exit(str(error))
