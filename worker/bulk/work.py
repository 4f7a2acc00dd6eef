"""What a bulk worker does with a message: claim the attempt, hold its lease, run the chore as a child, tell of it.

Knows one process's parts. Celery calls `BulkWork.carry` on its one thread; the child is a process group of its own, so
that nothing of it is left when it is stopped.
"""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, Literal

import redis
import structlog
from celery import Celery

from worker import leash, ledger
from worker.bulk import record
from worker.bulk.chores import ChoreRefused, command
from worker.bulk.queueing import TASK, close, queue_again
from worker.jobs import BulkJob, Ended, Event, Failed, JobMalformed, Progress, Result, encode_event

log = structlog.get_logger(__name__)

PROGRAM = (sys.executable, "-m", "inference")
LEASHED = (
    sys.executable,
    "-I",
    "-S",
    leash.__file__,
)  # a killed worker leaves no child that goes on beside the next
RETRY = 1.0  # seconds between two tries to tell a job's end
TERM_SECONDS = 3.0  # for a child to end after it was asked to
NOTES = 0.5  # seconds between two notes that are told
LINE_CHARS = 65_536  # of what a child says; a longer line is heard in parts
SAID_LAST = 20  # lines of a child that failed which are kept
NOTE_CHARS = 500
RESULT_CHARS = 262_144  # what a result may take in its stream

_STEP = re.compile(r"\[(\d{1,6})/(\d{1,6})\] ?(.*)")  # how a child tells how far it is
_DRAWN = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")

