"""The short and the long form of the scenarios."""

import os
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Form:
    """How hard the scenarios are.

    Attributes:
        name: "short" or "long".
        uploads: scans of a scenario that kills again and again.
        kills: how often it kills.
        batch: images of the batch with the poisonous one.
        some: scans of the other scenarios.
        silent_seconds: how long a broker is silent.
        away_seconds: how long the database is away.
        fault: "once" if what an image does to its worker passes, "always" if it never does.
        environment: settings of the installation.
    """

    name: str
    uploads: int
    kills: int
    batch: int
    some: int
    silent_seconds: float
    away_seconds: float
    fault: str
    environment: dict[str, str] = field(default_factory=dict)


SHORT = Form(
    name="short",
    uploads=8,
    kills=1,
    batch=4,
    some=4,
    silent_seconds=3,
    away_seconds=3,
    fault="once",
    # The shortest that the settings allow or a busy machine bears, so that nobody waits for a lease to end.
    environment={
        "LEASE_SECONDS": "5",
        "SWEEP_SECONDS": "1",
        "STUCK_SECONDS": "10",
        "CHAOS_LONGEST_PAUSE": "1",
        "CHAOS_RETRY_SECONDS": "0.5",
    },
)
LONG = Form(
    name="long",
    uploads=200,
    kills=20,
    batch=32,
    some=20,
    silent_seconds=20,
    away_seconds=25,
    fault="always",
    # Leases and sweeps are the product's own. A killed program comes back after 2 s at most instead of 30 s, so that
    # every kill meets a working one.
    environment={"STUCK_SECONDS": "20", "CHAOS_LONGEST_PAUSE": "2"},
)


def chosen_form() -> Form:
    """What `CHAOS` asks for; the short form without it."""
    return {"long": LONG, "short": SHORT}[os.environ.get("CHAOS", "short")]


def is_recorded() -> bool:
    """Whether the figures are written down: only when a form was asked for."""
    return "CHAOS" in os.environ
