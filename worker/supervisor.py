"""A worker process for each device and each model that is to answer there: kept running, exchanged without a pause.

Knows processes and signals. Loads no model and knows no queue; which models are wanted stands in `residents`, what a
worker does in `serve`.

A model that is new is loaded beside the old one, and only once it answers is the old one retired: it sees its answers
through and ends. Where both do not fit into memory the old one is retired first, and a canary too. A new one that
cannot be loaded changes nothing, or brings the old one back. The default comes before its canary in everything.
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
from typing import Protocol

import structlog

from worker.devices import Device, chosen
from worker.member import REFUSALS, Member
from worker.residents import Residents
from worker.settings import ONE, WorkerSettings

log = structlog.get_logger(__name__)

COMMAND = (sys.executable, "-P", "-m", "worker")

GRACE = 9.0  # seconds from SIGTERM to SIGKILL; a worker ends itself after eight
LOOK = 1.0  # seconds between two looks at which models are wanted
# Deaths of a worker before its model ever answered, after which the model before it is taken back where nobody answers.
DEATHS = 2
# Seconds without a job until a retired worker ends. Longer than a dead bot's leases: whoever takes up an answer that it
# had begun asks the same model again. Where its memory is waited for, as long as bots need to hear of the exchange.
QUIET, QUIET_FOR_ROOM = 20, 3


def supervise(
    settings: WorkerSettings, *, parent_pipe: int | None = None, command: Sequence[str] = COMMAND
) -> int:
    """Keep a worker running for each device and model until SIGTERM or SIGINT, or until `parent_pipe` is closed.

    Returns the exit status: 0 when all ended as asked, and their own where none of them can run. Raises ModelNotFound
    where there is no model at all.
    """
    devices = [Device(settings.device)]
    if settings.devices != ONE:
        devices = chosen(settings.devices, environment=os.environ)
    log.info("workers starting", devices=[device.name for device in devices])
    environment = {**os.environ, **settings.environment(), "FRONTDESK_DEVICES": ONE}
    models = Residents(settings.model, models=settings.data / "models")
    models.wanted()
    crew = Crew(devices, models=models, command=command, environment=environment)
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


class Models(Protocol):
    """What `residents.Residents` is."""

    def wanted(self) -> tuple[str, ...]: ...

    def before(self) -> tuple[str, ...]: ...

    def leaving(self) -> tuple[str, ...]: ...

    def fits(self, model: str, *, device: str) -> bool: ...


class Crew:
    """`run` keeps the main thread; `end` may be called by a signal handler or by another thread."""

    def __init__(
        self,
        devices: Sequence[Device],
        *,
        models: Models,
        command: Sequence[str],
        environment: Mapping[str, str],
    ) -> None:
        self.members: list[Member] = []
        self._devices = devices
        self._models = models
        self._command = command
        self._environment = environment
        # Reentrant: a signal's handler may put while the main thread gets.
        self._events: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._killing_at: float | None = None
        self._failed = False
        self._proved: dict[Device, str] = {}  # the default that answered last
        # A default that cannot be loaded, and the model that answers instead.
        self._gone_back: dict[Device, tuple[str, str]] = {}
        for device in devices:
            self._take_up(device)

    def run(self) -> int:
        """Start them all, and return when they have ended as asked or when none of them can run."""
        while True:
            if self._killing_at is None:
                for device in self._devices:
                    self._follow(device)
            elif all(member.process is None for member in self.members):
                return 1 if self._failed else 0
            if self.members and all(member.refused for member in self.members):
                return self.members[0].refused
            self._start_due()
            with suppress(queue.Empty):
                self._events.get(timeout=self._patience())()
            if self._killing_at is not None and time.monotonic() >= self._killing_at:
                self._kill()

    def end(self, *, gone: bool = False) -> None:
        """Ask all to end. `gone`: whoever started us is, so that nobody reads what they would still tell."""
        self._events.put(lambda: self._end(gone=gone))

    # -- who is wanted -------------------------------------------------------------------------------------------

    def _take_up(self, device: Device) -> None:
        """Amid an exchange the one before us may have died, and workers with it: their answers are seen through."""
        for model in self._models.leaving():
            if model not in self._models.wanted() and self._models.fits(model, device=device.name):
                self.members.append(Member(device, model, quiet=QUIET))

    def _follow(self, device: Device) -> None:
        """Bring one device's members in line with the models that are wanted there, the default first."""
        default, *canaries = self._wanted(device)
        first = self._member(device, default)
        for model in canaries:
            if not first.held:
                self._member(device, model)
        others = [member for member in self._on(device) if member is not first]
        if first.loaded:
            self._proved[device] = default
        for member in others:
            if not member.retiring and first.held and not self._is_pausing_elsewhere(device):
                self._leave(member, quiet=QUIET_FOR_ROOM)
            elif not member.retiring and first.loaded and member.model not in canaries:
                self._leave(member, quiet=QUIET)
        first.held = first.held and any(member.process for member in others)
        for member in others:
            member.held = member.held and not self._models.fits(member.model, device=device.name)

    def _is_pausing_elsewhere(self, device: Device) -> bool:
        """Without room for two, devices take turns: somebody always answers, unless what comes does not load."""
        return any(
            not any(m.loaded and not m.retiring for m in self._on(other))
            and not any(m.deaths for m in self._on(other))
            for other in self._devices
            if other != device
        )

    def _on(self, device: Device) -> list[Member]:
        return [member for member in self.members if member.device == device]

    def _member(self, device: Device, model: str) -> Member:
        """The one that is there, be it about to leave, or a new one."""
        there = next((member for member in self._on(device) if member.model == model), None)
        if there is None:
            return self._join(device, model)
        if there.retiring:
            there.stay()
        return there

    def _wanted(self, device: Device) -> tuple[str, ...]:
        """With another model in the place of one that cannot be loaded."""
        wanted = self._models.wanted()
        bad, instead = self._gone_back.get(device, ("", ""))
        if bad != wanted[0]:
            self._gone_back.pop(device, None)
            return wanted
        return tuple(dict.fromkeys((instead, *wanted[1:])))

    def _join(self, device: Device, model: str) -> Member:
        member = Member(device, model)
        old = [other.model for other in self._on(device) if other.process]
        if old and not self._models.fits(model, device=device.name):
            member.held = True
            log.warning("a model does not fit into memory beside others", model=model, beside=old)
        self.members.append(member)
        return member

    def _leave(self, member: Member, *, quiet: int) -> None:
        """One that died just now may have had answers: it is started again, to see them through."""
        if member.process is None and not member.proved:
            self.members.remove(member)
        else:
            member.retire(quiet=quiet)

    def _go_back(self, member: Member) -> None:
        """It cannot be loaded. Where nobody else answers, the old one having been ended for its sake or long ago, the
        default before it does again."""
        device = member.device
        alone = not any(m.loaded for m in self._on(device) if not m.retiring)
        before = [self._proved.get(device, ""), *self._models.before()]
        instead = next((model for model in before if model not in ("", member.model)), None)
        if alone and instead and member.model == self._models.wanted()[0] and device not in self._gone_back:
            log.error("a model cannot be loaded: another one answers", model=member.model, instead=instead)
            self._gone_back[device] = member.model, instead
            self.members.remove(member)

    # -- their processes -----------------------------------------------------------------------------------------

    def _end(self, *, gone: bool) -> None:
        if self._killing_at is None:
            self._killing_at = time.monotonic() + GRACE
        for member in self.members:
            member.again_at = None
            if member.process is not None and gone and member.process.stdin is not None:
                with suppress(OSError):
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
            due = member.again_at is None or now >= member.again_at
            if member.process is None and due and not member.held:
                self._start(member)

    def _start(self, member: Member) -> None:
        try:
            process, hears = member.start(self._command, self._environment)
        except OSError as error:  # no memory, too many processes: that may pass
            log.error("a worker cannot be started", device=member.device.name, cause=str(error))  # noqa: TRY400
            member.died(1, now=member.began)
            return
        threading.Thread(target=self._reap, args=(member, process, hears), daemon=True).start()

    def _reap(self, member: Member, process: subprocess.Popen[bytes], hears: int) -> None:
        """In a thread: hear that it answers, then wait for its end."""
        with open(hears, "rb") as pipe:  # a descriptor
            if pipe.readline():
                self._events.put(lambda: self._answers(member, process))
        status = process.wait()
        self._events.put(lambda: self._ended(member, process, status))

    def _answers(self, member: Member, process: subprocess.Popen[bytes]) -> None:
        if member.process is process:
            member.loaded = member.proved = True

    def _ended(self, member: Member, process: subprocess.Popen[bytes], status: int) -> None:
        if process.stdin is not None:
            with suppress(OSError):  # what it did not read any more
                process.stdin.close()
        if self._killing_at is not None:
            member.process = None
            # By SIGTERM: it was asked before it could listen, as it started.
            self._failed = self._failed or status not in (0, -signal.SIGTERM)
        elif member.retiring and status in (0, *REFUSALS):
            log.info("a retired worker has ended", model=member.model, device=member.device.name)
            self.members.remove(member)
        else:
            member.died(status, now=time.monotonic())
            if not member.proved and (member.refused or member.deaths >= DEATHS):
                self._go_back(member)

    def _patience(self) -> float | None:
        """Seconds until something is to be done unasked."""
        if self._killing_at is not None:
            return max(0.0, self._killing_at - time.monotonic())
        times = [member.again_at for member in self.members if member.again_at is not None]
        return max(0.0, min([LOOK, *(time_ - time.monotonic() for time_ in times)]))
