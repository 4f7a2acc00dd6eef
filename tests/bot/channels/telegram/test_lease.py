"""Work that one process does at a time: who does it, who stands by, and that there are never two."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from bot.channels.telegram.lease import Lease, Terms
from tests.bot.channels.shelf import MemoryShelf
from tests.bot.channels.telegram.moments import Moments

TERMS = Terms()


@dataclass
class Workshop:
    """Processes that share a database: each with its own way to it. `most`: at work at the same moment, ever."""

    time: Moments = field(default_factory=Moments)
    notes: dict[str, tuple[str, float | None]] = field(default_factory=dict)
    working: set[str] = field(default_factory=set)
    most: int = 0

    def lease(self, owner: str) -> Lease:
        shelf = MemoryShelf(clock=self.time.clock, notes=self.notes)
        return Lease(shelf=shelf, name="poller", owner=owner, clock=self.time.clock, sleep=self.time.sleep)

    @asynccontextmanager
    async def process(self, owner: str) -> AsyncIterator[Lease]:
        lease = self.lease(owner)

        async def work() -> None:
            self.working.add(owner)
            self.most = max(self.most, len(self.working))
            try:
                await asyncio.Event().wait()
            finally:
                self.working.discard(owner)

        running = asyncio.ensure_future(lease.run(work))
        try:
            yield lease
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def test_one_works_and_the_other_stands_by() -> None:
    at = Workshop()
    async with at.process("a"), at.process("b"):
        await at.time.pass_(1_000)
        assert at.working == {"a"}
    assert at.most == 1


async def test_the_name_is_given_back_at_the_end_and_the_other_works_soon() -> None:
    at = Workshop()
    async with at.process("b"):
        await at.time.pass_(1)
        async with at.process("c"):
            await at.time.pass_(1)
            assert at.working == {"b"}
    assert not at.notes
    async with at.process("a") as first:
        await at.time.pass_(1)
        async with at.process("b"):
            await at.time.pass_(1)
            assert first.held
            assert at.working == {"a"}
    async with at.process("b"):
        await at.time.pass_(TERMS.tried)
        assert at.working == {"b"}


async def test_after_a_crash_the_other_works_when_the_lease_is_over() -> None:
    at = Workshop()
    await at.lease("dead").shelf.claim("poller", "dead", seconds=TERMS.lasts)
    async with at.process("b"):
        await at.time.pass_(TERMS.lasts - 1)
        assert not at.working
        await at.time.pass_(1 + TERMS.tried)
        assert at.working == {"b"}


async def test_a_lease_that_another_has_got_ends_the_work() -> None:
    at = Workshop()
    async with at.process("a") as lease:
        await at.time.pass_(1)
        await lease.shelf.drop("poller")
        await lease.shelf.claim("poller", "b", seconds=60)
        await at.time.pass_(TERMS.renewed)
        assert not at.working
        assert not lease.held
        assert at.notes["poller"][0] == "b"  # what is another's is not given back
        await at.time.pass_(60 + TERMS.tried)
        assert at.working == {"a"}


async def test_without_the_database_the_work_ends_before_another_may_begin() -> None:
    at = Workshop()
    async with at.process("a") as cut_off, at.process("b"):
        await at.time.pass_(100)
        assert at.working == {"a"}
        cut_off.shelf.away = True  # type: ignore[attr-defined]
        stopped = began = None
        for tenth in range(300):
            await at.time.pass_(0.1)
            if stopped is None and "a" not in at.working:
                stopped = tenth
            if began is None and "b" in at.working:
                began = tenth
        assert stopped is not None
        assert began is not None
        assert began - stopped >= 10  # a second
        cut_off.shelf.away = False  # type: ignore[attr-defined]
        await at.time.pass_(100)
        assert at.working == {"b"}
    assert at.most == 1


async def test_a_database_that_is_away_for_a_moment_ends_nothing() -> None:
    at = Workshop()
    async with at.process("a") as lease:
        await at.time.pass_(100)
        lease.shelf.away = True  # type: ignore[attr-defined]
        await at.time.pass_(TERMS.renewed + 1)
        lease.shelf.away = False  # type: ignore[attr-defined]
        await at.time.pass_(TERMS.renewed)
        assert lease.held
        assert at.working == {"a"}


async def test_a_process_that_slept_knows_that_its_lease_is_over() -> None:
    at = Workshop()
    async with at.process("a") as lease:
        await at.time.pass_(1)
        assert lease.held
        at.time.now += TERMS.lasts  # the whole machine stood still
        assert not lease.held


async def test_a_question_that_gets_no_answer_ends_the_work_in_time(
    until: Callable[[Callable[[], object]], Awaitable[None]],
) -> None:
    asked = 0

    class Stuck(MemoryShelf):
        async def claim(self, name: str, owner: str, *, seconds: float) -> bool:
            nonlocal asked
            asked += 1
            if asked == 2:
                await asyncio.Event().wait()
            return await super().claim(name, owner, seconds=seconds)

    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    terms = Terms(lasts=0.3, margin=0.1, renewed=0.05, tried=0.05)
    running = asyncio.ensure_future(Lease(shelf=Stuck(), name="poller", owner="a", terms=terms).run(work))
    await until(ended.is_set)
    await until(lambda: asked > 2)  # and goes on asking
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_work_that_fails_gives_the_name_back() -> None:
    at = Workshop()

    async def work() -> None:
        raise ConnectionError("no luck")

    with pytest.raises(ExceptionGroup) as failed:
        await at.lease("a").run(work)
    assert failed.group_contains(ConnectionError)
    assert not at.notes


async def test_work_that_ends_is_begun_anew() -> None:
    at = Workshop()
    begun = 0

    async def work() -> None:
        nonlocal begun
        begun += 1
        if begun > 1:
            await asyncio.Event().wait()

    running = asyncio.ensure_future(at.lease("a").run(work))
    await at.time.pass_(TERMS.lasts)
    assert begun == 2
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_shelf_that_is_away_at_the_end_holds_nobody_up() -> None:
    at = Workshop()
    async with at.process("a") as lease:
        await at.time.pass_(1)
        assert at.working == {"a"}
        lease.shelf.away = True  # type: ignore[attr-defined]
    assert not at.working


async def test_who_stands_by_asks_every_few_seconds() -> None:
    at = Workshop()
    asked: list[float] = []
    await at.lease("a").shelf.claim("poller", "a", seconds=100)
    lease = at.lease("b")
    claim = lease.shelf.claim

    async def counted(*given: Any, **more: Any) -> bool:
        asked.append(at.time.now)
        return await claim(*given, **more)

    lease.shelf.claim = counted  # type: ignore[method-assign]

    async def work() -> None: ...

    running = asyncio.ensure_future(lease.run(work))
    await at.time.pass_(60)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert 60 / 5 <= len(asked) <= 61
