"""Clients that upload images, in a process of their own: open-loop streams, or a fixed number in a closed loop.

The process reads a `Load` as JSON from its standard input and prints a list of `Upload` as JSON. In the open loop
uploads begin at times drawn beforehand (a Poisson process, seeded), whether earlier ones were answered or not, and
every duration counts from the time that was drawn: a server that stalls is not spared the uploads it held up.
"""

import http.client
import json
import random
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from threading import Lock

from bench.images import distinct_jpeg
from devtools.running import ROOT

# Where BrainScan takes images.
PATH = "/api/v1/scans/"
# More than ever wait at once, so that no upload waits for a thread of the client.
SENDERS, WAITERS = 64, 32
# Pause of a client whose waiting slot was denied.
ASK_AGAIN_SECONDS = 0.1
PATIENCE_SECONDS = 120.0
# Images made beforehand for each second of a closed loop: more than any server here takes.
CLOSED_RATE = 40
# Between the start of the process and the first upload: its threads and images are ready by then.
LEAD_SECONDS = 0.3


@dataclass(frozen=True)
class Stream:
    """One person's uploads.

    Attributes:
        name: how its uploads are told apart afterwards.
        token: the person's API token, or "" for a server that asks for none.
        rate: uploads a second (open loop).
        wait: share of the uploads whose result is waited for.
        clients: how many upload in a closed loop.
    """

    name: str
    token: str = ""
    rate: float = 0.0
    wait: float = 0.0
    clients: int = 0


@dataclass(frozen=True)
class Load:
    """The uploads, and their target.

    Attributes:
        url: the server's.
        path: where it takes images, in a form's field `image`. Who answers 200 has given the result with it, who
            answers 202 is asked for it at the path with the scan's id.
        streams: who uploads.
        seconds: for how long uploads begin.
        seed: of times and choices.
        first_image: number of the first image; they count up from there.
        closed: whether each client begins its next upload when it has the result of the one before.
    """

    url: str
    path: str
    streams: list[Stream]
    seconds: float
    seed: int
    first_image: int
    closed: bool = False


@dataclass
class Upload:
    """The result of one upload; times in seconds since the first could begin.

    Attributes:
        stream: whose it is.
        due: when it was to begin.
        answered: when the server had taken it, or refused.
        status: of that answer; 0 without one.
        scan: id of the scan, BrainScan only.
        result: when the client had the result; None if it did not wait for it.
        error: The error.
    """

    stream: str
    due: float
    answered: float = 0.0
    status: int = 0
    scan: str = ""
    result: float | None = None
    error: str = ""


@dataclass
class Server:
    """Talks to a server, a connection for each request.

    Attributes:
        load: The uploads, and their target.
        begin: `time.monotonic()` of second 0.
    """

    load: Load
    begin: float = field(default_factory=time.monotonic)

    def now(self) -> float:
        """Seconds since the begin."""
        return time.monotonic() - self.begin

    def send(self, upload: Upload, *, image: bytes, token: str) -> None:
        """Upload an image and note the answer."""
        try:
            body, kind = _form(image)
            upload.status, answer = self._ask("POST", self.load.path, token=token, body=body, kind=kind)
            upload.answered = self.now()
            if upload.status == 202:
                upload.scan = json.loads(answer)["id"]
            elif upload.status == 200:
                upload.result = upload.answered
            else:
                upload.error = answer[:200].decode(errors="replace")
        except (OSError, http.client.HTTPException, ValueError) as error:
            upload.answered, upload.error = self.now(), repr(error)

    def wait(self, upload: Upload, *, token: str) -> None:
        """Wait until the result can be read."""
        if not upload.scan:
            return
        while self.now() < upload.due + PATIENCE_SECONDS:
            try:
                status, answer = self._ask("GET", f"{self.load.path}{upload.scan}/", token=token, prefer="wait=30")
                if status != 200:
                    upload.error = f"{status} {answer[:200].decode(errors='replace')}"
                    return
                state = json.loads(answer)["analysis"]["state"]
            except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
                upload.error = repr(error)
                return
            if state not in ("queued", "running"):
                upload.result = self.now()
                return
            time.sleep(ASK_AGAIN_SECONDS)
        upload.error = "no result"

    def _ask(
        self, method: str, path: str, *, token: str, body: bytes | None = None, kind: str = "", prefer: str = ""
    ) -> tuple[int, bytes]:
        parts = urllib.parse.urlsplit(self.load.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE_SECONDS)
        headers = {"Authorization": f"Token {token}" if token else "", "Content-Type": kind, "Prefer": prefer}
        try:
            connection.request(method, path, body, {name: value for name, value in headers.items() if value})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


