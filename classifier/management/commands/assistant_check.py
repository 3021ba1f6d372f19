"""`manage.py assistant_check --provider P`: try a language model on the sample images and keep its figures."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from classifier.assistant.failures import ProviderFailed
from classifier.assistant.trial import Tried, try_images
from classifier.assistant_figures import Figures, figures_of
from classifier.inference.registry import ModelError
from classifier.intake import CanonicalImage, RefusedImage, read_image, start_reader
from classifier.models import AssistantProvider
from classifier.selectors.explanation import all_providers
from classifier.selectors.model import available_models, default_model
from classifier.services.assistant import adopt_environment, connection_of, store_trial
from classifier.services.errors import ServiceError
from classifier.wording import percent

SUFFIXES = {".jpg", ".jpeg", ".png"}


class Command(BaseCommand):
    """Send the sample images to a provider, check its statements about them, and print and store the figures."""

    help = (
        "Explain the sample images with a language model and check whether its statements about them depend on the "
        "picture. Only sample images are sent. Each takes up to three requests. The result joins the scoreboard of "
        "the page for language models."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add --provider, --images, --limit, and --json."""
        parser.add_argument("--provider", metavar="P", required=True, help="name of a provider")
        parser.add_argument(
            "--images", metavar="DIR", type=Path, default=settings.BASE_DIR / "samples", help="(default: samples/)"
        )
        parser.add_argument("--limit", metavar="N", type=int, help="send the first N images only")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Try one image after the other. The exit code is 1 if the provider cannot be asked at all."""
        provider = _provider(options["provider"])
        images = _images(options["images"])[: options["limit"]]
        if not images:
            raise CommandError(f"There is no image in {options['images']}.")
        analyzer, started = _analyzer(), timezone.now()
        tried: list[Tried] = []
        try:
            for each in try_images(connection_of(provider), images, analyzer=analyzer):
                tried.append(each)
                if not options["json"]:
                    self.stdout.write(_line(each))
                    self.stdout.flush()
        except (ProviderFailed, ServiceError) as error:
            raise CommandError(str(error)) from error
        figures = figures_of(each.entry for each in tried)
        rows = [dict(each.row) for each in tried]
        store_trial(provider, started_at=started, figures=asdict(figures), rows=rows)
        if options["json"]:
            head = {"provider": provider.name, "model": provider.model, "started_at": started.isoformat()}
            self.stdout.write(json.dumps(head | {"figures": asdict(figures), "images": rows}, ensure_ascii=False))
        else:
            self.stdout.write(_summary(provider, figures))


def _provider(name: str) -> AssistantProvider:
    adopt_environment()
    provider = all_providers().filter(name=name).first()
    if provider is None:
        known = ", ".join(row.name for row in all_providers()) or "none"
        raise CommandError(f"There is no provider {name!r}. Providers on this installation: {known}.")
    if not provider.image_allowed:
        raise CommandError(
            f"The provider {name} gets no image, so it makes no statement about a picture and there is nothing to "
            "check. Allow the image on the page for language models first."
        )
    return provider


def _images(folder: Path) -> list[tuple[Path, CanonicalImage]]:
    start_reader()
    found = []
    for path in sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES):
        try:
            with path.open("rb") as file:
                found.append((path, read_image(file)))
        except RefusedImage as error:
            raise CommandError(f"{path.name}: {error.message}") from error
    return found


def _analyzer() -> Any:
    from classifier.inference.analyzer import Analyzer

    name = default_model()
    if name not in available_models():
        raise CommandError(f"There is no model {name!r}. Available: {', '.join(available_models()) or 'none'}.")
    try:
        folder = Path(settings.MODELS_DIR) / name
        return Analyzer.from_folder(folder, engine=settings.ENGINE, exports=settings.EXPORTS_DIR)
    except ModelError as error:
        raise CommandError(str(error)) from error


def _line(each: Tried) -> str:
    row = each.row
    if each.entry.failed:
        return f"{each.name:<20} {row['error'] or 'The answer was empty.'}"
    statements = [mark for mark, _ in each.entry.marks]
    return (
        f"{each.name:<20} {row['seconds']:6.1f} s {row['tokens']:6} tokens  removed {len(each.entry.blocked)}  "
        f"statements {len(statements)}, not from the picture {statements.count('not_from_picture')}, "
        f"not checked {statements.count('not_checked')}"
    )


def _summary(provider: AssistantProvider, figures: Figures) -> str:
    def share(part: int) -> str:
        return f"{percent(part / figures.statements)} of {figures.statements}" if figures.statements else "none checked"

    rows = (
        ("Explanations", figures.explanations),
        ("Errors", f"{figures.errors}, and {figures.check_errors} in checks"),
        ("Statements kept on a blank picture", share(figures.on_blank)),
        ("Statements not from the picture", share(figures.not_from_picture)),
        ("Statements not checked", figures.unchecked),
        ("Contradictions blocked", f"{figures.contradictions} of {figures.removed} removed sentences"),
        ("Seconds (median)", "none" if figures.seconds is None else figures.seconds),
        ("Tokens (mean)", "none" if figures.tokens is None else figures.tokens),
    )
    lines = [f"\n{provider.name}, {provider.model}", *(f"  {label:<36} {value}" for label, value in rows)]
    return "\n".join(lines)
