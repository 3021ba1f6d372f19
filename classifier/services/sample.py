"""The bundled sample scans, for a first result with one click."""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from django.conf import settings

from classifier.models import Team, User
from classifier.services.errors import Invalid
from classifier.services.scan import Submission, submit_scan

SAMPLES_DIR = Path(settings.BASE_DIR) / "samples"


@dataclass(frozen=True, slots=True)
class Sample:
    """One bundled image.

    Attributes:
        name: The slug.
        finding: The label in the data set.
        title: The title on the page.
        path: The file.
    """

    name: str
    finding: str
    title: str
    path: Path


@lru_cache(maxsize=1)
def list_samples() -> tuple[Sample, ...]:
    """Return all bundled samples in the order of `samples/samples.json`."""
    rows = json.loads((SAMPLES_DIR / "samples.json").read_text())["samples"]
    return tuple(Sample(row["name"], row["finding"], row["title"], SAMPLES_DIR / row["file"]) for row in rows)


def get_sample(name: str) -> Sample:
    """Return the sample with this name. Raise `Invalid` if there is none."""
    for sample in list_samples():
        if sample.name == name:
            return sample
    raise Invalid("There is no such sample scan.", code="unknown_sample")


def submit_sample(name: str, *, owner: User, team: Team | None = None) -> Submission:
    """Submit a bundled sample as a scan of `owner`, exactly like an upload."""
    sample = get_sample(name)
    return submit_scan(owner=owner, file=sample.path.read_bytes(), team=team, sample=sample.name)
