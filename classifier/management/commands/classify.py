"""`manage.py classify PATH…`: the same intake and network as the web application, without a database."""

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from classifier.findings import FINDINGS, TUMORS
from classifier.inference.decision import Decision
from classifier.inference.registry import ModelCard
from classifier.inference.saliency import overlay_png
from classifier.intake import CanonicalImage, RefusedImage, read_image, start_reader
from classifier.selectors.model import available_models
from classifier.wording import ResultData, sentence

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".dcm", ".dicom"}


class Command(BaseCommand):
    """Classify files or folders and print a line for each."""

    help = "Classify image files, or all images in folders. The exit code is 1 if any file could not be read."
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's own annotation

    def add_arguments(self, parser: ArgumentParser) -> None:
        """PATH…, --model, --json and --saliency."""
        parser.add_argument("paths", metavar="PATH", nargs="+", type=Path, help="file or folder")
        parser.add_argument("--model", default=settings.MODEL, help="folder under models/ (default: %(default)s)")
        parser.add_argument("--json", action="store_true", help="one JSON object per line")
        parser.add_argument("--saliency", metavar="DIR", type=Path, help="folder for the tumor overlays (PNG)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Classify one file after the other; a bad file gets its line and the others go on."""
        files = list(_files(options["paths"]))
        if not files:
            raise CommandError("No image found. Name files, or folders with JPEG, PNG, or DICOM files.")
        if options["saliency"]:
            _make_folder(options["saliency"])
        start_reader()  # its imports run while the model is loaded
        analyzer = _load(options["model"])
        failed = False
        for path in files:
            line = _classify(path, analyzer=analyzer, saliency=options["saliency"])
            failed |= "error" in line
            self.stdout.write(json.dumps(line, ensure_ascii=False) if options["json"] else _sentence(line))
            self.stdout.flush()
        if failed:
            raise SystemExit(1)


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"The overlays cannot be written to {path}: {error.strerror}.") from error


def _load(name: str) -> Any:
    if name not in available_models():
        raise CommandError(f"There is no model {name!r}. Available: {', '.join(available_models()) or 'none'}.")
    from classifier.inference.analyzer import Analyzer
    from classifier.inference.registry import ModelError

    try:
        folder = Path(settings.MODELS_DIR) / name
        return Analyzer.from_folder(folder, engine=settings.ENGINE, exports=settings.EXPORTS_DIR)
    except ModelError as error:
        raise CommandError(str(error)) from error


def _files(paths: list[Path]) -> Iterator[Path]:
    """Return the files as named, and of folders everything that is called like an image, in order."""
    for path in paths:
        if path.is_dir():
            yield from sorted(p for p in path.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file())
        else:
            yield path


def _classify(path: Path, *, analyzer: Any, saliency: Path | None) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            image = read_image(file)
    except RefusedImage as error:
        return {"file": str(path), "error": error.message}
    except OSError as error:
        return {"file": str(path), "error": f"The file could not be opened: {error.strerror}."}
    result = analyzer.analyze([image.pixels])[0]
    decision = result.decision
    line = {
        "file": str(path),
        "outcome": str(decision.outcome),
        "finding": decision.finding,
        "possible_findings": list(decision.possible),
        "probabilities": None
        if decision.probabilities is None
        else {name: _rounded(p) for name, p in zip(FINDINGS, decision.probabilities, strict=True)},
        "tumor_probability": _rounded(decision.tumor_probability),
        "confidence": _rounded(decision.confidence),
        "ood_score": _rounded(decision.ood_score),
        "model": f"{analyzer.card.name} {analyzer.card.version}",
        "milliseconds": round(result.milliseconds, 1),
    }
    if saliency is not None and decision.finding not in (None, "notumor"):
        line["saliency"] = str(_write_overlay(path, image, result, folder=saliency, card=analyzer.card))
    return line


def _write_overlay(path: Path, image: CanonicalImage, result: Any, *, folder: Path, card: ModelCard) -> Path:
    """Write the overlay, never over another file's of the same name."""
    target = folder / f"{path.stem}.png"
    number = 2
    while target.exists():
        target = folder / f"{path.stem}-{number}.png"
        number += 1
    png = overlay_png(
        result.class_maps,
        finding=_mapped(result.decision),
        width=image.width,
        height=image.height,
        scale=card.saliency,
    )
    target.write_bytes(png)
    return target


def _mapped(decision: Decision) -> str:
    """Return the tumor whose class map is drawn: the one named or, if its kind is unknown, the likeliest."""
    assert decision.probabilities is not None
    if decision.finding in TUMORS:
        return str(decision.finding)
    return max(TUMORS, key=lambda name: decision.probabilities[FINDINGS.index(name)])  # type: ignore[index]


def _sentence(line: dict[str, Any]) -> str:
    if "error" in line:
        return f"{line['file']}: {line['error']}"
    probabilities = line["probabilities"]
    result = ResultData(
        outcome=line["outcome"],
        finding=line["finding"] or "",
        probabilities=None if probabilities is None else [probabilities[name] for name in FINDINGS],
        possible_findings=line["possible_findings"],
        confidence=line["confidence"],
    )
    return f"{line['file']}: {sentence(result)}"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 6)
