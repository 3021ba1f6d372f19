"""The bare engine: the same network on prepared images, with nothing around it. A process of its own.

`python -m bench.bare` loads the model, says `ready`, and for each number on its standard input runs so many images
and prints images a second.
"""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator

from bench.installation import EXPORTS, MODEL
from devtools.running import ROOT

# Every sample a few times, so that the processor's cache holds the network, not the image.
PREPARED = 24


class BareEngine:
    """A running process of this module."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.engine = self._line().removeprefix("ready ")

    def rate(self, images: int) -> float:
        """Images a second over so many of them."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{images}\n")
        self._process.stdin.flush()
        return float(self._line())

    def _line(self) -> str:
        assert self._process.stdout is not None
        line: str = self._process.stdout.readline().strip()
        if not line:
            raise RuntimeError("The bare engine ended.")
        return line


@contextlib.contextmanager
def bare_engine() -> Iterator[BareEngine]:
    """Start the process, and end it afterwards."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.bare"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield BareEngine(process)
    finally:
        process.terminate()
        process.wait(30)


def main() -> None:
    """Load, and measure as often as is asked."""
    from bench.images import DISTINCT, distinct_jpeg
    from classifier.inference.analyzer import Analyzer
    from classifier.intake import read_image

    analyzer = Analyzer.from_folder(MODEL, exports=EXPORTS)
    # The images that `bench.fill` uploads first: how long one takes may depend on what it shows.
    images = [read_image(distinct_jpeg(DISTINCT - 1 - number)).pixels for number in range(PREPARED)]
    prepared = analyzer.prepare(images)
    print(f"ready {analyzer.engine_name}", flush=True)
    for line in sys.stdin:
        count = int(line)
        begin = time.perf_counter()
        for number in range(count):
            analyzer.engine.predict(prepared[number % PREPARED].inputs)
        print(count / (time.perf_counter() - begin), flush=True)


if __name__ == "__main__":
    main()
