"""One model's worker on one device: its process, what it was told and what it said, and when it is started again.

Knows one process. Which ones there are to be, the supervisor decides.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from worker.backoff import STEADY, BackOff
from worker.devices import Device
from worker.orders import RETIRE, STAY

log = structlog.get_logger(__name__)

# A worker that ends with one of these has said that it cannot run: no such model, no such device, a wrong setting.
REFUSALS = (1, 2)
REFUSED_AGAIN = 10.0  # seconds, doubled each time; another process may have had the device's memory
REFUSED_LONGEST = 320.0


@dataclass(slots=True)
class Member:
    """One model's worker on one device: its process while there is one, else when it is started again."""

    device: Device
    model: str
    process: subprocess.Popen[bytes] | None = None
    began: float = 0.0
    back_off: BackOff = field(default_factory=BackOff)
    again_at: float | None = None
    loaded: bool = False
    proved: bool = False  # it has been loaded once
    deaths: int = 0  # before that
    quiet: int = 0  # seconds without a job until it ends, once it was told to retire
    held: bool = False  # until there is room for it
    refused: int = 0  # the status with which it said that it cannot run

    @property
    def retiring(self) -> bool:
        return self.quiet > 0

    def died(self, status: int, *, now: float) -> None:
        self.process, self.loaded = None, False
        self.deaths += not self.proved
        alive = now - self.began
        wait = self.back_off.died(alive=alive)
        if status in REFUSALS and alive <= STEADY:
            again = min(REFUSED_LONGEST, REFUSED_AGAIN * 2 ** max(0, self.deaths - 1))
            self.refused, wait = status, max(wait, again)
        self.again_at = now + wait
        log.warning(
            "a worker ended and is started again",
            model=self.model,
            device=self.device.name,
            status=status,
            seconds=wait,
        )

    def retire(self, *, quiet: int) -> None:
        """Ask it to see its answers through and to end. One that dies of it is started again, to do so."""
        log.info("a worker is retired", model=self.model, device=self.device.name)
        self.quiet = quiet
        self.order(RETIRE % quiet)

    def stay(self) -> None:
        """It is wanted again."""
        log.info("a worker stays", model=self.model, device=self.device.name)
        self.quiet = 0
        self.order(STAY)

    def order(self, words: bytes) -> None:
        if self.process is not None and self.process.stdin is not None:
            with suppress(OSError):  # it is ending
                self.process.stdin.write(words)
                self.process.stdin.flush()

    def start(
        self, command: Sequence[str], environment: Mapping[str, str]
    ) -> tuple[subprocess.Popen[bytes], int]:
        """The process, and the end of a pipe where it says that its model answers. In our own process group: Ctrl-C in
        a terminal, and whoever kills us whole, reaches it as well. Raises OSError."""
        self.began, self.again_at, self.refused = time.monotonic(), None, 0
        hears, tells = os.pipe()
        try:
            self.process = subprocess.Popen(  # noqa: S603  # the command is ours, no shell
                self._command(command, tell_pipe=tells),
                stdin=subprocess.PIPE,
                env={**environment, **self.device.environment(), "FRONTDESK_MODEL": self.model},
                pass_fds=[tells],
            )
        except OSError:
            os.close(hears)
            raise
        finally:
            os.close(tells)
        if self.retiring:
            self.order(RETIRE % self.quiet)
        return self.process, hears

    def _command(self, command: Sequence[str], *, tell_pipe: int) -> list[str]:
        index = self.device.index
        which = [] if index is None else ["--device-index", str(index)]
        return [*command, "--parent-pipe", "0", "--tell-pipe", str(tell_pipe), *which]
