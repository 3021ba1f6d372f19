"""Rules about imports that import-linter cannot state; pyproject.toml states the layers."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from devtools.running import ROOT

HEAVY = ("tensorflow", "keras", "torch", "jax", "weasyprint", "pydantic_ai", "openai", "anthropic", "google.genai")


def imports_of(path: Path) -> set[str]:
    """Every module that a file imports, inside functions too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def modules(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / "classifier" / folder).rglob("*.py"))]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", modules("models", "queue", "worker", "services", "selectors"), ids=name_of)
def test_nothing_below_the_edges_knows_of_http(path):
    banned = ("django.http", "django.shortcuts")
    assert not {name for name in imports_of(path) if name.startswith(banned)}


@pytest.mark.parametrize("path", modules("web", "api"), ids=name_of)
def test_edges_write_through_services(path):
    source = path.read_text()
    for call in (".objects.create(", ".bulk_create(", ".objects.filter(", ".objects.get("):
        assert call not in source, f"{call} belongs into a service or selector"


def test_the_web_application_starts_without_heavy_libraries(tmp_path):
    """Every page's code is imported, and none of it brings TensorFlow, WeasyPrint, or language models along."""
    program = (
        "import sys; from brainscan.wsgi import application\n"
        "from django.urls import get_resolver; get_resolver().url_patterns\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    environment = {"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
