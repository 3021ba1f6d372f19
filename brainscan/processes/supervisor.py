"""Run the processes of an embedded installation and keep them running.

The supervisor is independent of Django and of the programs. It starts them in order, prefixes their output, restarts
those that die, and stops all at the same time, except that programs which the others need stop last.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

PDEATHSIG = Path(__file__).with_name("pdeathsig.py")
# The pause before a restart. It doubles each time the process dies early, up to the longest pause.
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
# A process that ran for this long started properly, so its next pause is the first one again.
HEALTHY_SECONDS = 60.0
POLL_SECONDS = 0.2


@dataclass
class Program:
    """One process to keep running.

    Attributes:
        name: Prefix of its output lines.
        command: The command line.
        ready: Polled until it returns True, before the next program starts.
        ready_seconds: Longest time until it is ready.
        stop_signal: The signal that requests a stop.
        stop_seconds: Longest time to stop before it is killed.
        is_needed: Whether the others need it until they have stopped.
        niceness: Scheduling priority, from 0 (normal) to 19 (lowest).
        environment: Variables added to the supervisor's own environment.
    """

    name: str
    command: Sequence[str]
    ready: Callable[[], bool] = lambda: True
    ready_seconds: float = 30.0
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 15.0
    is_needed: bool = False
    niceness: int = 0
    environment: dict[str, str] = field(default_factory=dict)

    process: "subprocess.Popen[str] | None" = field(default=None, init=False)
    started_at: float = field(default=0.0, init=False)
    pause: float = field(default=FIRST_PAUSE, init=False)
    start_again_at: float = field(default=0.0, init=False)


class NotReady(Exception):
    """A program did not become ready."""


class Supervisor:
    """Start, watch and stop programs. `run` returns after a stop signal."""

    def __init__(self, programs: Sequence[Program], *, out: TextIO = sys.stdout) -> None:
        self.programs = list(programs)
        self.out = out
        self.stop_requested = threading.Event()
        self._print_lock = threading.Lock()
        self._width = max(len(program.name) for program in self.programs)

    def say(self, name: str, line: str) -> None:
        """Print one prefixed line."""
        with self._print_lock, contextlib.suppress(BrokenPipeError):
            print(f"{name:<{self._width}} | {line.rstrip()}", file=self.out, flush=True)

    def run(self, *, when_up: Callable[[], None] = lambda: None) -> None:
        """Start all programs, call `when_up`, watch until SIGINT, SIGTERM or SIGHUP, then stop all.

        Raises:
            NotReady: If a program does not become ready at the first start; the others are stopped.
        """
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: self.stop_requested.set())
        try:
            for program in self.programs:
                self._start(program)
                self._await_ready(program)
            if not self.stop_requested.is_set():
                when_up()
            while not self.stop_requested.wait(POLL_SECONDS):
                for program in self.programs:
                    self._watch(program)
        finally:
            self._stop_all()

    def _start(self, program: Program) -> None:
        prefix = [sys.executable, "-S", str(PDEATHSIG)]
        prefix += [str(number) for number in (os.getpid(), int(signal.SIGTERM), program.niceness)]
        program.process = subprocess.Popen(
            [*prefix, *program.command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, "PYTHONUNBUFFERED": "1", **program.environment},
            # Ctrl-C reaches every process of the terminal's session; the supervisor alone decides what to stop when.
            start_new_session=True,
        )
        program.started_at = time.monotonic()
        threading.Thread(target=self._copy_lines, args=(program, program.process), daemon=True).start()

    def _copy_lines(self, program: Program, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip():
                self.say(program.name, line)

    def _await_ready(self, program: Program) -> None:
        assert program.process is not None
        deadline = time.monotonic() + program.ready_seconds
        while not self.stop_requested.is_set():
            if program.process.poll() is not None:
                raise NotReady(f"{program.name} stopped with exit code {program.process.returncode} at its start.")
            if program.ready():
                return
            if time.monotonic() > deadline:
                raise NotReady(f"{program.name} was not ready after {program.ready_seconds:.0f} s.")
            time.sleep(POLL_SECONDS / 4)

    def _watch(self, program: Program) -> None:
        now = time.monotonic()
        if program.process is not None and program.process.poll() is not None:
            lived = now - program.started_at
            program.pause = FIRST_PAUSE if lived > HEALTHY_SECONDS else program.pause
            self.say(
                program.name, f"stopped with exit code {program.process.returncode}; again in {program.pause:.0f} s"
            )
            program.process = None
            program.start_again_at = now + program.pause
            program.pause = min(program.pause * 2, LONGEST_PAUSE)
        if program.process is None and now >= program.start_again_at:
            self._start(program)

    def _stop_all(self) -> None:
        for is_needed in (False, True):
            self._stop([program for program in self.programs if program.is_needed == is_needed])

    def _stop(self, programs: Sequence[Program]) -> None:
        """Stop programs at the same time."""
        begin = time.monotonic()
        running = [(program, program.process) for program in programs if program.process is not None]
        for program, process in running:
            if process.poll() is None:
                process.send_signal(program.stop_signal)
        for program, process in running:
            try:
                process.wait(max(0.0, begin + program.stop_seconds - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.say(program.name, f"did not stop within {program.stop_seconds:.0f} s and was killed")
                process.kill()
                process.wait()
