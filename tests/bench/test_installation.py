import subprocess
import sys

import pytest

from bench.installation import children_of

RESTLESS = """
import subprocess, threading
child = subprocess.Popen(["sleep", "60"])
print(child.pid, flush=True)
while True:
    threads = [threading.Thread(target=int) for _ in range(4)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Reads /proc.")
def test_children_are_found_while_threads_come_and_go():
    with subprocess.Popen([sys.executable, "-c", RESTLESS], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        try:
            assert {tuple(children_of(process.pid)) for _ in range(2000)} == {(child,)}
        finally:
            process.kill()
            subprocess.run(["kill", str(child)], check=True)
