"""The story of a seeded installation: people, teams, patients, and their uploads, drawn from a seed."""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate

from classifier.findings import FINDINGS, TUMOR, Outcome

SCANS_PER_PERSON = 47_000
MAX_PEOPLE = 2_000
PEOPLE_PER_TEAM = 5
YEARS = 3
# The installation grows: the last month has several times the uploads of the first.
GROWTH = 1.6
SLICES = (1, 1, 1, 1, 2, 3, 4, 6, 8, 12, 16, 20, 24)
FIRST_NAMES = ("Ada", "Ben", "Carla", "David", "Eva", "Farid", "Greta", "Hugo", "Iris", "Jonas", "Kira", "Luis", "Mara")
LAST_NAMES = ("Abel", "Brandt", "Costa", "Dorn", "Eriksen", "Fuchs", "Garcia", "Holm", "Ibarra", "Jansen", "Keller")
TEAM_NAMES = ("Neuroradiology", "Neurosurgery", "Tumor board", "Endocrinology", "Pediatrics", "Research", "Night shift")
NOTES = (
    "Follow-up after resection, cystic component left temporal.",
    "Contrast-enhanced T1, axial.",
    "Headache for six weeks, no focal deficit.",
    "Sellar region, visual field defect.",
    "Second opinion requested by neurosurgery.",
    "Motion artifacts, repeat if unclear.",
    "Convexity lesion with dural tail.",
    "Screening, asymptomatic.",
)
# Share of uploads by what the analysis says; the rest is classified.
FAILED, CANCELLED, REFUSED, UNCERTAIN = 0.012, 0.004, 0.03, 0.09
ANSWER_WEIGHTS = {"glioma": 28, "meningioma": 25, "notumor": 27, "pituitary": 17, TUMOR: 3}
REVIEWED, CORRECTED, DIAGNOSED, READ, AGAIN, REPEATED = 0.22, 0.1, 0.03, 0.6, 0.05, 0.02
WITH_REFERENCE, WITH_NOTES = 0.9, 0.35


@dataclass(frozen=True, slots=True)
class Person:
    """A person who uploads. `teams` are positions in the list of teams; `weight` is the share of the uploads."""

    username: str
    first_name: str
    last_name: str
    teams: tuple[int, ...]
    weight: float


@dataclass(frozen=True, slots=True)
class Session:
    """Slices of one patient that a person uploaded together.

    Attributes:
        at: the time of the first slice; the others follow within seconds.
        owner: position in the list of people.
        team: position in the list of teams; None for nobody but the owner.
        patient_reference: the pseudonym, or "".
        slices: number of scans.
    """

    at: datetime
    owner: int
    team: int | None
    patient_reference: str
    slices: int


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of an analysis."""

    state: str
    outcome: str = ""
    finding: str = ""

    @property
    def result(self) -> str:
        """The result of `classifier.models.scan_index.Facet`."""
        return self.finding or self.outcome or self.state


def people_of(scans: int) -> tuple[list[Person], list[str]]:
    """Return the people and the names of the teams of an installation of this size.

    The first team is large: most people belong to it. Every fifth person belongs to no team.
    """
    number = min(max(3, math.ceil(scans / SCANS_PER_PERSON)), MAX_PEOPLE)
    teams = max(1, number // PEOPLE_PER_TEAM)
    people = []
    for n in range(number):
        own = () if n % 5 == 4 else tuple(sorted({n % teams} if n % 5 == 3 else {0, n % teams}))
        people.append(
            Person(
                username=f"seed-{n + 1}",
                first_name=FIRST_NAMES[n % len(FIRST_NAMES)],
                last_name=LAST_NAMES[(n * 7) % len(LAST_NAMES)],
                teams=own,
                weight=1 / math.sqrt(n + 1),
            )
        )
    names = [
        TEAM_NAMES[n % len(TEAM_NAMES)] + (f" {n // len(TEAM_NAMES) + 1}" if n >= len(TEAM_NAMES) else "")
        for n in range(teams)
    ]
    return people, names


def sessions_of(scans: int, *, people: list[Person], rng: random.Random, now: datetime) -> list[Session]:
    """Return uploads with `scans` slices altogether, oldest first."""
    cumulative = list(accumulate(person.weight for person in people))
    patients: dict[tuple[int, int | None], int] = {}
    begin, span = now - timedelta(days=365 * YEARS), 365 * YEARS
    found, left = [], scans
    while left:
        owner = rng.choices(range(len(people)), cum_weights=cumulative)[0]
        teams = people[owner].teams
        team = rng.choice(teams) if teams and rng.random() < 0.65 else None
        day = begin + timedelta(days=int(span * rng.random() ** (1 / GROWTH)))
        if day.weekday() >= 5 and rng.random() < 0.8:
            day -= timedelta(days=2)
        at = day.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(
            seconds=int(3600 * rng.triangular(6, 20, 10)), microseconds=rng.randrange(1_000_000)
        )
        known = patients.get((owner, team), 0)
        # A patient comes back in one upload of three.
        patient = rng.randrange(known) if known and rng.random() < 1 / 3 else known
        patients[owner, team] = max(known, patient + 1)
        reference = (
            f"P-{owner + 1:02d}{'' if team is None else team + 1}-{patient:06d}"
            if rng.random() < WITH_REFERENCE
            else ""
        )
        slices = min(rng.choice(SLICES), left)
        found.append(Session(min(at, now), owner, team, reference, slices))
        left -= slices
    return sorted(found, key=lambda session: session.at)


def answer_of(rng: random.Random) -> Answer:
    """Return how an analysis ended."""
    share = rng.random()
    for limit, answer in (
        (FAILED, Answer("failed")),
        (CANCELLED, Answer("cancelled")),
        (REFUSED, Answer("succeeded", Outcome.NOT_BRAIN_MRI)),
        (UNCERTAIN, Answer("succeeded", Outcome.UNCERTAIN)),
    ):
        if share < limit:
            return answer
        share -= limit
    finding = rng.choices(list(ANSWER_WEIGHTS), weights=list(ANSWER_WEIGHTS.values()))[0]
    return Answer("succeeded", Outcome.CLASSIFIED, finding)


def probabilities_of(answer: Answer, *, rng: random.Random) -> list[float] | None:
    """Return calibrated probabilities that fit an answer, in the order of `FINDINGS`; None without any."""
    if answer.outcome == Outcome.UNCERTAIN:
        return [0.4, 0.35, 0.15, 0.1]
    if answer.outcome != Outcome.CLASSIFIED:
        return None
    if answer.finding == TUMOR:
        return [0.48, 0.44, 0.04, 0.04]
    rest = round(rng.uniform(0.003, 0.05), 6)
    return [round(1 - 3 * rest, 6) if name == answer.finding else rest for name in FINDINGS]


def notes_of(rng: random.Random) -> str:
    """Return what a person wrote about a scan, or ""."""
    return rng.choice(NOTES) if rng.random() < WITH_NOTES else ""


def seconds_between(rng: random.Random, *, slices: int) -> Iterator[float]:
    """Yield the seconds from the first slice of an upload to each."""
    passed = 0.0
    for _ in range(slices):
        yield passed
        passed += rng.uniform(0.2, 2.0)


def today() -> datetime:
    """Return the time at which the story ends."""
    return datetime.now(UTC)
