"""Model folders as web processes see them: a card without weights, like the shipped one but for its name."""

import json
from pathlib import Path
from typing import Any

from tests.conftest import MODELS

SHIPPED = MODELS / "xception"


def make_model_folder(models: Path, name: str, *, version: str = "1.0", **changes: Any) -> Path:
    """Write the card of a model named `name` into `models` and return its folder."""
    folder = models / name
    folder.mkdir(parents=True)
    card = json.loads((SHIPPED / "card.json").read_text(encoding="utf-8"))
    card |= {"name": name, "version": version, "title": f"The model {name}"} | changes
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
    return folder