def run_open(load: Load) -> list[Upload]:
    """Upload at the drawn times, and wait for what is under way at the end."""
    chance = random.Random(load.seed)
    due: list[tuple[float, Stream, bool]] = []
    for stream in load.streams:
        at = chance.expovariate(stream.rate)
        while at < load.seconds:
            due.append((at, stream, chance.random() < stream.wait))
            at += chance.expovariate(stream.rate)
    due.sort(key=lambda entry: entry[0])
    images = [distinct_jpeg(load.first_image + number) for number in range(len(due))]
    uploads = [Upload(stream.name, at) for at, stream, _ in due]
    waits: list[Future[None]] = []
    with ThreadPoolExecutor(SENDERS) as senders, ThreadPoolExecutor(WAITERS) as waiters:
        server = Server(load, time.monotonic() + LEAD_SECONDS)

        def send(upload: Upload, stream: Stream, image: bytes, wait: bool) -> None:
            server.send(upload, image=image, token=stream.token)
            if wait:
                waits.append(waiters.submit(server.wait, upload, token=stream.token))

        sent = []
        for upload, (at, stream, wait), image in zip(uploads, due, images, strict=True):
            time.sleep(max(0.0, at - server.now()))
            sent.append(senders.submit(send, upload, stream, image, wait))
        for future in sent:
            future.result()
        for waiting in list(waits):
            waiting.result()
    return uploads


def run_closed(load: Load) -> list[Upload]:
    """Let each client upload, wait for the result, and begin again, until the time is over."""
    lock, uploads = Lock(), list[Upload]()
    count = int(load.seconds * CLOSED_RATE)
    images = iter([distinct_jpeg(load.first_image + number) for number in range(count)])
    server = Server(load)

    def work(stream: Stream) -> None:
        while server.now() < load.seconds:
            with lock:
                image = next(images)
            upload = Upload(stream.name, server.now())
            server.send(upload, image=image, token=stream.token)
            server.wait(upload, token=stream.token)
            with lock:
                uploads.append(upload)

    clients = [stream for stream in load.streams for _ in range(stream.clients)]
    with ThreadPoolExecutor(len(clients)) as pool:
        for future in [pool.submit(work, stream) for stream in clients]:
            future.result()
    return uploads


def closed_rate(uploads: list[Upload], *, seconds: float) -> float:
    """Results a second in a closed loop.

    Args:
        uploads: Their results.
        seconds: how long it was. Its begin, until the first results come, and its end, when clients stop one by one,
            are left out, unless nothing else is left.

    Raises:
        RuntimeError: if nothing came of it.
    """
    results = sorted(upload.result for upload in uploads if upload.result is not None)
    if not results:
        raise RuntimeError(f"No upload had a result. Received: {sorted({upload.error for upload in uploads})}")
    steady = [result for result in results if seconds * 0.15 <= result <= seconds]
    if len(steady) > 2 * len({upload.stream for upload in uploads}):
        return (len(steady) - 1) / (steady[-1] - steady[0])
    return len(results) / results[-1]


def run_client(load: Load, *, meanwhile: Callable[[], None] | None = None) -> list[Upload]:
    """Run a load in a process of its own; call `meanwhile` every half second until it ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.client"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(asdict(load)))
    process.stdin.close()
    with ThreadPoolExecutor(1) as pool:
        output = pool.submit(process.stdout.read)
        while process.poll() is None and not output.done():
            if meanwhile is not None:
                meanwhile()
            time.sleep(0.5)
        text = output.result()
    if process.wait():
        raise RuntimeError(f"The client ended with {process.returncode}.")
    return [Upload(**entry) for entry in json.loads(text)]


def main() -> None:
    """Read a load, run it, and print the outcome."""
    fields = json.load(sys.stdin)
    fields["streams"] = [Stream(**stream) for stream in fields["streams"]]
    load = Load(**fields)
    uploads = run_closed(load) if load.closed else run_open(load)
    json.dump([asdict(upload) for upload in uploads], sys.stdout)


def _form(image: bytes) -> tuple[bytes, str]:
    boundary = "bench-4f1c9a"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="scan.jpg"\r\n\r\n'
    return head.encode() + image + f"\r\n--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


if __name__ == "__main__":
    main()
