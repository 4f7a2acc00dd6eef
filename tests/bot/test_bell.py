"""Watchers are told that there is something new, and never miss it."""

from __future__ import annotations

from bot.bell import Bell, rung


async def test_a_ring_wakes_those_who_watch_the_place_and_no_others():
    bell = Bell()
    with bell.listen(1) as here, bell.listen(2) as elsewhere:
        bell.ring(1)
        assert await rung(here, within=1.0)
        assert not await rung(elsewhere, within=0.01)


async def test_a_ring_before_the_wait_is_not_missed():
    bell = Bell()
    with bell.listen(1) as event:
        event.clear()
        bell.ring(1)
        assert await rung(event, within=0.01)


def test_who_left_is_forgotten():
    bell = Bell()
    with bell.listen(1):
        pass
    assert not bell._watchers
