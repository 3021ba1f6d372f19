"""Make and update model cards. People write the texts; only commands write numbers."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from classifier.findings import FINDINGS
from classifier.inference.preprocessing import DEFAULT, Preprocessing
from classifier.inference.registry import CARD_NAME, FORMAT

CALIBRATION_NAME = "calibration.json"


def describe_file(path: Path, *, dtype: str) -> dict[str, Any]:
    """Return a card's entry for a file: name, sha256, bytes, dtype."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"file": path.name, "sha256": digest, "bytes": path.stat().st_size, "dtype": dtype}


def new_card(
    folder: Path,
    *,
    network: str,
    version: str,
    weights: str,
    texts: dict[str, Any],
    preprocessing: Preprocessing = DEFAULT,
    dtype: str = "float16",
) -> Path:
    """Write the first card of a model: not yet calibrated, nothing abstained from, nothing refused.

    Args:
        folder: `models/<name>`, holding the weights file.
        network: Name of the architecture, or `ENSEMBLE`.
        version: Version of the model.
        weights: Name of the weights file.
        texts: Sections written by people: title, training, licence, intended use, weaknesses.
        preprocessing: Format of the network's input.
        dtype: Of the numbers in the weights file.

    Returns:
        The card's path.
    """
    card = {
        "format": FORMAT,
        "name": folder.name,
        "version": version,
        "network": network,
        "labels": list(FINDINGS),
        "input": {
            "size": preprocessing.size,
            "channels": preprocessing.channels,
            "range": [preprocessing.low, preprocessing.high],
            "resize": preprocessing.resize,
            "antialias": True,
            "aspect": "stretched to a square",
        },
        "weights": describe_file(folder / weights, dtype=dtype),
        "calibration": {"temperature": 1.0},
        "abstention": {"threshold": 0.0},
        "saliency": {"floor": 0.0, "ceiling": 10.0},
        "metrics": [],
        **texts,
    }
    return write_card(folder, card)


def read_card(folder: Path) -> dict[str, Any]:
    """Return the card of a model folder as plain data."""
    content: dict[str, Any] = json.loads((folder / CARD_NAME).read_text(encoding="utf-8"))
    return content


def write_card(folder: Path, card: dict[str, Any]) -> Path:
    """Write a card in one step and return its path."""
    return write_json(folder / CARD_NAME, card)


def write_json(path: Path, content: Any) -> Path:
    """Write readable JSON in one step, so that no reader sees half of it; return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    partial.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(path)
    return path


def today() -> str:
    """Return the date as written in cards, YYYY-MM-DD in UTC."""
    return datetime.now(UTC).date().isoformat()
