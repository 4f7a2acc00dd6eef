"""One worker process for each device: started, started again when it dies, ended together.

Knows processes and signals. Loads no model and knows no queue; what a worker does stands in `serve`.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from worker.backoff import STEADY, BackOff
from worker.devices import Device, chosen
from worker.settings import ONE, WorkerSettings

log = structlog.get_logger(__name__)

COMMAND = (sys.executable, "-P", "-m", "worker")

# A worker that ends with one of these has said that it cannot run: no such model, no such device, a wrong setting.
REFUSALS = (1, 2)
REFUSED_AGAIN = 10.0  # seconds; another process may have had the device's memory
GRACE = 9.0  # seconds from SIGTERM to SIGKILL; a worker ends itself after eight


def supervise(
    settings: WorkerSettings, *, parent_pipe: int | None = None, command: Sequence[str] = COMMAND
) -> int:
    """Keep a worker running for each device until SIGTERM or SIGINT, or until `parent_pipe` is closed.

    Returns the exit status: 0 when all ended as asked, and their own where none of them can run.
    """
    devices = chosen(settings.devices, environment=os.environ)
    log.info("workers starting", devices=[device.name for device in devices])
    environment = {**os.environ, **settings.environment(), "FRONTDESK_DEVICES": ONE}
    crew = Crew(devices, command=command, environment=environment)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: crew.end())
    if parent_pipe is not None:
        threading.Thread(target=_watch, args=(parent_pipe, crew), name="parent", daemon=True).start()
    return crew.run()


def _watch(pipe: int, crew: Crew) -> None:
    with suppress(OSError):
        while os.read(pipe, 1024):
            pass
    log.warning("the parent is gone")
    crew.end(gone=True)


@dataclass(slots=True)
class Member:
    """One device's worker: its process while there is one, else when it is started again."""

    device: Device
    process: subprocess.Popen[bytes] | None = None
    began: float = 0.0
    back_off: BackOff = field(default_factory=BackOff)
    again_at: float | None = None
    refused: int = 0  # the status with which it said that it cannot run

    def died(self, status: int, *, now: float) -> None:
        self.process = None
        alive = now - self.began
        wait = self.back_off.died(alive=alive)
        if status in REFUSALS and alive <= STEADY:
            self.refused, wait = status, max(wait, REFUSED_AGAIN)
        self.again_at = now + wait
        log.warning(
            "a worker ended and is started again", device=self.device.name, status=status, seconds=wait
        )


class Crew:
    """`run` keeps the main thread; `end` may be called by a signal handler or by another thread."""

    def __init__(
        self, devices: Sequence[Device], *, command: Sequence[str], environment: Mapping[str, str]
    ) -> None:
        self.members = [Member(device) for device in devices]
        self._command = command
        self._environment = environment
        # Reentrant: a signal's handler may put while the main thread gets.
        self._events: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._killing_at: float | None = None
        self._failed = False

    def run(self) -> int:
        """Start them all, and return when they have ended as asked or when none of them can run."""
        while True:
            ended = all(member.process is None for member in self.members)
            if self._killing_at is not None and ended:
                return 1 if self._failed else 0
            if all(member.refused for member in self.members):
                return self.members[0].refused
            self._start_due()
            with suppress(queue.Empty):
                self._events.get(timeout=self._patience())()
            if self._killing_at is not None and time.monotonic() >= self._killing_at:
                self._kill()

    def end(self, *, gone: bool = False) -> None:
        """Ask all to end. `gone`: whoever started us is, so that nobody reads what they would still tell."""
        self._events.put(lambda: self._end(gone=gone))

    def _end(self, *, gone: bool) -> None:
        if self._killing_at is None:
            self._killing_at = time.monotonic() + GRACE
        for member in self.members:
            member.again_at = None
            if member.process is not None and gone and member.process.stdin is not None:
                member.process.stdin.close()  # they watch it, as we watch ours
            elif member.process is not None:
                member.process.send_signal(signal.SIGTERM)

    def _kill(self) -> None:
        self._killing_at, self._failed = time.monotonic() + GRACE, True
        for member in self.members:
            if member.process is not None:
                log.error("a worker does not end and is killed", device=member.device.name)
                member.process.kill()

    def _start_due(self) -> None:
        if self._killing_at is not None:
            return
        now = time.monotonic()
        for member in self.members:
            if member.process is None and (member.again_at is None or now >= member.again_at):
                self._start(member)

    def _start(self, member: Member) -> None:
        """In our own process group: Ctrl-C in a terminal, and whoever kills us whole, reaches all of them as well."""
        device = member.device
        command = [*self._command, "--parent-pipe", "0", "--device-index", str(device.index)]
        member.began, member.again_at, member.refused = time.monotonic(), None, 0
        try:
            process = subprocess.Popen(  # noqa: S603  # the command is ours, no shell
                command, stdin=subprocess.PIPE, env={**self._environment, **device.environment()}
            )
        except OSError as error:  # no memory, too many processes: that may pass
            log.error("a worker cannot be started", device=device.name, cause=str(error))  # noqa: TRY400
            member.died(1, now=member.began)
            return
        member.process = process
        threading.Thread(target=self._reap, args=(member, process), daemon=True).start()

    def _reap(self, member: Member, process: subprocess.Popen[bytes]) -> None:
        """In a thread: wait for its end."""
        status = process.wait()
        self._events.put(lambda: self._ended(member, process, status))

    def _ended(self, member: Member, process: subprocess.Popen[bytes], status: int) -> None:
        if process.stdin is not None:
            process.stdin.close()
        if self._killing_at is None:
            member.died(status, now=time.monotonic())
            return
        member.process = None
        # By SIGTERM: it was asked before it could listen, as it started.
        self._failed = self._failed or status not in (0, -signal.SIGTERM)

    def _patience(self) -> float | None:
        """Seconds until something is to be done unasked."""
        times = [member.again_at for member in self.members if member.again_at is not None]
        if self._killing_at is not None:
            times = [self._killing_at]
        return max(0.0, min(times) - time.monotonic()) if times else None
