"""The reading end of a reply stream over a real Redis, whatever becomes of the stream."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import redis.asyncio

from worker import client as queue_client
from worker import stream
from worker.client import Queue
from worker.jobs import Piece, encode_event
from worker.stream import Reader

if TYPE_CHECKING:
    from tests.worker.conftest import JobMaker
    from worker.jobs import Event


@pytest.mark.parametrize("late", [False, True])
async def test_a_new_stream_under_a_clock_that_was_set_back_is_read(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    monkeypatch.setattr(stream, "BLOCK", 0.05)
    first, second = (Piece("a", 1, index, (7,), "text") for index in range(2))
    async with redis.asyncio.from_url(redis_url) as client:

        async def tell(event: Event, *, entry: str) -> None:
            await client.xadd("replies", {"e": encode_event(event)}, id=entry)

        reader = Reader(client, stream="replies")
        await tell(first, entry="2000-0")
        assert await reader.read() == [first]
        assert await reader.read() == []
        await client.delete("replies")
        if not late:
            assert await reader.read() == []
        await tell(second, entry="1000-0")
        if late:
            assert await reader.read() == []
        assert await reader.read() == [second]
        assert await reader.read() == []


async def test_one_reading_that_fails_is_not_the_last(
    redis_url: str, job: JobMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_client, "RETRY", 0.05)
    read, failures = Reader.read, []

    async def fails_once(self: Reader) -> list[Event]:
        if not failures:
            failures.append("once")
            raise RuntimeError("a library's own mistake")
        return await read(self)

    monkeypatch.setattr(Reader, "read", fails_once)
    asked = job(id="a")
    async with (
        redis.asyncio.from_url(redis_url) as server,
        Queue.open(redis_url, limit=8) as queue,
        queue.answer(asked) as events,
    ):
        piece = Piece("a", asked.attempt, 0, (7,), "text")
        await server.xadd(queue.reply_to, {"e": encode_event(piece)})
        async with asyncio.timeout(10):
            assert await anext(events) == piece
    assert failures
