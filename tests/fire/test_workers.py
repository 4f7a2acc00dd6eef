"""Harm done to workers: killed midway, again and again, and frozen until they count as dead."""

from __future__ import annotations

import asyncio
import random
import signal
import statistics
import time
from dataclasses import dataclass

import pytest

from tests.fire.conftest import QUESTIONS
from tests.fire.parts import Fire, Part
from tests.fire.visitors import crowd, until_true
from tests.fire.wire import Wire, running, wire

pytestmark = pytest.mark.timeout(400)  # seconds, on a machine that does much else

INTERRUPTED = 20  # answers cut off by kill -9, each at a token of its own
LULL = 7.0  # seconds without such an answer, after which there is no more work
AT_ONCE = 2  # or more of them by one kill
SLOW = 0.004  # seconds a token


@dataclass(frozen=True)
class Cut:
    """An attempt that a death ended, and when; `silent`: before its first token."""

    job: str
    attempt: int
    at: float
    silent: bool


async def test_workers_are_killed_midway(light, expected, figures):
    """kill -9 at random tokens, of whichever of two workers is at work; another takes its place each time."""
    chance = random.Random(8)
    fire = light()
    bot = fire.bot()
    workers = [fire.worker(token_seconds=SLOW) for _ in range(2)]
    await fire.up(bot, *workers)
    cut: list[Cut] = []
    pauses: list[float] = []
    answered = 0
    async with wire(fire.redis.url) as heard:
        while len(pauses) < INTERRUPTED:
            async with crowd([bot], count=8) as people:
                await people.ask(QUESTIONS[:1])
                while await _kill_one(fire, workers, heard, cut, wait=chance.uniform(0, 0.5)):
                    if sum(not one.silent for one in cut) > INTERRUPTED + 2:
                        break
                await people.settle()
                await people.check(expected)
                answered += people.ledger.answered
                pauses = heard.pauses([(one.job, one.attempt, one.at) for one in cut])
    figures(
        kills=len({one.at for one in cut}),
        interrupted=len(pauses),
        median_pause=statistics.median(pauses),
        pause_of_95_percent=statistics.quantiles(pauses, n=20)[-1],
        longest_pause=max(pauses),
        answered=f"{answered} of {answered}",
    )


async def _kill_one(fire: Fire, workers: list[Part], heard: Wire, cut: list[Cut], *, wait: float) -> bool:
    """kill -9 of a worker in the middle of an answer, and another in its place; False when there is no more work."""
    await asyncio.sleep(wait)
    until = time.monotonic() + LULL
    while time.monotonic() < until:
        await asyncio.sleep(0.05)
        for number, victim in enumerate(workers):
            jobs = await running(fire.redis.url, victim)
            if not _may_be_cut(jobs, heard, cut):
                continue
            victim.kill()
            for job, attempt in jobs.items():
                cut.append(Cut(job, attempt, victim.signalled, silent=not heard.has_told(job, attempt)))
            workers[number] = fire.worker(token_seconds=SLOW)
            return True
    return False


def _may_be_cut(jobs: dict[str, int], heard: Wire, cut: list[Cut]) -> bool:
    """Whether several of them are midway. A job whose workers die one after the other without a token of it is given up
    by design, and this is not the harm meant here: none is cut off in silence twice."""
    silent = {job for job, attempt in jobs.items() if not heard.has_told(job, attempt)}
    return len(jobs) - len(silent) >= AT_ONCE and not any(one.silent and one.job in silent for one in cut)


async def test_a_worker_that_is_only_slow_is_fenced(light, expected, figures):
    """Frozen until it counts as dead and another has taken its answers up, then thawed: nothing of it is read."""
    fire = light()
    bot = fire.bot()
    frozen = fire.worker(token_seconds=SLOW)
    await fire.up(bot, frozen)
    async with crowd([bot], count=3) as people, wire(fire.redis.url) as heard:
        await people.ask(QUESTIONS[:2])
        await until_true(lambda: len(heard.heard) > 30, "some of the answers")
        other = fire.worker(token_seconds=SLOW)
        await fire.up(other)
        jobs = await running(fire.redis.url, frozen)
        assert jobs
        frozen.signal(signal.SIGSTOP)
        cut = [(job, attempt, frozen.signalled) for job, attempt in jobs.items()]
        await until_true(lambda: heard.pauses(cut), "another attempt")
        frozen.signal(signal.SIGCONT)
        await people.settle()
        await people.check(expected)
        pauses = heard.pauses(cut)
        await people.visitors[0].say(QUESTIONS[2])
        await people.settle()
        await people.check(expected)
        assert frozen.alive
        figures(
            taken_over=len(pauses),
            longest_pause=max(pauses),
            written_late_and_ignored=heard.late(),
            answered=people.answered,
        )
