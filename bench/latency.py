"""Upload to result under load that does not wait: how long the answer takes, and how long the result.

`python -m bench.latency [--servers] [--quick]` first measures the capacity, with clients that each wait for their
result before they upload again, then uploads in Poisson streams at shares of it (`bench.client`). Times to the result
are the database's (committed upload to stored result) for every upload, and the client's for those that waited. At
120% one person uploads most and another a little; the other's waiting time is reported separately. Linux only.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from bench.client import PATH, Load, Stream, Upload, closed_rate, run_client
from bench.figures import milliseconds, spread
from bench.installation import PACKAGES, Installation, Row, arguments, conditions, installation, result_path
from bench.machine import write_result

SEED = 20
# Four clients of each of three people: as many as one web process lets wait.
CLOSED_CLIENTS, PEOPLE = 4, 3
# The little that the other person uploads while the queue grows.
INTERACTIVE_SHARE = 0.1
# An upload not answered within this time feels slow. The server promises less, regardless of the queue.
ANSWER_LIMIT_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Step:
    """One load.

    Attributes:
        share: of the capacity.
        seconds: for how long uploads arrive.
        wait: share of the uploads whose client waits for the result. Few places to wait exist, so few do under load.
    """

    share: float
    seconds: float
    wait: float


def steps(*, quick: bool) -> list[Step]:
    """Return the loads, smallest first."""
    seconds, low = (6.0, 12.0) if quick else (45.0, 40.0)
    return [Step(0.1, low, 1.0), Step(0.5, seconds, 0.3), Step(0.9, seconds, 0.2), Step(1.2, seconds, 0.2)]


class Measurement:
    """A running installation with the people who upload to it."""

    def __init__(self, running: Installation) -> None:
        self.running = running
        self.tokens = [running.token(f"person-{number}") for number in range(PEOPLE)]
        self.next_image = 0

    def capacity(self, *, seconds: float) -> float:
        """Upload a second with result, by clients that wait."""
        streams = [Stream(f"person-{n}", token, clients=CLOSED_CLIENTS) for n, token in enumerate(self.tokens)]
        uploads = self._run(streams, seconds=seconds, closed=True)
        return closed_rate(uploads, seconds=seconds)

    def step(self, step: Step, *, rate: float) -> dict[str, object]:
        """Load at a rate; everything that was uploaded has ended when this returns."""
        if step.share > 1:
            others = Stream("bulk", self.tokens[0], rate=rate * (1 - INTERACTIVE_SHARE))
            streams = [others, Stream("interactive", self.tokens[1], rate=rate * INTERACTIVE_SHARE, wait=step.wait)]
        else:
            each = rate / PEOPLE
            streams = [Stream(f"person-{n}", token, rate=each, wait=step.wait) for n, token in enumerate(self.tokens)]
        depths: list[int] = []
        state = conditions()
        begin = time.monotonic()
        uploads = self._run(
            streams, seconds=step.seconds, meanwhile=lambda: depths.append(self.running.count("queued", "running"))
        )
        self.running.wait_until_idle()
        rows = {row.scan: row for row in self.running.analyses()}
        drained = time.monotonic() - begin - step.seconds
        result = self._figures(uploads, rows) | state
        result |= {
            "share": step.share,
            "rate": round(rate, 3),
            "seconds": step.seconds,
            "drained_after": round(drained, 1),
        }
        result["waiting_at_the_end"] = len([u for u in uploads if self._is_waiting(u, rows, at=step.seconds)])
        result["most_waiting"] = max(depths, default=0)
        if step.share > 1:
            result["of_one_person"] = {
                name: milliseconds(self._stored([u for u in uploads if u.stream == name], rows))
                for name in ("bulk", "interactive")
            }
        return result

    def _run(
        self,
        streams: list[Stream],
        *,
        seconds: float,
        closed: bool = False,
        meanwhile: Callable[[], None] | None = None,
    ) -> list[Upload]:
        load = Load(self.running.url, PATH, streams, seconds, SEED, self.next_image, closed)
        uploads = run_client(load, meanwhile=meanwhile)
        self.next_image += len(uploads)
        return uploads

    def _figures(self, uploads: list[Upload], rows: dict[str, Row]) -> dict[str, object]:
        known = [(upload, rows[upload.scan]) for upload in uploads if upload.scan in rows]
        own = [row.milliseconds for _, row in known if row.milliseconds is not None]
        added_stored = [
            (row.finished - row.queued) * 1000 - row.milliseconds
            for _, row in known
            if row.finished is not None and row.milliseconds is not None
        ]
        added_seen = [
            (upload.result - upload.due) * 1000 - row.milliseconds
            for upload, row in known
            if upload.result is not None and row.milliseconds is not None
        ]
        answers = [upload.answered - upload.due for upload in uploads]
        return {
            "uploads": len(uploads),
            "taken": sum(upload.status == 202 for upload in uploads),
            "errors": sorted({upload.error for upload in uploads if upload.error}),
            "succeeded": sum(row.state == "succeeded" for _, row in known),
            "answer_milliseconds": milliseconds(answers),
            "answers_over_limit": sum(answer > ANSWER_LIMIT_SECONDS for answer in answers),
            "stored_milliseconds": milliseconds(self._stored(uploads, rows)),
            "seen_milliseconds": milliseconds([u.result - u.due for u in uploads if u.result is not None]),
            "model_milliseconds": spread(own),
            "added_until_stored_milliseconds": spread(added_stored),
            "added_until_seen_milliseconds": spread(added_seen),
        }

    @staticmethod
    def _stored(uploads: list[Upload], rows: dict[str, Row]) -> list[float]:
        """Seconds from the committed upload to the stored result."""
        found = [rows[upload.scan] for upload in uploads if upload.scan in rows]
        return [row.finished - row.queued for row in found if row.finished is not None]

    @staticmethod
    def _is_waiting(upload: Upload, rows: dict[str, Row], *, at: float) -> bool:
        """Return whether an upload that had been taken by then had no result yet, by the client's clock."""
        row = rows.get(upload.scan)
        if row is None or row.finished is None:
            return True
        return upload.answered <= at < upload.answered + row.finished - row.queued


def main() -> None:
    """Measure and write."""
    options = arguments(__doc__, kinds=True)
    with installation(options.kind) as running:
        measurement = Measurement(running)
        capacity = measurement.capacity(seconds=8.0 if options.quick else 20.0)
        running.wait_until_idle()
        print(f"capacity {capacity:.2f} uploads a second", flush=True)
        loads = []
        for step in steps(quick=options.quick):
            loads.append(measurement.step(step, rate=capacity * step.share))
            print(f"{step.share:.0%}: {loads[-1]}", flush=True)
    content = {
        "kind": options.kind,
        "capacity_uploads_a_second": round(capacity, 2),
        "clients_at_capacity": CLOSED_CLIENTS * PEOPLE,
        "answer_limit_milliseconds": ANSWER_LIMIT_SECONDS * 1000,
        "interactive_share": INTERACTIVE_SHARE,
        "loads": loads,
    }
    write_result(result_path("latency", quick=options.quick, kind=options.kind), content=content, packages=PACKAGES)


if __name__ == "__main__":
    main()
