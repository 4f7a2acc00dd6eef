"""Who asks too often waits; nobody else does."""

from __future__ import annotations

import pytest

from bot import limits
from bot.limits import Limiter


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_a_burst_goes_through_and_then_the_rate_holds(clock):
    limiter = Limiter(rate=0.5, burst=3, clock=clock)
    assert [limiter.take("a") for _ in range(3)] == [0.0, 0.0, 0.0]
    assert limiter.take("a") == pytest.approx(2.0)
    clock.now += 2.0
    assert limiter.take("a") == 0.0
    assert limiter.take("a") > 0


def test_being_refused_costs_nothing_more(clock):
    limiter = Limiter(rate=1.0, burst=1, clock=clock)
    limiter.take("a")
    waits = [limiter.take("a") for _ in range(5)]
    assert waits == [pytest.approx(1.0)] * 5


def test_one_flood_is_not_anothers(clock):
    limiter = Limiter(rate=1.0, burst=1, clock=clock)
    limiter.take("a")
    assert limiter.take("a") > 0
    assert limiter.take("b") == 0.0


def test_a_flood_of_keys_does_not_fill_the_memory(clock, monkeypatch):
    monkeypatch.setattr(limits, "KEYS", 10)
    limiter = Limiter(rate=1.0, burst=1, clock=clock)
    limiter.take("first")
    for number in range(10):
        limiter.take(str(number))
    assert limiter.take("first") == 0.0  # forgotten, and so free again
    assert limiter.take("9") > 0
