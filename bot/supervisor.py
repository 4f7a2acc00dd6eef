"""Child processes that are kept running: started again when they die, ended with us, their output heard line by line.

Knows processes, signals and pipes. What the children do, and what becomes of their lines, is the caller's business.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from worker import leash
from worker.backoff import BACK_OFF, BackOff

log = structlog.get_logger(__name__)

LONGEST_LINE = 64 * 1024  # bytes; a longer line is heard in parts, so that a child cannot fill our memory
LAST_LINES = 1.0  # seconds for the lines a child wrote just before it ended

LEASH = Path(leash.__file__)


class CannotStart(Exception):
    """A child could not be started at all; the message names it and the cause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to run. Every program gets a pipe as its standard input that closes when we end, however we end.

    `leashed` is for programs that do not watch that pipe themselves. `grace` is the number of seconds between asking
    a child to end (SIGTERM) and ending it (SIGKILL to its whole process group).
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    leashed: bool = False
    grace: float = 3.0


@dataclass(slots=True)
class Kept:
    """A program under care: the process it is at the moment, and how often it was started."""

    program: Program
    heard: Callable[[str, str], None]
    pid: int = 0
    starts: int = 0
    ending: bool = False
    _ended: asyncio.Event = field(default_factory=asyncio.Event)
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it. Must run in the main thread (see worker/leash.py). Raises CannotStart."""
        self._ended = asyncio.Event()
        try:
            process = subprocess.Popen(  # noqa: S603  # the command is ours, no shell
                self._command(),
                stdin=subprocess.PIPE,  # nothing is ever written: it is there to close when we end
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=dict(self.program.environment),
                start_new_session=True,  # Ctrl-C in the terminal is ours to pass on; and one group to end whole
            )
        except OSError as error:
            raise CannotStart(f"{self.program.name} cannot be started: {error.strerror}") from None
        self._process, self.pid, self.starts = process, process.pid, self.starts + 1
        hearing = threading.Thread(target=self._hear, args=(process,), daemon=True)
        hearing.start()
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._reap, args=(process, hearing, loop, self._ended), daemon=True).start()

    async def ended(self) -> int:
        """Wait for the process's end; its exit status, negative for a signal."""
        await self._ended.wait()
        return self._process.returncode if self._process else 0

    def ask(self) -> None:
        """Ask it to end, and do not start it again."""
        self.ending = True
        self._signal(signal.SIGTERM)

    async def stop(self, hurry: asyncio.Event) -> None:
        """Ask it to end unless that was done, and end it when its grace is over or `hurry` is set."""
        if self._process is None:
            return
        try:
            if not self.ending:
                self.ask()
            waits = [asyncio.ensure_future(self._ended.wait()), asyncio.ensure_future(hurry.wait())]
            try:
                await asyncio.wait(waits, timeout=self.program.grace, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()
        finally:
            if not self._ended.is_set():
                log.warning("a child did not end in time and is killed", child=self.program.name)
                self._signal(signal.SIGKILL)
            await self._ended.wait()

    def _command(self) -> list[str]:
        if not self.program.leashed:
            return list(self.program.command)
        return [sys.executable, "-I", "-S", str(LEASH), str(os.getpid()), *self.program.command]

    def _signal(self, number: signal.Signals) -> None:
        """To the process, or to its whole group when it is killed. Only before it is reaped: the id is its own."""
        if self._process is None or self._process.returncode is not None:
            return
        with suppress(ProcessLookupError, PermissionError):
            if number == signal.SIGKILL:
                os.killpg(self._process.pid, number)
            else:
                self._process.send_signal(number)

    def _hear(self, process: subprocess.Popen[bytes]) -> None:
        if process.stdout is None:
            return
        while line := process.stdout.readline(LONGEST_LINE):
            try:
                self.heard(self.program.name, line.decode("utf-8", "replace").rstrip("\r\n"))
            except Exception:  # a pipe that nobody empties would hold the child up for ever
                log.exception("a line of a child cannot be heard", child=self.program.name)

    def _reap(
        self,
        process: subprocess.Popen[bytes],
        hearing: threading.Thread,
        loop: asyncio.AbstractEventLoop,
        ended: asyncio.Event,
    ) -> None:
        """In a thread: wait for the end, and take what is left of the process group along."""
        if hasattr(os, "waitid"):  # leaves the process id reserved, so the group is certainly still its own
            with suppress(ChildProcessError):
                os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        hearing.join(LAST_LINES)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None and not (pipe is process.stdout and hearing.is_alive()):
                pipe.close()
        loop.call_soon_threadsafe(ended.set)


@asynccontextmanager
async def kept_running(
    program: Program, *, heard: Callable[[str, str], None], hurry: asyncio.Event
) -> AsyncGenerator[Kept, None]:
    """Run a program as long as the block lasts, starting it again when it dies: at once, then with back-off.

    `heard(name, line)` gets each line of its output, in a thread. Setting `hurry` cuts its grace at the end short.
    Raises CannotStart when its first start fails.
    """
    kept = Kept(program=program, heard=heard)
    kept.start()
    keeping = asyncio.create_task(_keep(kept), name=f"keeping {program.name}")
    try:
        yield kept
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await kept.stop(hurry)


async def _keep(kept: Kept) -> None:
    back_off = BackOff()
    while True:
        began = time.monotonic()
        status = await kept.ended()
        if kept.ending:
            return  # it was asked to
        wait = back_off.died(alive=time.monotonic() - began)
        log.warning(
            "a child ended and is started again", child=kept.program.name, status=status, seconds=wait
        )
        await asyncio.sleep(wait)
        if kept.ending:
            return
        await _started(kept, wait=BACK_OFF[-1])


async def _started(kept: Kept, *, wait: float) -> None:
    """Start it again; what hinders that (no memory, too many processes) may pass."""
    while True:
        try:
            kept.start()
        except CannotStart as error:
            log.exception("a child cannot be started again yet", child=kept.program.name, cause=str(error))
            await asyncio.sleep(wait)
        else:
            return
