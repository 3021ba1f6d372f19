"""The front end's files: vendored as recorded, nothing inline, colors that can be read."""

import re
from itertools import combinations
from pathlib import Path

import pytest
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage
from django.core.management import call_command
from django.template.loader import get_template
from django.test import override_settings

from scripts.vendor_static import check

ROOT = Path(__file__).resolve().parent.parent.parent
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
TOKENS = (ROOT / "static" / "css" / "tokens.css").read_text()
FINDINGS = ("glioma", "meningioma", "notumor", "pituitary", "uncertain")


def test_vendored_files_are_as_recorded():
    assert check() == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.relative_to(ROOT / "templates").as_posix())
def test_templates_hold_nothing_that_the_policy_forbids(path):
    # The policy of documents names the hash of this one style sheet.
    source = path.read_text().replace("<style>{{ style }}</style>", "")
    get_template(path.relative_to(ROOT / "templates").as_posix())
    assert not re.search(r"<script(?![^>]*\bsrc=)", source)
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|hx-on|hx-vals=.js:", source)
    assert not re.search(r"https?://", source)
    assert not re.search(r"\|\s*safe(?!\w)", source.replace("field.help_text|safe", ""))


def test_every_file_named_by_another_exists(tmp_path):
    """Hashing fails on a reference that leads nowhere, as the deployed storage would."""
    storages = {
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
        "staticfiles": {"BACKEND": f"{ManifestStaticFilesStorage.__module__}.ManifestStaticFilesStorage"},
    }
    with override_settings(STATIC_ROOT=tmp_path, STORAGES=storages):
        call_command("collectstatic", interactive=False, verbosity=0)
    assert (tmp_path / "staticfiles.json").exists()


def test_every_icon_that_templates_draw_is_vendored():
    sprite = (ROOT / "static" / "vendor" / "bootstrap-icons" / "sprite.svg").read_text()
    drawn = {name for path in TEMPLATES for name in re.findall(r'{% icon "([\w-]+)"', path.read_text())}
    vendored = set(re.findall(r'<symbol id="([\w-]+)"', sprite))
    assert drawn == vendored


def colors(theme: int) -> dict[str, str]:
    """Token → color: the first of each pair is for light, the second for dark."""
    return {name: pair[theme] for name, *pair in re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", TOKENS)}


def linear(color: str) -> list[float]:
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def contrast(one: str, other: str) -> float:
    """Contrast ratio by WCAG 2.1."""
    weights = (0.2126, 0.7152, 0.0722)
    first, second = (sum(w * c for w, c in zip(weights, linear(x), strict=True)) for x in (one, other))
    return (max(first, second) + 0.05) / (min(first, second) + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("surface", ["bg", "surface", "surface-2"])
@pytest.mark.parametrize("text", ["text", "muted", "accent", "danger"])
def test_text_can_be_read(theme, surface, text):
    tokens = colors(theme)
    assert contrast(tokens[text], tokens[surface]) >= 4.5


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("mark", [*FINDINGS, "not_brain_mri", "line-strong"])
def test_marks_and_borders_of_fields_can_be_seen(theme, mark):
    tokens = colors(theme)
    assert contrast(tokens[mark], tokens["surface"]) >= 3


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_on_buttons_can_be_read(theme):
    assert contrast("#ffffff", colors(theme)["accent-fill"]) >= 4.5


# Machado, Oliveira and Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency", 2009.
VISION = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": ((0.1523, 1.0526, -0.2049), (0.1145, 0.7863, 0.0992), (-0.0039, -0.0481, 1.0520)),
    "deutan": ((0.3673, 0.8606, -0.2280), (0.2801, 0.6725, 0.0474), (-0.0118, 0.0429, 0.9689)),
    "tritan": ((1.2555, -0.0767, -0.1788), (-0.0784, 0.9308, 0.1476), (0.0047, 0.6914, 0.3039)),
}


def lab(rgb: list[float]) -> list[float]:
    """CIE L*a*b* of linear RGB, white point D65."""
    rows = ((0.4124, 0.3576, 0.1805, 0.9505), (0.2126, 0.7152, 0.0722, 1.0), (0.0193, 0.1192, 0.9505, 1.089))
    xyz = [(r * rgb[0] + g * rgb[1] + b * rgb[2]) / white for r, g, b, white in rows]
    x, y, z = (v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in xyz)
    return [116 * y - 16, 500 * (x - y), 200 * (y - z)]


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("vision", VISION)
def test_findings_differ_for_every_eye(theme, vision):
    tokens, seen = colors(theme), {}
    for name in FINDINGS:
        rgb = linear(tokens[name])
        mixed = [sum(m * c for m, c in zip(row, rgb, strict=True)) for row in VISION[vision]]
        seen[name] = lab([min(1.0, max(0.0, part)) for part in mixed])
    for one, other in combinations(FINDINGS, 2):
        distance = sum((a - b) ** 2 for a, b in zip(seen[one], seen[other], strict=True)) ** 0.5
        assert distance >= 15, (one, other)
