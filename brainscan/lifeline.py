"""Start a command that dies with its parent: `python lifeline.py PARENT_PID SIGNAL COMMAND…`.

The supervisor starts every process through this file, so that none is left behind when the supervisor is killed with
SIGKILL and can clean up nothing itself. Linux only (`prctl(2)`, PR_SET_PDEATHSIG); elsewhere the command is just run.
Imports nothing of Django: it becomes the command within milliseconds.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask the kernel for `SIGNAL` when the parent dies, then become the command."""
    parent, on_death, *command = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(on_death))
        if os.getppid() != int(parent):  # it died before we asked
            sys.exit(1)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
