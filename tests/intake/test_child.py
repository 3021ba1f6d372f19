"""Files are read in children: nothing that happens there reaches the process that asked."""

import logging
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from classifier.intake import RefusedImage, read_image
from classifier.intake.client import Reader
from devtools.corpus.pictures import jpeg, png

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def faulty() -> Iterator[Reader]:
    """A reader whose children do what the first word of a file says."""
    reader = Reader(command=(sys.executable, "-m", "tests.intake.faulty_server"))
    yield reader
    reader.stop()


def refusal_of(reader: Reader, data: bytes) -> str:
    with pytest.raises(RefusedImage) as refusal:
        reader.read([data])
    return refusal.value.code


def server_of(reader: Reader) -> int:
    """The process id of the fork server, which is started first."""
    reader.start()
    assert reader._process is not None
    return reader._process.pid


def children_of(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


def wait_until(condition, *, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    """Whether a process runs; one that has ended and only waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("fault", "code", "logged"),
    [
        ("segfault", "damaged", "Segmentation fault"),
        ("abort", "damaged", "Aborted"),
        ("exit", "damaged", "exit code 3"),
        ("killed", "too_demanding", "Killed"),
        ("hang", "too_demanding", "Alarm clock"),
        ("busy", "too_demanding", "Profiling timer expired"),
        ("memory", "too_demanding", ""),
        ("bug", "damaged", "A fault of ours."),
        ("file", "damaged", "File too large"),
    ],
)
def test_whatever_ends_a_child_refuses_its_file_alone(faulty: Reader, caplog, fault: str, code: str, logged: str):
    server = server_of(faulty)
    with caplog.at_level(logging.WARNING):
        assert refusal_of(faulty, f"{fault} {'x' * 200_000}".encode()) == code
    assert logged in caplog.text
    assert faulty.read([jpeg()]).sha256 == read_image(jpeg()).sha256
    assert server_of(faulty) == server


def test_a_reply_that_is_no_image_is_not_believed(faulty: Reader):
    with pytest.raises(RuntimeError, match="Received"):
        faulty.read([b"nonsense"])


def test_eight_threads_read_at_once_whatever_some_of_them_meet(faulty: Reader):
    expected = {name: read_image(data).sha256 for name, data in (("jpeg", jpeg()), ("png", png()))}

    def answer(number: int) -> str:
        kind = ("jpeg", "png", "segfault", "killed")[number % 4]
        if kind in expected:
            data = jpeg() if kind == "jpeg" else png()
            return "same" if faulty.read([data]).sha256 == expected[kind] else "another picture"
        return refusal_of(faulty, kind.encode())

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(answer, range(80)))
    assert answers == ["same", "same", "damaged", "too_demanding"] * 20


def test_nothing_piles_up(faulty: Reader):
    server = server_of(faulty)
    faulty.read([jpeg()])

    def open_files(pid: int) -> int:
        return len(os.listdir(f"/proc/{pid}/fd"))

    ours, theirs = open_files(os.getpid()), open_files(server)
    for number in range(40):
        if number % 2:
            faulty.read([jpeg()])
        else:
            refusal_of(faulty, b"segfault")
    # One child is kept ready; those that have ended are collected.
    wait_until(lambda: len(children_of(server)) <= 1 and open_files(server) <= theirs)
    assert open_files(os.getpid()) <= ours


def test_an_upload_that_is_given_up_leaves_no_child(faulty: Reader):
    server = server_of(faulty)

    def broken_off() -> Iterator[bytes]:
        yield jpeg()[:1000]
        raise ConnectionResetError("the browser has gone")

    with pytest.raises(ConnectionResetError, match="has gone"):
        faulty.read(broken_off())
    wait_until(lambda: len(children_of(server)) <= 1)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_killed_fork_server_is_replaced(faulty: Reader, number: int):
    server = server_of(faulty)
    faulty.read([jpeg()])
    family = [server, *children_of(server)]
    os.kill(server, number)
    wait_until(lambda: not any(is_running(pid) for pid in family))
    assert faulty.read([jpeg()]).width == 120
    assert server_of(faulty) != server


def test_a_stop_signal_to_all_processes_does_not_break_an_upload_off(faulty: Reader):
    server = server_of(faulty)
    faulty.read([jpeg()])
    for pid in (server, *children_of(server)):
        os.kill(pid, signal.SIGTERM)
    assert faulty.read([jpeg()]).width == 120
    assert server_of(faulty) == server


def test_a_fork_server_that_cannot_start_says_so():
    reader = Reader(command=(sys.executable, "-c", "raise SystemExit('no libraries')"))
    with pytest.raises(RuntimeError, match="cannot be started"):
        reader.read([jpeg()])


@pytest.mark.parametrize("end", ["pass", "os.kill(os.getpid(), 9)"], ids=["exit", "killed"])
def test_the_helpers_end_with_their_parent(end: str):
    program = f"""
        import os, sys
        from classifier.intake import client, read_image
        read_image(bytes.fromhex(sys.argv[1]))
        print(client.shared()._process.pid, flush=True)
        {end}
    """
    command = [sys.executable, "-c", textwrap.dedent(program), jpeg().hex()]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60)
    wait_until(lambda: not is_running(int(done.stdout)))


def test_a_forked_process_has_helpers_of_its_own():
    program = """
        import os, sys
        from classifier.intake import client, read_image
        data = bytes.fromhex(sys.argv[1])
        read_image(data)
        server = client.shared()._process.pid
        if not os.fork():
            read_image(data)
            print(server != client.shared()._process.pid, flush=True)
            client.shared().stop()
            os._exit(0)
        os.wait()
        read_image(data)
        print(server == client.shared()._process.pid, flush=True)
    """
    command = [sys.executable, "-c", textwrap.dedent(program), jpeg().hex()]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.stdout.split() == ["True", "True"], done.stderr


def test_no_secret_of_the_caller_reaches_the_helpers(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SECRET_KEY", "do-not-pass-on")
    reader = Reader()
    # Children have the environment of the fork server.
    assert b"do-not-pass-on" not in Path(f"/proc/{server_of(reader)}/environ").read_bytes()
    reader.stop()
