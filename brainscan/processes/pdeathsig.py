"""Start a command that dies with its parent: `python pdeathsig.py PARENT_PID SIGNAL NICENESS COMMAND…`.

The supervisor starts every process through this file, so that none is left behind if the supervisor is killed with
SIGKILL. Linux only (`prctl(2)`, PR_SET_PDEATHSIG); elsewhere the command simply runs. The file imports nothing from
Django, so that the command starts within milliseconds.
"""

import contextlib
import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Request `SIGNAL` from the kernel when the parent dies, lower the priority by `NICENESS`, and run the command."""
    parent, on_death, niceness, *command = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(on_death))
        if os.getppid() != int(parent):  # it died before we asked
            sys.exit(1)
    if int(niceness):
        os.nice(int(niceness))
        # Where the kernel shares its time between sessions first, a process's own niceness counts within its session
        # only, and each program has one of its own (sched(7), the autogroup feature).
        with contextlib.suppress(OSError), open("/proc/self/autogroup", "w", encoding="ascii") as group:
            group.write(niceness)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
