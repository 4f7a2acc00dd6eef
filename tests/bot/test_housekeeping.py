"""What is kept for a time is dropped when its days are over, by a clock that the test holds."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from bot import housekeeping
from bot.housekeeping import DAY, Housekeeping
from bot.store import StoreUnavailable


@dataclass
class Drawer:
    """The store's part of it."""

    away: int = 0  # so many looks find the database away
    asked: list[float] = field(default_factory=list)
    events: list[tuple[float, float]] = field(default_factory=list)
    messages: dict[str, float] = field(default_factory=dict)

    async def clear_texts(self, *, before: float) -> int:
        self.asked.append(before)
        if len(self.asked) <= self.away:
            raise StoreUnavailable
        return 1

    async def clear_events(self, *, handled_before: float, failed_before: float) -> int:
        self.events.append((handled_before, failed_before))
        return 1

    async def channels(self) -> list[str]:
        return ["slack", "telegram", "web"]

    async def clear_messages(self, channel: str, *, before: float) -> int:
        self.messages[channel] = before
        return 1


def house(drawer: Any, *, days: int = 30, **message_days: int) -> Housekeeping:
    given = {name.replace("others", "*"): each for name, each in message_days.items()}
    return Housekeeping(store=drawer, days=days, message_days=given, clock=lambda: 100 * DAY)


async def test_texts_older_than_the_days_are_dropped() -> None:
    drawer = Drawer()
    assert await house(drawer).tidy()
    assert await house(drawer, days=0).tidy()  # none is kept: not even one of today
    assert drawer.asked == [70 * DAY, 100 * DAY]
    assert drawer.events == [(93 * DAY, 70 * DAY)] * 2


async def test_conversations_stay_for_good_unless_their_channel_has_days() -> None:
    for given, dropped in (
        ({}, {}),
        ({"web": 30}, {"web": 70 * DAY}),
        ({"web": 30, "others": 90}, {"slack": 10 * DAY, "telegram": 10 * DAY, "web": 70 * DAY}),
    ):
        drawer = Drawer()
        assert await house(drawer, **given).tidy()
        assert drawer.messages == dropped


async def test_a_database_that_is_away_is_asked_again_soon(monkeypatch: Any) -> None:
    waits: list[float] = []
    done = asyncio.Event()

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            done.set()
            await asyncio.Event().wait()

    monkeypatch.setattr(housekeeping.asyncio, "sleep", sleep)
    drawer = Drawer(away=1)
    running = asyncio.create_task(house(drawer).run())
    async with asyncio.timeout(5):
        await done.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert waits == [housekeeping.AGAIN, housekeeping.EVERY, housekeeping.EVERY]
