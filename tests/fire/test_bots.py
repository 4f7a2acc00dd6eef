"""Harm done to bots: killed while messages come in and answers run, with another beside them and without."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.fire.chats import chatting
from tests.fire.conftest import QUESTIONS
from tests.fire.parts import Bot, Fire, Part
from tests.fire.visitors import crowd

pytestmark = pytest.mark.timeout(400)  # seconds, on a machine that does much else

SLOW = 0.005  # seconds a token


async def test_one_of_two_bots_is_killed(light, postgres_url, expected, figures):
    """kill -9 of each in turn while people write and answers run; the other takes over. One database, one Redis."""
    async with chatting(6) as chats:
        fire = light(database_url=postgres_url)
        fire.variables |= chats.telegram.environment()
        bots = [fire.bot(), fire.bot()]
        await fire.up(*bots, fire.worker(token_seconds=SLOW))
        async with crowd(bots, count=6) as people:
            asking = asyncio.ensure_future(people.ask(QUESTIONS[:4], pause=3.0))
            for turn in (0, 1, 0):
                await chats.write("slack setup steps pls")
                await asyncio.sleep(1.0)
                bots[turn].kill()
                bots[turn] = fire.bot(port=bots[turn].port)
                await fire.up(bots[turn])
            await asking
            await people.settle()
            await chats.settle()
            await people.check(expected)
            chats.check(doubled=3 * len(chats.people))  # each death may come between a sending and its record
            figures(
                kills=3,
                answered=people.answered,
                sent_again=people.ledger.refused,
                answered_in_Telegram=chats.answered,
                begun_twice_there=chats.doubled,
            )


async def test_the_only_bot_is_killed_and_started_again(light, expected, figures):
    """The same with SQLite: what was acknowledged is there when it comes back."""
    fire = light()
    bots = [fire.bot()]
    await fire.up(*bots, fire.worker(token_seconds=SLOW))
    async with crowd(bots, count=4) as people:
        asking = asyncio.ensure_future(people.ask(QUESTIONS[:5], pause=2.0))
        for _ in range(3):
            await asyncio.sleep(1.5)
            bots[0].kill()
            bots[0] = fire.bot(port=bots[0].port)
            await fire.up(bots[0])
        await asking
        await people.settle()
        await people.check(expected)
        figures(kills=3, answered=people.answered, sent_again=people.ledger.refused)


async def test_everything_is_restarted_in_turn_under_load(light, postgres_url, expected, figures):
    """A rolling restart by SIGTERM: two bots and two workers, one after the other, each replaced once it is gone."""
    fire = light(database_url=postgres_url)
    bots, workers = (
        [fire.bot(), fire.bot()],
        [fire.worker(token_seconds=SLOW), fire.worker(token_seconds=SLOW)],
    )
    await fire.up(*bots, *workers)
    slowest = 0.0
    async with crowd(bots, count=5) as people:
        asking = asyncio.ensure_future(people.ask(QUESTIONS[:5], pause=3.0))
        await asyncio.sleep(1)
        for turn in range(2):
            for parts, start in ((bots, _bot_again), (workers, _worker_again)):
                old = parts[turn]
                began = time.monotonic()
                await asyncio.to_thread(old.term)
                slowest = max(slowest, time.monotonic() - began)
                assert old.process.returncode == 0, old.tail()
                parts[turn] = start(fire, old)
                await fire.up(parts[turn])
        await asking
        await people.settle()
        await people.check(expected)
        figures(
            restarts=4,
            slowest_end=slowest,
            answered=people.answered,
            sent_again=people.ledger.refused,
        )


def _bot_again(fire: Fire, old: Part) -> Part:
    assert isinstance(old, Bot)
    return fire.bot(port=old.port)


def _worker_again(fire: Fire, old: Part) -> Part:
    return fire.worker(token_seconds=SLOW)
