"""The reply stream in Redis: one for each bot process, all its answers' events in it. Both ends: publisher and reader.

Knows entries, flushes and connections. What an event means is `jobs`' business, who waits for it the client's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import redis
import redis.asyncio
import structlog

from worker import ledger
from worker.jobs import Event, Failed, JobMalformed, decode_event, encode_event
from worker.telling import Telling

log = structlog.get_logger(__name__)

FLUSH = 0.025  # seconds between two flushes: an eye sees no difference, and the worker's one thread is mostly free
RETRY = 0.2  # seconds until a flush that failed is tried again
# A bot that reads trims as it goes; this bounds what a dead one leaves (some 15 MB) until its stream's time is up.
LENGTH = 65_536
STREAM_SECONDS = 120  # after the last event or the reader's last look
BLOCK = 5.0  # seconds that one XREAD waits: only tells how often an idle reader looks round
TRIM = 1.0  # seconds between two trims of what was read


@dataclass(frozen=True, slots=True)
class Entry:
    """One event on its way into a stream; `ends` when it is its attempt's last."""

    stream: str
    event: Event
    ends: bool


class Pulse:
    """When there is something to tell: at once if it is in a hurry, else FLUSH seconds after the last time.

    Any thread may `wake`, one waits for its `turn`. `clock` and `event` are the threads' own, or a test's.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        event: Callable[[], threading.Event] = threading.Event,
    ) -> None:
        self._clock = clock
        self._something = event()
        self._hurry = event()
        self._last = -FLUSH

    def wake(self, hurry: bool) -> None:
        if hurry and not self._hurry.is_set():
            self._hurry.set()
        if not self._something.is_set():
            self._something.set()

    def turn(self, *, idle: float | None) -> None:
        """Wait until it is time. With nothing to tell, `idle` seconds at most, None for ever."""
        self._something.wait(timeout=idle)
        self._hurry.wait(timeout=max(0.0, self._last + FLUSH - self._clock()))
        self._something.clear()
        self._hurry.clear()
        self._last = self._clock()


class Publisher:
    """One thread that tells all answers under way: a stream's first piece at once, later ones each FLUSH seconds.

    One pipeline a flush for all of them. While Redis is away nothing is drained: tokens wait in their tellings.
    """

    def __init__(self, client: redis.Redis, *, stop: Callable[[str], None]) -> None:
        """`stop` is the engine's cancel, for an answer whose stop string is complete."""
        self.tokens = 0  # told since the start
        self.tokens_read = 0  # of prompts, of the answers that have ended
        self._client = client
        self._stop = stop
        self._tellings: set[Telling] = set()
        self._direct: list[Entry] = []
        self._unsent: list[Entry] = []
        self._lock = threading.Lock()
        self._pulse = Pulse()
        self._closing = False
        self._connection: Any = None
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
        self._thread.start()

    def wake(self, hurry: bool) -> None:
        """There is something to tell; at once, if `hurry`."""
        self._pulse.wake(hurry)

    def add(self, telling: Telling) -> None:
        """Tell this answer until its end was told."""
        with self._lock:
            self._tellings.add(telling)

    def tell(self, stream: str, event: Event) -> None:
        """Tell one event that ends its attempt."""
        with self._lock:
            self._direct.append(Entry(stream, event, ends=True))
        self.wake(True)

    def close(self, *, within: float) -> None:
        """Tell what there is, for so many seconds at most."""
        self._closing = True
        self.wake(True)
        self._thread.join(within)

    def _run(self) -> None:
        lost = False
        while not (self._closing and self._idle()):
            self._pulse.turn(idle=RETRY if self._closing else None)
            try:
                self._flush()
                lost = False
            except redis.RedisError as error:
                if not lost:
                    log.warning("events cannot be told yet", cause=type(error).__name__)
                lost = True
                time.sleep(RETRY)
                self.wake(True)
            except Exception:  # this thread is everybody's voice: one answer's trouble must not end it
                log.exception("telling failed")

    def _idle(self) -> bool:
        with self._lock:
            return not (self._tellings or self._direct or self._unsent)

    def _flush(self) -> None:
        """What could not be sent the last time, then what came since."""
        if self._unsent:
            self._send(self._unsent)
        self._unsent = self._drained()
        if self._unsent:
            self._send(self._unsent)
            self._unsent = []

    def _drained(self) -> list[Entry]:
        with self._lock:
            tellings, entries, self._direct = list(self._tellings), self._direct, []
        for telling in tellings:
            before = telling.tokens
            events = _told(telling)
            self.tokens += telling.tokens - before
            entries += [Entry(telling.job.reply_to, event, ends=False) for event in events]
            if telling.over:
                entries[-1] = Entry(telling.job.reply_to, events[-1], ends=True)
                self._let_go(telling)
        return entries

    def _let_go(self, telling: Telling) -> None:
        self.tokens_read += len(telling.job.prompt)
        with self._lock:
            self._tellings.discard(telling)
        if not telling.done.is_set():  # a stop string
            self._stop(telling.engine_id)

    def _send(self, entries: list[Entry]) -> None:
        commands: list[tuple[str | int, ...]] = []
        for entry in entries:
            commands.append(
                ("XADD", entry.stream, "MAXLEN", "~", LENGTH, "*", "e", encode_event(entry.event))
            )
            if entry.ends:
                key = ledger.job_key(entry.event.job)
                commands.append(("EVAL", ledger.END, 1, key, entry.event.attempt, ledger.ENDED_SECONDS))
        commands += [("EXPIRE", stream, STREAM_SECONDS) for stream in {entry.stream for entry in entries}]
        self._execute(commands)

    def _execute(self, commands: list[tuple[str | int, ...]]) -> None:
        """All at once on a connection of our own: redis-py's pipeline took twice the time for the same two commands,
        and every first piece waits for it."""
        if self._connection is None:
            self._connection = self._client.connection_pool.get_connection()
        connection = self._connection
        try:
            connection.send_packed_command(connection.pack_commands(commands))
            for _ in commands:
                connection.read_response()
        except BaseException:
            connection.disconnect()  # replies may be under way; it connects anew when it is used again
            raise