Stop = Literal["", "cancelled", "deadline", "superseded", "ending"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkWork:
    """One per process. `name` is the worker's; `asked_to_end` tells whether the process is to end."""

    name: str
    client: redis.Redis
    data: Path
    asked_to_end: Callable[[], bool]

    def register(self, app: Celery) -> None:
        """Make this the body of the app's task. Acknowledged when it begins: a broker that delivers again after an hour
        would double what lasts two. Nothing is taken ahead of time: another worker may be free."""
        app.conf.worker_disable_prefetch = True
        app.task(name=TASK, ignore_result=True, acks_late=False)(self.carry)

    def carry(self, encoded: str) -> None:
        """See one job through. What fails is told, never raised."""
        try:
            job = BulkJob.decode(encoded)
        except JobMalformed as error:
            log.warning("a bulk job cannot be read", cause=str(error), job=error.job)
            return
        with structlog.contextvars.bound_contextvars(
            correlation=job.correlation, job=job.id, attempt=job.attempt
        ):
            try:
                self._carry(_Running(job=job, client=self.client, name=self.name))
            except (redis.RedisError, OSError) as error:  # recovery finds it: without a lease, or in no list
                log.warning("a bulk job is left to others", cause=type(error).__name__)

    def _carry(self, running: _Running) -> None:
        job = running.job
        keys = ledger.job_key(job.id), ledger.cancelled_key(job.id)
        claim = self.client.eval(ledger.CLAIM, len(keys), *keys, str(job.attempt), self.name)
        if claim == b"cancelled":
            running.close(running.ended("cancelled"), outcome="cancelled")
        if claim != b"yours":
            log.info("a delivery is dropped", claim=claim)
            return
        running.hold()
        try:
            arguments = command(job.chore, job.arguments)
        except ChoreRefused as error:
            running.close(Failed(job.id, job.attempt, "refused", str(error)), outcome="refused")
            return
        log.info("a bulk job begins", chore=job.chore)
        child = _Child.start(arguments, data=self.data, note=running.note)
        try:
            stop = self._watch(running, child)
        except BaseException:
            child.stop()
            raise
        self._conclude(running, child, stop)

    def _watch(self, running: _Running, child: _Child) -> Stop:
        """Wait for the child's end; or stop it, and say why."""
        due = 0.0
        while child.process.poll() is None:
            stop: Stop = ""
            if time.time() >= running.job.deadline:
                stop = "deadline"
            elif self.asked_to_end():
                stop = "ending"
            elif time.monotonic() >= due:
                due = time.monotonic() + record.RENEW
                stop = running.still_wanted()
            if stop:
                child.stop()
                return stop
            with suppress(subprocess.TimeoutExpired):
                child.process.wait(timeout=0.1)
        return ""

    def _conclude(self, running: _Running, child: _Child, stop: Stop) -> None:
        job = running.job
        if stop == "superseded":
            log.info("another worker has taken the job over")
        elif stop == "ending":
            log.info("a bulk job is handed back")
            running.hold()
            queue_again(self.client, replace(job, attempt=job.attempt + 1))
        elif stop:
            self._close(running, running.ended(stop), outcome=stop)
        elif child.process.returncode == 0:
            self._close(running, Result(job.id, job.attempt, child.result()), outcome="done")
        else:
            said = child.last_words()
            log.warning("a bulk job failed", status=child.process.returncode, said=said)
            self._close(running, Failed(job.id, job.attempt, "failed", said), outcome="failed")

    def _close(self, running: _Running, event: Event, *, outcome: str) -> None:
        """However long Redis stays away: what took hours is not done again for want of its last word."""
        while True:
            try:
                running.close(event, outcome=outcome)
            except (redis.RedisError, OSError) as error:
                if self.asked_to_end():
                    raise
                log.warning("a bulk job's end cannot be told yet", cause=type(error).__name__)
                time.sleep(RETRY)
            else:
                return


@dataclass(slots=True, kw_only=True)
class _Running:
    """One attempt, as others see it."""

    job: BulkJob
    client: redis.Redis
    name: str
    _told: float = 0.0

    def hold(self) -> bool:
        """Hold the lease on; False when the attempt counts no more."""
        job = self.job
        keys = record.lease_key(job.id), ledger.job_key(job.id), record.JOBS
        lease = str(job.attempt), self.name, str(round(record.LEASE * 1000))
        anew = job.id, job.encode(), job.reply_to, str(time.time()), str(record.KEPT)
        return bool(self.client.eval(record.HOLD, len(keys), *keys, *lease, *anew))

    def still_wanted(self) -> Stop:
        """Renew the lease; while Redis is away it is held by nobody but us, until recovery says otherwise."""
        try:
            if self.client.exists(ledger.cancelled_key(self.job.id)):
                return "cancelled"
            return "" if self.hold() else "superseded"
        except (redis.RedisError, OSError) as error:
            log.warning("a lease cannot be renewed yet", cause=type(error).__name__)
            return ""

    def note(self, line: str) -> None:
        """Tell how it goes, not too often."""
        step = _STEP.match(line)
        if not step and time.monotonic() < self._told + NOTES:
            return
        self._told = time.monotonic()
        fraction = (int(step[1]) - 1) / max(1, int(step[2])) if step else 0.0
        said = step[3] if step else line
        fields: dict[Any, Any] = {"note": said[:NOTE_CHARS], "fraction": str(fraction)}
        with suppress(redis.RedisError, OSError):  # the next one tells more
            self.client.hset(ledger.job_key(self.job.id), mapping=fields)
            self._tell(Progress(self.job.id, self.job.attempt, fraction, said[:NOTE_CHARS]))

    def ended(self, reason: Literal["cancelled", "deadline"]) -> Ended:
        return Ended(self.job.id, self.job.attempt, reason, 0, 0, 0)

    def close(self, event: Event, *, outcome: str) -> None:
        """Tell the last thing of the job. Raises redis.RedisError."""
        self.hold()  # Redis may have come back empty
        if close(self.client, self.job, event, outcome=outcome):
            log.info("a bulk job is over", outcome=outcome)

    def _tell(self, event: Event) -> None:
        pipeline = self.client.pipeline(transaction=False)
        pipeline.xadd(self.job.reply_to, {"e": encode_event(event)}, maxlen=record.LENGTH, approximate=True)
        pipeline.expire(self.job.reply_to, record.KEPT)
        pipeline.execute()


@dataclass(slots=True, kw_only=True)
class _Child:
    """The process that does it."""

    process: subprocess.Popen[bytes]
    output: IO[bytes]
    said: list[str] = field(default_factory=list)
    listening: threading.Thread | None = None

    @classmethod
    def start(cls, arguments: list[str], *, data: Path, note: Callable[[str], None]) -> _Child:
        output = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process's end
        process = subprocess.Popen(  # noqa: S603 - one of our own commands, see `chores`
            [*LEASHED, str(os.getpid()), *PROGRAM, *arguments],
            stdin=subprocess.DEVNULL if sys.platform == "linux" else subprocess.PIPE,  # see the leash
            stdout=output,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, "FRONTDESK_DATA": str(data), "COLUMNS": "200", "NO_COLOR": "1"},
        )
        child = cls(process=process, output=output)
        child.listening = threading.Thread(target=child._listen, args=(note,), name="chore", daemon=True)
        child.listening.start()
        return child

    def stop(self) -> None:
        """End it and all that it started."""
        for number, seconds in ((signal.SIGTERM, TERM_SECONDS), (signal.SIGKILL, None)):
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=seconds)
        self._heard()
        self.output.close()

    def result(self) -> Any:
        """What it wrote: JSON, or words."""
        self._heard()
        with self.output:
            self.output.seek(0)
            text = self.output.read(RESULT_CHARS).decode(errors="replace")
        try:
            return json.loads(text)
        except ValueError:
            return _DRAWN.sub("", text).strip()

    def last_words(self) -> str:
        self._heard()
        self.output.close()
        return "\n".join(self.said) or f"It ended with status {self.process.returncode} and said nothing."

    def _heard(self) -> None:
        if self.listening is not None:
            self.listening.join(TERM_SECONDS)

    def _listen(self, note: Callable[[str], None]) -> None:
        pipe = self.process.stderr or io.BytesIO()
        with io.TextIOWrapper(pipe, encoding="utf-8", errors="replace", newline="") as lines:
            while line := lines.readline(LINE_CHARS):
                words = _DRAWN.sub("", line).strip()
                if words:
                    if not line.endswith("\r"):  # a bar of progress, which the next one covers
                        self.said = [*self.said, words[:NOTE_CHARS]][-SAID_LAST:]
                    note(words)
