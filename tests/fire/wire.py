"""What workers tell bots, token by token, read beside the bots: when which attempt of which answer said something.

Knows the reply streams and the ledger's records in Redis. Only looks; the rules stand in `ledger.py`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import redis
import redis.asyncio

from tests.fire.parts import Part
from worker import ledger
from worker.jobs import Piece, decode_event
from worker.stream import entries_of


@dataclass(frozen=True)
class Heard:
    """One event: how many tokens it brings, and whether it is its attempt's last."""

    at: float
    job: str
    attempt: int
    tokens: int
    ends: bool


@dataclass
class Wire:
    """Everything heard, in the order in which it was written."""

    url: str
    heard: list[Heard] = field(default_factory=list)

    async def listen(self) -> None:
        """For ever, whatever becomes of the server."""
        last: dict[Any, Any] = {}
        while True:
            with suppress(redis.RedisError, OSError):
                async with redis.asyncio.from_url(self.url, socket_timeout=5) as client:
                    while True:
                        for stream in await client.keys("frontdesk:replies:*"):
                            last.setdefault(stream, "0")
                        await self._read(client, last)
            await asyncio.sleep(0.05)

    async def _read(self, client: redis.asyncio.Redis, last: dict[Any, Any]) -> None:
        if not last:
            await asyncio.sleep(0.02)
            return
        for stream in list(last):  # one by one: none of them waits for the others
            answer: Any = await client.xread({stream: last[stream]}, count=1000, block=20)
            for number, body in entries_of(answer):
                last[stream] = number
                event = decode_event(body[b"e"])
                tokens = len(event.ids) if isinstance(event, Piece) else 0
                ends = not isinstance(event, Piece)
                self.heard.append(Heard(time.monotonic(), event.job, event.attempt, tokens, ends))

    def pauses(self, cut: Sequence[tuple[str, int, float]]) -> list[float]:
        """Seconds from the moment at which an attempt of a job that had begun was cut off to the next token of it.
        None for one that had said its last word, and for one that was cut off again before it said anything."""
        found = []
        for job, attempt, at in cut:
            if not any(one.job == job and one.attempt <= attempt and one.tokens for one in self.heard):
                continue
            later = (one.at for one in self.heard if one.job == job and one.attempt > attempt and one.tokens)
            again = next(later, 0.0)
            if again and not any(other == job and at < then < again for other, _, then in cut):
                found.append(again - at)
        return found

    def has_told(self, job: str, attempt: int) -> bool:
        return any(one.job == job and one.attempt == attempt and one.tokens for one in self.heard)

    def late(self) -> int:
        """Events of an attempt that were written after one of its successors had said something."""
        newest: dict[str, int] = {}
        count = 0
        for one in self.heard:
            count += one.attempt < newest.get(one.job, 0)
            newest[one.job] = max(one.attempt, newest.get(one.job, 0))
        return count


@asynccontextmanager
async def wire(url: str) -> AsyncIterator[Wire]:
    listening = Wire(url)
    task = asyncio.ensure_future(listening.listen())
    try:
        yield listening
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def running(url: str, worker: Part) -> dict[str, int]:
    """The jobs that a worker carries at this moment, with their attempts."""
    found: dict[str, int] = {}
    async with redis.asyncio.from_url(url, socket_timeout=5) as client:
        keys: list[Any] = await client.keys(ledger.job_key("*"))
        for key in keys:
            record: list[Any] = await client.hmget(key, "attempt", "state", "worker")
            attempt, state, name = record
            if state == b"running" and name and name.split(b":")[1] == str(worker.pid).encode():
                found[key.decode().removeprefix(ledger.job_key(""))] = int(attempt)
    return found