def _told(telling: Telling) -> list[Event]:
    try:
        return telling.drain()
    except Exception:  # a tokenizer's bug must end this answer, and only this one
        log.exception("an answer cannot be told", job=telling.job.id)
        telling.over = True
        return [
            Failed(telling.job.id, telling.job.attempt, "engine", "The answer could not be turned into text.")
        ]


class Reader:
    """One process's reply stream, read in order from its beginning. Survives a lost connection: nothing is skipped."""

    def __init__(self, client: redis.asyncio.Redis, *, stream: str) -> None:
        self._client = client
        self._stream = stream
        self._last = "0"
        self._trimmed_at = 0.0

    async def read(self) -> list[Event]:
        """The next events, none after BLOCK quiet seconds. Raises redis.RedisError."""
        answer: Any = await self._client.xread({self._stream: self._last}, count=500, block=int(BLOCK * 1000))
        events = []
        for entry_id, body in entries_of(answer):
            self._last = entry_id
            try:
                events.append(decode_event(body[b"e"]))
            except (JobMalformed, KeyError) as error:
                log.warning("an event cannot be read", cause=str(error))
        if not answer:
            await self._notice_new_stream()
        if events and time.monotonic() - self._trimmed_at > TRIM:
            self._trimmed_at = time.monotonic()
            await self._client.xtrim(self._stream, minid=self._last, approximate=True)
        return events

    async def _notice_new_stream(self) -> None:
        """Our stream may have run out, or its server come back empty. The new one begins before where we read if the
        server's clock was set back: read it from its beginning."""
        try:
            info: Any = await self._client.xinfo_stream(self._stream)
        except redis.ResponseError:  # there is none yet
            self._last = "0"
        else:
            if _order(info["last-generated-id"]) < _order(self._last):
                self._last = "0"


def _order(entry_id: Any) -> tuple[int, int]:
    """An entry's id as Redis compares it."""
    milliseconds, _, number = (entry_id.decode() if isinstance(entry_id, bytes) else entry_id).partition("-")
    return int(milliseconds), int(number or 0)


def entries_of(answer: Any) -> list[tuple[Any, dict[bytes, bytes]]]:
    """What XREAD read from one stream: its answer is a list of pairs in RESP2, and a mapping in RESP3, which nests each
    stream once more."""
    if not answer:
        return []
    if isinstance(answer, dict):
        (batches,) = answer.values()
        return [entry for batch in batches for entry in batch]
    ((_, entries),) = answer
    return list(entries)
