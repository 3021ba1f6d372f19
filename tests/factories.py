"""Builders of rows for tests. Images are real: small, distinct and written by intake's own code."""

import io
import itertools
from datetime import timedelta
from typing import Any

import factory
import numpy as np
from django.core.files.base import ContentFile
from django.utils import timezone
from PIL import Image

from classifier.findings import FINDINGS, TUMOR, TUMORS, Outcome
from classifier.inference.registry import POSSIBLE
from classifier.intake import read_image, thumbnail_png
from classifier.models import (
    Analysis,
    ClassMaps,
    Commissioning,
    CommissioningCase,
    Membership,
    Scan,
    Team,
    User,
    WorkerProcess,
)

PASSWORD = "correct horse battery"
_seeds = itertools.count(1)


def png_bytes(*, seed: int | None = None, width: int = 96, height: int = 80) -> bytes:
    """A grayscale PNG of noise in the shape of an upright head, with a skull and two lobes at its lower end.

    Without a seed each call gives other pixels.
    """
    rng = np.random.default_rng(next(_seeds) + 1000 if seed is None else seed)
    noise = rng.integers(60, 256, (height, width), dtype=np.uint8)
    y, x = np.mgrid[0:height, 0:width]
    radius = np.hypot((x - width / 2) / (0.30 * width), (y - height / 2) / (0.46 * height))
    pixels = np.where(radius < 1, np.where(radius > 0.85, 230, 60 + noise // 3), 0)
    for side in (-0.13, 0.13):
        lobe = np.hypot((x - (0.5 + side) * width) / (0.07 * width), (y - 0.88 * height) / (0.07 * height)) < 1
        pixels[lobe] = 240
    image = Image.fromarray(pixels.astype(np.uint8))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


class UserFactory(factory.django.DjangoModelFactory):
    """A clinician. The installation's first account, its administrator, exists before any of them."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    username = factory.Sequence(lambda n: f"clinician{n}")
    email = factory.LazyAttribute(lambda user: f"{user.username}@hospital.example")

    @classmethod
    def _create(cls, model_class: type[User], *args: Any, **kwargs: Any) -> User:
        if not User.objects.exists():
            User.objects.create_user("founder", "founder@hospital.example", PASSWORD)
        return User.objects.create_user(password=PASSWORD, **kwargs)


class TeamFactory(factory.django.DjangoModelFactory):
    """A team without members."""

    class Meta:
        model = Team

    name = factory.Sequence(lambda n: f"Neuroradiology {n}")


def join(team: Team, *users: User, role: str = Membership.Role.MEMBER) -> None:
    """Make users members of a team."""
    for user in users:
        Membership.objects.create(team=team, user=user, role=role)


def make_scan(owner: User, *, content: bytes | None = None, **fields: Any) -> Scan:
    """A stored scan with files and without an analysis."""
    image = read_image(content or png_bytes())
    scan = Scan(
        owner=owner,
        width=image.width,
        height=image.height,
        pixels_sha256=image.sha256,
        source_format=image.source_format,
        **fields,
    )
    scan.image.save("image.png", ContentFile(image.png), save=False)
    scan.thumbnail.save("thumbnail.png", ContentFile(thumbnail_png(image)), save=False)
    scan.save(force_insert=True)
    return scan


def make_analysis(scan: Scan, *, state: str = Analysis.State.QUEUED, **fields: Any) -> Analysis:
    """An analysis in `state`, made the scan's current one. A succeeded one has a result and class maps."""
    now = timezone.now()
    values: dict[str, Any] = {"model_name": "xception", "available_at": now, "requested_by": scan.owner}
    if state == Analysis.State.RUNNING:
        values |= {"lease_token": "0" * 32, "lease_expires_at": now + timedelta(seconds=30), "attempts": 1}
    if state == Analysis.State.FAILED:
        values |= {"failure_code": "internal_error", "failure_message": "It stopped.", "finished_at": now}
    if state == Analysis.State.SUCCEEDED:
        finding = fields.get("finding", "meningioma")
        certain = [0.91 if name == (finding or "glioma") else 0.03 for name in FINDINGS]
        if finding == TUMOR:
            certain = [0.5, 0.41, 0.04, 0.05]
        values |= {
            "outcome": Outcome.CLASSIFIED,
            "finding": finding,
            "probabilities": certain,
            "confidence": 0.91,
            "ood_score": 0.1,
            "model_version": "test",
            "milliseconds": 200.0,
            "started_at": now,
            "finished_at": now,
            "attempts": 1,
        }
    values |= fields
    if values.get("probabilities"):
        ranked = sorted(zip(values["probabilities"], FINDINGS, strict=True), reverse=True)
        values.setdefault("possible_findings", [name for p, name in ranked if p >= POSSIBLE])
    analysis = Analysis.objects.create(scan=scan, state=state, **values)
    if state == Analysis.State.SUCCEEDED:
        maps = np.linspace(-1, 4, 400, dtype="<f2").reshape(10, 10, 4)
        # A place for each tumor, strong enough on the scale of the shipped card.
        for place, tumor in enumerate(TUMORS):
            maps[3 * place, 3 * place, FINDINGS.index(tumor)] = 40
        ClassMaps.objects.create(analysis=analysis, rows=10, columns=10, data=maps.tobytes())
    scan.current_analysis = analysis
    scan.save(update_fields=["current_analysis"])
    return analysis


def make_shadow_case(
    commissioning: Commissioning, scan: Scan, *, answer: str = "pituitary", truth: str = "", **fields: Any
) -> CommissioningCase:
    """A case whose shadow analysis has succeeded. `answer` is a finding, or an outcome without one."""
    finding = answer if answer in (*FINDINGS, TUMOR) else ""
    likely = finding if finding in FINDINGS else "glioma"
    values: dict[str, Any] = {
        "outcome": Outcome.CLASSIFIED if finding else answer,
        "finding": finding,
        "probabilities": [0.8137 if name == likely else 0.0621 for name in FINDINGS],
        "logits": [2.573 if name == likely else 0.0 for name in FINDINGS],
        "confidence": 0.8137,
        "ood_score": 0.21,
        "model_version": commissioning.model_version,
        "appearance": [0.5] * 13,
    }
    if answer == Outcome.NOT_BRAIN_MRI:
        values |= {"probabilities": None, "logits": None, "confidence": None, "ood_score": 1.7}
    now = timezone.now()
    analysis = Analysis.with_shadow.create(
        scan=scan,
        commissioning=commissioning,
        model_name=commissioning.model_name,
        state=Analysis.State.SUCCEEDED,
        available_at=now,
        started_at=now,
        finished_at=now,
        requested_by=commissioning.started_by,
        **(values | fields),
    )
    return CommissioningCase.objects.create(
        commissioning=commissioning,
        scan=scan,
        analysis=analysis,
        stated_truth=truth,
        added_by=commissioning.started_by,
    )


def make_worker_process(*, silent_seconds: float = 0, **fields: Any) -> WorkerProcess:
    """A worker process whose last report was `silent_seconds` ago. It has measured nothing yet."""
    now = timezone.now()
    values: dict[str, Any] = {"host": "gpu-1", "pid": next(_seeds), "model_name": "xception", "model_version": "1"}
    values |= {"engine": "test", "started_at": now - timedelta(hours=1)}
    values |= {"heartbeat_at": now - timedelta(seconds=silent_seconds)}
    return WorkerProcess.objects.create(**(values | fields))
