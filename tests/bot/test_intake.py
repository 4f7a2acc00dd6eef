"""What platforms delivered is given to its channel: in order, again after a failure, and left out in the end."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import select

from bot import intake
from bot.desk import HouseDesk
from bot.messages import Unreadable
from bot.store import StoreUnavailable
from bot.store.tables import event
from tests.bot.conftest import SOON, becomes


@pytest.fixture
def house(desk):
    return HouseDesk(conversation=desk.conversation, owner="here")


@asynccontextmanager
async def handling(house, handler):
    task = asyncio.create_task(house.handle("slack", handler))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def keep(house, *keys, lane="a"):
    for key in keys:
        assert await house.keep("slack", key=key, lane=lane, body={"key": key})


async def test_what_was_kept_before_the_start_and_after_it_is_read_in_order(house):
    read = []

    async def handler(event):
        read.append(event.body["key"])

    await keep(house, "1", "2")
    async with handling(house, handler):
        await becomes(lambda: len(read) == 2)
        await keep(house, "3")
        await becomes(lambda: len(read) == 3)
    assert read == ["1", "2", "3"]
    assert not await house.keep("slack", key="2", lane="a", body={})


async def test_a_lane_does_not_wait_for_another(house):
    held, read = asyncio.Event(), []

    async def handler(event):
        if event.key == "slow":
            await held.wait()
        read.append(event.key)

    await keep(house, "slow", lane="a")
    await keep(house, "quick", lane="b")
    async with handling(house, handler):
        await becomes(lambda: read == ["quick"])
        held.set()
        await becomes(lambda: read == ["quick", "slow"])


async def test_an_event_that_fails_comes_again_before_the_next_of_its_lane(house, monkeypatch):
    monkeypatch.setattr(intake, "FIRST_PAUSE", 0.0)
    read = []

    async def handler(event):
        read.append((event.key, event.attempt))
        if event.key == "1" and event.attempt < 3:
            raise RuntimeError("not now")

    await keep(house, "1", "2")
    async with handling(house, handler):
        await becomes(lambda: len(read) == 4)
    assert read == [("1", 1), ("1", 2), ("1", 3), ("2", 1)]


async def test_an_event_that_nobody_can_read_is_left_out_in_the_end(house, monkeypatch):
    monkeypatch.setattr(intake, "FIRST_PAUSE", 0.0)
    monkeypatch.setattr(intake, "TRIES", 3)
    read = []

    async def handler(event):
        read.append(event.key)
        if event.key == "poison":
            raise RuntimeError("never")

    await keep(house, "poison", "good")
    async with handling(house, handler):
        await becomes(lambda: "good" in read)
    assert read == ["poison"] * 3 + ["good"]


async def test_what_is_under_way_at_the_end_is_read_by_the_next_start(house):
    begun, never = asyncio.Event(), asyncio.Event()

    async def stuck(event):
        begun.set()
        await never.wait()

    read = []

    async def handler(event):
        read.append((event.key, event.attempt))

    await keep(house, "1")
    async with handling(house, stuck):
        async with asyncio.timeout(SOON):
            await begun.wait()
    async with handling(house, handler):
        await becomes(lambda: read == [("1", 2)])


async def test_the_database_away_for_a_moment_costs_nothing(house, desk, monkeypatch):
    read = []

    async def handler(event):
        read.append(event.key)

    async def away(*args, **kwargs):
        looked.set()
        raise StoreUnavailable("away")

    looked = asyncio.Event()
    monkeypatch.setattr(intake, "POLL_SECONDS", 0.01)
    await keep(house, "1")
    with monkeypatch.context() as broken:
        broken.setattr(desk.store, "take_events", away)
        async with handling(house, handler):
            async with asyncio.timeout(SOON):
                await looked.wait()
            broken.undo()
            await becomes(lambda: read == ["1"])


async def test_what_is_unreadable_is_left_out_at_once_and_kept(house):
    read = []

    async def handler(event):
        read.append(event.key)
        if event.key == "poisoned":
            raise Unreadable("no update")

    await keep(house, "poisoned", "healthy")
    async with handling(house, handler):
        await becomes(lambda: read == ["poisoned", "healthy"])
    store = house.conversation.store
    assert await store.take_events("slack", owner="next", ttl=15.0, limit=9) == []
    async with store._database.read() as connection:
        rows = (await connection.execute(select(event.c.key, event.c.state))).all()
        body = (await connection.execute(select(event.c.body).where(event.c.key == "poisoned"))).scalar_one()
    assert {row.key: row.state for row in rows} == {"poisoned": "failed", "healthy": "handled"}
    assert body == {"key": "poisoned"}
