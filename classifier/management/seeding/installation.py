"""Store the rows of a seeded installation."""

import random
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection, transaction

from classifier.findings import ANSWERS, FINDINGS
from classifier.intake import read_image, thumbnail_png
from classifier.management.seeding import story
from classifier.management.seeding.bulk import store
from classifier.models import (
    Analysis,
    Batch,
    BatchFile,
    Certainty,
    Diagnosis,
    Impression,
    Membership,
    Review,
    Scan,
    Team,
    User,
)
from classifier.models.append_only import install_triggers, remove_triggers
from classifier.models.derived.counts import rebuild_counts
from classifier.models.derived.texts import rebuild_texts
from classifier.models.scan_index import Facet, written
from classifier.services.review import impression_hash

EMAIL_DOMAIN = "seed.invalid"
"""Domain of the addresses of made-up people. It distinguishes their scans from real ones."""

CHUNK = 100_000
SEALED_DAYS = 120
SCAN = (
    *("id", "owner", "team", "patient_reference", "notes", "image", "thumbnail", "width", "height", "pixels_sha256"),
    *("source_format", "sample", "idempotency_key", "reviewed_finding", "facet", "created_at", "current_analysis"),
    "input_problems",
)
ANALYSIS = (
    *("id", "scan", "requested_by", "model_name", "model_version", "state", "outcome", "finding", "probabilities"),
    *("possible_findings", "confidence", "ood_score", "milliseconds", "attempts", "failure_code", "failure_message"),
    *("queued_at", "fair_turn", "bulk", "available_at", "started_at", "finished_at"),
)
REVIEW = ("id", "scan", "analysis", "reviewer", "number", "verdict", "finding", "certainty", "comment", "created_at")
IMPRESSION = (
    *("id", "scan", "reader", "number", "finding", "certainty", "comment", "created_at", "previous_hash", "hash"),
)
DIAGNOSIS = ("id", "scan", "recorded_by", "finding", "source", "confirmed_on", "comment", "created_at")
FAILURE = ("internal_error", "The analysis stopped because of an internal error. Try again.")


