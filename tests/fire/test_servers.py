"""Harm done to what the house stands on: Redis, PostgreSQL, the disk."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.fire.conftest import QUESTIONS
from tests.fire.parts import TOLD_WITHIN, health_says
from tests.fire.visitors import Crowd, crowd, until_true

pytestmark = pytest.mark.timeout(400)  # seconds, on a machine that does much else

SLOW = 0.005  # seconds a token


async def test_redis_is_killed_restarted_and_emptied(light, expected, figures):
    """kill -9 and back with what it held; flushed; gone for a while and back with nothing: each while answers run."""
    fire = light()
    bot = fire.bot()
    await fire.up(bot, fire.worker(token_seconds=SLOW), fire.worker(token_seconds=SLOW))
    async with crowd([bot], count=4) as people:
        asking = asyncio.ensure_future(people.ask(QUESTIONS[:6], pause=1.5))
        await _midway(people)
        fire.redis.kill()
        fire.redis.start()
        await _midway(people)
        fire.redis.ask(lambda client: client.flushall())
        await _midway(people)
        killed = time.monotonic()
        fire.redis.kill(forget=True)
        told = await health_says(bot, "queue", well=False, since=killed)
        await asyncio.sleep(2)
        fire.redis.start()
        healed = await health_says(bot, "queue", well=True)
        await _midway(people)
        await asking
        await people.settle()
        await people.check(expected)
        assert told < TOLD_WITHIN
        figures(harms=3, answered=people.answered, away_told_after=told, well_told_after=healed)


async def test_postgresql_is_restarted(light, postgres, postgres_url, expected, figures):
    """Every connection cut, then the server gone for a while: nothing is acknowledged meanwhile, and all goes on."""
    fire = light(database_url=postgres_url)
    bots = [fire.bot(), fire.bot()]
    await fire.up(*bots, fire.worker(token_seconds=SLOW))
    async with crowd(bots, count=4) as people:
        asking = asyncio.ensure_future(people.ask(QUESTIONS[:6], pause=1.5))
        await _midway(people)
        await asyncio.to_thread(postgres.run, CUT)
        await _midway(people)
        stopped = time.monotonic()
        await asyncio.to_thread(postgres.stop)
        told = await health_says(bots[0], "database", well=False, since=stopped)
        status, _ = await people.visitors[0].try_once("messages", {"text": "Hello"}, key="meanwhile")
        assert status in (0, 503)
        await asyncio.sleep(2)
        await asyncio.to_thread(postgres.start)
        healed = await health_says(bots[0], "database", well=True)
        await asking
        await people.settle()
        await people.check(expected)
        assert told < TOLD_WITHIN
        refused = people.ledger.refused
        figures(answered=people.answered, sent_again=refused, away_told_after=told, well_told_after=healed)


CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname <> 'postgres'"


async def _midway(people: Crowd) -> None:
    """Some more text has been read, and a little more is under way."""
    before = sum(visitor.story.pieces for visitor in people.visitors)
    await until_true(
        lambda: (
            sum(visitor.story.pieces for visitor in people.visitors) >= before + 4 or people.ledger.is_settled
        ),
        "more of the answers",
    )
    await asyncio.sleep(0.3)
