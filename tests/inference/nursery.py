"""Processes to be killed: born by fork from one that has imported everything, each running one command.

    python -m tests.inference.nursery MODULE ...

Reads one JSON list a line. ["run", "models", "list"] forks a child that runs that command, and answers its process id
at once; ["wait", pid] answers what became of it. ["here", "models", "list"] answers its own process id and runs the
command itself, for what does not survive a fork (PyTorch and CTranslate2 together). What a command writes goes to the
file that the environment names NURSERY; one that hangs leaves its traceback there.
"""

from __future__ import annotations

import faulthandler
import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from inference.cli import app
from inference.library.shelf import Shelf
from tests.inference.shelved import described

PIECE = 128 * 1024
PATIENCE = 100.0  # seconds, of a busy machine; below the timeout of a test


def install(root: str, folder: str, source: str, filler: str, size: str) -> None:
    """As a conversion writes: file by file into the staging, then installed. `filler` makes it another model."""
    shelf = Shelf(Path(root))
    with shelf.staging() as staged:
        for file in sorted(Path(folder).iterdir()):
            (staged / file.name).write_bytes(file.read_bytes())
        with (staged / "notes.txt").open("wb") as notes:
            for _ in range(int(size) // PIECE):
                notes.write((filler * PIECE)[:PIECE].encode())
                notes.flush()
        shelf.install(staged, described(staged, source=source))


def models(*args: str) -> None:
    app(list(args))


COMMANDS = {"install": install, "models": models}


def child(name: str, args: list[str]) -> None:
    """Never returns: whatever happens, the process ends here."""
    code = 70
    try:
        out = os.open(os.environ["NURSERY"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(out, 2)
        faulthandler.dump_traceback_later(PATIENCE, exit=True)
        COMMANDS[name](*args)
        code = 0
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def main(modules: list[str]) -> None:
    if hasattr(os, "sched_setaffinity"):
        # One core: PyTorch's and CTranslate2's threads, waiting for each other on a busy machine, take minutes.
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    for module in modules:
        importlib.import_module(module)
    for line in sys.stdin:
        order: list[Any] = json.loads(line)
        if order[0] == "run":
            pid = os.fork()
            if pid == 0:
                child(order[1], order[2:])
            answer = pid
        elif order[0] == "here":
            sys.stdout.write(f"{os.getpid()}\n")
            sys.stdout.flush()
            child(order[1], order[2:])
        else:
            answer = os.waitstatus_to_exitcode(os.waitpid(order[1], 0)[1])
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
