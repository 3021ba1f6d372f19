"""The same model behind BentoML and LitServe, beside BrainScan, in the same run and under the same clients.

`python -m bench.peers [--quick]` runs one server at a time. Each gets clients that wait for their results (its
capacity), then open-loop streams at the same rates: shares of BrainScan's capacity. The peers answer with the
probabilities and keep nothing: no account is checked, no image is checked or stored, no result can be read again, and
what waits is lost with the process. So they show what all of that costs. Linux only.
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench.client import PATH, Load, Stream, Upload, closed_rate, run_client
from bench.figures import milliseconds
from bench.installation import PACKAGES, arguments, children_of, conditions, installation, result_path
from bench.machine import memory, write_result
from bench.peer_servers import reading
from devtools.running import ROOT
from devtools.servers import free_port

SEED = 21
CLIENTS, PEOPLE = 4, 3
SHARES = (0.1, 0.5, 0.9)
START_SECONDS = 120.0
COMMANDS = {
    "BentoML": lambda port: [
        *(sys.executable, "-m", "bentoml", "serve", "bench.peer_servers.bento:Classifier"),
        *("--port", str(port), "--host", "127.0.0.1"),
    ],
    "LitServe": lambda port: [sys.executable, "-m", "bench.peer_servers.lit", str(port)],
}
# Answers 200 once the model is loaded.
HEALTH = {"BentoML": "/readyz", "LitServe": "/health"}


@dataclass(frozen=True, slots=True)
class Target:
    """A running server.

    Attributes:
        name: for people.
        url: where it answers.
        path: where it takes images.
        tokens: of the people who upload; empty ones for a server without accounts.
        processes: gives the ids of all its processes.
    """

    name: str
    url: str
    path: str
    tokens: list[str]
    processes: Callable[[], list[int]]


@contextlib.contextmanager
def brainscan() -> Iterator[Target]:
    """BrainScan with its embedded default."""
    with installation("embedded") as running:
        tokens = [running.token(f"person-{number}") for number in range(PEOPLE)]
        yield Target(
            "BrainScan",
            running.url,
            PATH,
            tokens,
            lambda: [pid for pids in running.processes().values() for pid in pids],
        )


@contextlib.contextmanager
def peer(name: str) -> Iterator[Target]:
    """Return a peer, ready to answer."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory(prefix="brainscan-bench-") as folder:
        own = {"BENTOML_HOME": folder, "BENTOML_DO_NOT_TRACK": "true", "TF_CPP_MIN_LOG_LEVEL": "2"}
        with open(os.path.join(folder, "log"), "ab") as log:
            process = subprocess.Popen(
                COMMANDS[name](port), cwd=ROOT, env=os.environ | own, stdout=log, stderr=log, start_new_session=True
            )
        try:
            _wait_until_ready(process, f"{url}{HEALTH[name]}")
            yield Target(name, url, reading.PATH, [""] * PEOPLE, lambda: _family(process.pid))
        finally:
            # Its group: both start processes of their own, which need not follow a parent that ends.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def measure(target: Target, *, seconds: float, capacity: float | None) -> dict[str, object]:
    """Capacity first, then the streams: at shares of `capacity`, or of its own without one."""
    state = conditions()
    _uploads(target, seconds=2.0, first_image=0)
    first = 200
    closed = _uploads(target, seconds=seconds, first_image=first)
    first += len(closed)
    own_capacity = closed_rate(closed, seconds=seconds)
    loads = []
    for share in SHARES:
        rate = (capacity or own_capacity) * share
        uploads = _uploads(target, seconds=seconds, first_image=first, rate=rate)
        first += len(uploads)
        loads.append({"share": share, "rate": round(rate, 3)} | _figures(uploads))
        print(target.name, loads[-1], flush=True)
    held = sum(memory(pid)["proportional"] for pid in target.processes())
    return {
        "server": target.name,
        **state,
        "capacity": round(own_capacity, 2),
        "loads": loads,
        "memory_mebibytes": round(held),
    }


def _uploads(target: Target, *, seconds: float, first_image: int, rate: float | None = None) -> list[Upload]:
    streams = [
        Stream(f"person-{number}", token, rate=(rate or 0) / PEOPLE, wait=1.0, clients=CLIENTS)
        for number, token in enumerate(target.tokens)
    ]
    return run_client(Load(target.url, target.path, streams, seconds, SEED, first_image, closed=rate is None))


def _figures(uploads: list[Upload]) -> dict[str, object]:
    return {
        "uploads": len(uploads),
        "without_result": sum(upload.result is None for upload in uploads),
        "errors": sorted({upload.error for upload in uploads if upload.error}),
        "answer_milliseconds": milliseconds([upload.answered - upload.due for upload in uploads]),
        "result_milliseconds": milliseconds([u.result - u.due for u in uploads if u.result is not None]),
    }


def _wait_until_ready(process: "subprocess.Popen[bytes]", url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{url} ended with {process.returncode} while it started.")
        with contextlib.suppress(urllib.error.URLError, OSError), urllib.request.urlopen(url, timeout=2):
            return
        time.sleep(0.2)
    raise RuntimeError(f"{url} did not answer within {START_SECONDS:.0f} s.")


def _family(pid: int) -> list[int]:
    return [pid, *(entry for child in children_of(pid) for entry in _family(child))]


def main() -> None:
    """Measure one server after the other and write."""
    options = arguments(__doc__)
    seconds = 5.0 if options.quick else 20.0
    with brainscan() as target:
        results = [measure(target, seconds=seconds, capacity=None)]
    capacity = results[0]["capacity"]
    assert isinstance(capacity, float)
    for name in COMMANDS:
        with peer(name) as target:
            results.append(measure(target, seconds=seconds, capacity=capacity))
    content = {
        "clients_at_capacity": CLIENTS * PEOPLE,
        "seconds": seconds,
        "batch_size": reading.BATCH_SIZE,
        "servers": results,
    }
    write_result(
        result_path("peers", quick=options.quick), content=content, packages=(*PACKAGES, "bentoml", "litserve")
    )


if __name__ == "__main__":
    main()
