"""The supervisor with small programs of its own."""

import io
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from brainscan.processes import programs
from brainscan.processes.supervisor import NotReady, Program, Supervisor


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def run(supervisor: Supervisor, *, until) -> None:
    """Run in this thread (signals need the main one) and ask it to stop once `until()` holds."""

    over = threading.Event()

    def watch() -> None:
        deadline = time.monotonic() + 20
        while not until() and not over.wait(0.05) and time.monotonic() < deadline:
            pass
        supervisor.stop_requested.set()

    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    thread = threading.Thread(target=watch)
    thread.start()
    try:
        supervisor.run()
    finally:
        over.set()
        thread.join()
        for number, handler in handlers.items():
            signal.signal(number, handler)


def test_lines_carry_the_name_of_their_program():
    out = io.StringIO()
    programs = [
        Program("web", python("print('hello', flush=True); import time; time.sleep(60)")),
        Program("worker", python("print('there', flush=True); import time; time.sleep(60)")),
    ]
    run(Supervisor(programs, out=out), until=lambda: "there" in out.getvalue() and "hello" in out.getvalue())
    assert sorted(out.getvalue().splitlines()) == ["web    | hello", "worker | there"]


def test_a_program_that_dies_is_started_again():
    out = io.StringIO()
    run(
        Supervisor([Program("web", python("import sys; print('here', flush=True); sys.exit(3)"))], out=out),
        until=lambda: out.getvalue().count("here") >= 2,
    )
    assert "web | stopped with exit code 3; again in 1 s" in out.getvalue()


def test_a_program_that_ignores_the_stop_signal_is_killed():
    out = io.StringIO()
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    )
    program = Program("web", python(code), stop_seconds=0.5)
    run(Supervisor([program], out=out), until=lambda: "deaf" in out.getvalue())
    assert program.process is not None
    assert program.process.returncode == -signal.SIGKILL
    assert "was killed" in out.getvalue()


def test_programs_stop_at_once_and_what_they_need_last(tmp_path):
    code = (
        "import signal, sys, time\n"
        "def stop(*_):\n"
        "    log = open(sys.argv[1], 'a', buffering=1)\n"
        "    print(sys.argv[2], file=log)\n"
        "    while sys.argv[2] != 'broker' and open(sys.argv[1]).read().count('asked') < 2: time.sleep(0.01)\n"
        "    print('stopped', file=log)\n"
        "    sys.exit()\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        "print('up', flush=True)\n"
        "time.sleep(60)"
    )
    log, out = tmp_path / "log", io.StringIO()
    # The first two end only when both have been asked to.
    programs = [
        Program("broker", [*python(code), str(log), "broker"], is_needed=True),
        Program("worker", [*python(code), str(log), "asked"]),
        Program("web", [*python(code), str(log), "asked"]),
    ]
    run(Supervisor(programs, out=out), until=lambda: out.getvalue().count("up") == 3)
    assert log.read_text().split() == ["asked", "asked", "stopped", "stopped", "broker", "stopped"]
    assert "was killed" not in out.getvalue()


@pytest.mark.skipif(sys.platform != "linux", reason="niceness is read from Linux")
def test_a_program_stands_back_behind_the_others():
    out = io.StringIO()
    code = (
        "import os, pathlib, time\n"
        "group = pathlib.Path('/proc/self/autogroup')\n"
        "print('nice', os.nice(0), group.read_text().split()[-1] if group.exists() else 5, flush=True)\n"
        "time.sleep(60)"
    )
    programs = [Program("worker", python(code), niceness=5)]
    run(Supervisor(programs, out=out), until=lambda: "nice" in out.getvalue())
    assert out.getvalue().split(" | ")[1].split() == ["nice", str(os.nice(0) + 5), "5"]


def test_a_program_that_never_comes_up_is_named():
    supervisor = Supervisor([Program("web", python("import sys; sys.exit(7)"), ready=lambda: False)], out=io.StringIO())
    with pytest.raises(NotReady, match="web stopped with exit code 7"):
        run(supervisor, until=lambda: False)


def test_the_probe_of_the_web_asks_under_a_name_that_is_allowed():
    """An installation that allows only its public name is found to be up all the same."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.headers["Host"])
            self.send_response(200 if self.headers["Host"] == "scans.example.org" else 400)
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        assert programs.web(host="0.0.0.0", port=port, name="scans.example.org").ready()
        assert not programs.web(host="127.0.0.1", port=port, name="elsewhere").ready()
        server.shutdown()
    assert asked == ["scans.example.org", "elsewhere"]