class Installation:
    """A seeded installation: drawn from a seed, then stored chunk by chunk.

    Attributes:
        people: who uploads.
        team_names: the teams' names.
    """

    def __init__(self, *, scans: int, seed: int = 1, password: str = "") -> None:
        self.people, self.team_names = story.people_of(scans)
        self._rng = random.Random(seed)
        self._now = story.today()
        self._password = password
        self._sessions = story.sessions_of(scans, people=self.people, rng=self._rng, now=self._now)
        self._users: list[User] = []
        self._teams: list[Team] = []
        # Number and hash of each reader's newest impression.
        self._impressions: dict[int, tuple[int, str]] = {}

    def store(self, *, say: Callable[[str], Any]) -> None:
        """Store everything in one transaction; `say` receives the progress."""
        with transaction.atomic():
            self._store_people()
            image = self._store_image()
            remove_triggers(connection)
            stored = 0
            for rows in self._chunks(image):
                for model, names in TABLES:
                    store(model, names, rows[model])
                stored += len(rows[Scan])
                say(f"{stored:,} scans")
            rebuild_counts(connection)
            rebuild_texts(connection)
            install_triggers(connection)
        # Without statistics the databases choose their plans blindly.
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")

    def _store_people(self) -> None:
        self._teams = [Team.objects.create(name=name) for name in self.team_names]
        password = make_password(self._password or None)
        for person in self.people:
            user, _ = User.objects.get_or_create(
                username=person.username,
                defaults={
                    "email": f"{person.username}@{EMAIL_DOMAIN}",
                    "first_name": person.first_name,
                    "last_name": person.last_name,
                    "password": password,
                },
            )
            self._users.append(user)
            for team in person.teams:
                Membership.objects.create(team=self._teams[team], user=user)
        # The members of the last team read first, and see the result afterwards.
        sealed = self._teams[-1]
        sealed.sealed_reading_since = self._now - timedelta(days=SEALED_DAYS)
        sealed.save()
        self._members = [
            [n for n, person in enumerate(self.people) if team in person.teams] for team in range(len(self._teams))
        ]

    def _store_image(self) -> dict[str, Any]:
        """Store the image that all scans share, and return its columns."""
        samples = sorted(Path(settings.BASE_DIR, "samples").glob("*.jpg"))
        image = read_image(samples[0].read_bytes())
        for name, content in (("seed/image.png", image.png), ("seed/thumbnail.png", thumbnail_png(image))):
            if not default_storage.exists(name):
                default_storage.save(name, ContentFile(content))
        return {"width": image.width, "height": image.height}

    def _chunks(self, image: dict[str, Any]) -> Iterator[dict[Any, list[tuple[Any, ...]]]]:
        rows: dict[Any, list[tuple[Any, ...]]] = {model: [] for model, _ in TABLES}
        for session in self._sessions:
            self._add(session, rows, image)
            if len(rows[Scan]) >= CHUNK:
                yield rows
                rows = {model: [] for model, _ in TABLES}
        yield rows

    def _add(self, session: story.Session, rows: dict[Any, list[tuple[Any, ...]]], image: dict[str, Any]) -> None:
        """Add the rows of one upload."""
        rng, owner = self._rng, self._users[session.owner].pk
        team = None if session.team is None else self._teams[session.team].pk
        batch = self._uuid() if session.slices > 1 else None
        if batch is not None:
            rows[Batch].append((batch, owner, team, session.patient_reference, session.at))
        readers = [session.owner] if session.team is None else self._members[session.team]
        digest = ""
        for number, seconds in enumerate(story.seconds_between(rng, slices=session.slices), 1):
            at = session.at + timedelta(seconds=seconds)
            scan, analysis, answer = self._uuid(), self._uuid(), story.answer_of(rng)
            # Some files are uploaded twice.
            digest = digest if digest and rng.random() < story.REPEATED else f"{rng.getrandbits(256):064x}"
            model = (
                settings.MODEL if at > self._now - timedelta(days=400) or rng.random() < 0.1 else f"{settings.MODEL}-1"
            )
            if rng.random() < story.AGAIN:
                rows[Analysis].append(
                    self._analysis(self._uuid(), scan, owner, f"{settings.MODEL}-1", story.answer_of(rng), at)
                )
            rows[Analysis].append(self._analysis(analysis, scan, owner, model, answer, at))
            reviewed, readings = self._statements(
                rows, scan, analysis, answer, at, readers, sealed=self._is_sealed(session, at)
            )
            rows[Scan].append((
                *(scan, owner, team, session.patient_reference, story.notes_of(rng)),
                *("seed/image.png", "seed/thumbnail.png", image["width"], image["height"], digest),
                *("JPEG", "", "", reviewed, str(Facet(model, answer.result, written(readings))), at, analysis),
                [],
            ))  # fmt: skip
            if batch is not None:
                rows[BatchFile].append((batch, number, "", scan, "", at))

    def _is_sealed(self, session: story.Session, at: datetime) -> bool:
        since = None if session.team is None else self._teams[session.team].sealed_reading_since
        return since is not None and at >= since

    def _analysis(
        self, analysis: UUID, scan: UUID, owner: int, model: str, answer: story.Answer, at: datetime
    ) -> tuple[Any, ...]:
        probabilities = story.probabilities_of(answer, rng=self._rng)
        succeeded, failed = answer.state == "succeeded", answer.state == "failed"
        done = at + timedelta(seconds=self._rng.uniform(0.3, 3))
        return (
            *(analysis, scan, owner, model, "1" if succeeded else "", answer.state, answer.outcome, answer.finding),
            *(
                probabilities,
                [FINDINGS[0]] if probabilities else [],
                max(probabilities) if answer.finding and probabilities else None,
            ),
            *(0.1 if succeeded else None, 90.0 if succeeded else None, 3 if failed else int(succeeded)),
            *(FAILURE if failed else ("", "")),
            *(at, 0, False, at, at if answer.state != "cancelled" else None, done),
        )

    def _statements(
        self,
        rows: dict[Any, list[tuple[Any, ...]]],
        scan: UUID,
        analysis: UUID,
        answer: story.Answer,
        at: datetime,
        readers: list[int],
        *,
        sealed: bool,
    ) -> tuple[str, set[str]]:
        """Add impressions, reviews, and diagnoses of a scan. Return its reviewed finding, and all that readers say."""
        rng = self._rng
        if answer.state != "succeeded":
            return "", set()
        reviewed, said = "", answer.finding or rng.choice(ANSWERS)
        if sealed and rng.random() < story.READ:
            self._read(rows, scan, rng.choice(readers), said, at + timedelta(minutes=5))
        elif not sealed and rng.random() < story.REVIEWED:
            corrects = rng.random() < story.CORRECTED
            reviewed = rng.choice([name for name in ANSWERS if name != answer.finding]) if corrects else answer.finding
            reviewer = self._users[rng.choice(readers)].pk
            verdict, later = "correct" if corrects else "agree", at + timedelta(minutes=20)
            rows[Review].append(
                (self._uuid(), scan, analysis, reviewer, 1, verdict, reviewed, Certainty.MEDIUM.value, "", later)
            )
        readings = {reviewed}
        if rng.random() < story.DIAGNOSED:
            reviewed, later = said, at + timedelta(days=9)
            recorder = self._users[rng.choice(readers)].pk
            rows[Diagnosis].append((self._uuid(), scan, recorder, said, "histology", later.date(), "", later))
        return reviewed, readings | {reviewed}

    def _read(
        self, rows: dict[Any, list[tuple[Any, ...]]], scan: UUID, reader: int, finding: str, at: datetime
    ) -> None:
        number, before = self._impressions.get(reader, (0, ""))
        impression = Impression(
            id=self._uuid(),
            scan_id=scan,
            reader_id=self._users[reader].pk,
            number=number + 1,
            finding=finding,
            certainty=Certainty.HIGH.value,
            created_at=at,
            previous_hash=before,
        )
        impression.hash = impression_hash(impression)
        self._impressions[reader] = (number + 1, impression.hash)
        rows[Impression].append(
            (
                impression.pk,
                scan,
                impression.reader_id,
                number + 1,
                finding,
                impression.certainty,
                "",
                at,
                before,
                impression.hash,
            )
        )

    def _uuid(self) -> UUID:
        return UUID(int=self._rng.getrandbits(128), version=4)


TABLES: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (Scan, SCAN),
    (Analysis, ANALYSIS),
    (Batch, ("id", "owner", "team", "patient_reference", "created_at")),
    (BatchFile, ("batch", "number", "name", "scan", "refusal", "created_at")),
    (Review, REVIEW),
    (Impression, IMPRESSION),
    (Diagnosis, DIAGNOSIS),
)
"""The tables of the rows, with their fields."""
