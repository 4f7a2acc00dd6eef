"""Ends a program with its parent, however the parent ends: `python -I -S leash.py PARENT_PID COMMAND ...`.

Knows processes only, and nothing of ours: it is run as a script, so that it starts in a few milliseconds.
2026-11: on Linux the kernel keeps the promise (PR_SET_PDEATHSIG) and this process becomes the program. The signal is
bound to the parent's spawning *thread*, so the parent spawns from one that lives as long as the program. Elsewhere
this process stays and watches standard input, a pipe whose other end only the parent holds.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def main(arguments: list[str]) -> int:
    """Run the command given after the parent's process id; returns its exit status where it does not replace us."""
    parent, command = int(arguments[0]), arguments[1:]
    if sys.platform == "linux":
        die_with(parent)
        os.execv(command[0], command)  # noqa: S606  # no shell is meant
    return watch(command, pipe=sys.stdin.fileno())


def die_with(parent: int) -> None:
    """Have the kernel kill this process, and what it becomes, when the parent's spawning thread ends."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:  # it died before we asked
        sys.exit(1)


def watch(command: list[str], *, pipe: int) -> int:
    """Run the command until it ends by itself, or until the pipe's other end closes."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603  # our own caller names it

    def until_closed() -> None:
        while os.read(pipe, 1):
            pass
        child.kill()

    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    threading.Thread(target=until_closed, daemon=True).start()
    return child.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
