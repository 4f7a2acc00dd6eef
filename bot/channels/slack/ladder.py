"""How an answer may grow in a workspace, the best way first, and how often it may: streamed, edited, or posted whole.

Knows what a workspace turned out not to offer, and how many answers grow there now. Leaves doing it to `stream`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

Way = Literal["stream", "edit", "post"]  # from the best to the one that always works
Wanted = Literal["auto", "native", "edit", "post"]  # what SLACK_STREAMING says

WAYS: tuple[Way, ...] = ("stream", "edit", "post")
FIRST: dict[Wanted, Way] = {"auto": "stream", "native": "stream", "edit": "edit", "post": "post"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Of growing messages, in seconds."""

    append: float = 0.7  # a workspace takes about 100 appends a minute, of all its answers together
    edit: float = 1.3  # and about 50 edits
    rollover: float = 240.0  # Slack ends a stream after about five minutes, whether it grows or not
    overdue: float = 270.0  # no better place to end was found
    latch: float = 6 * 3600.0  # until a workspace is asked again for what it did not offer
    setback: float = 2.0  # after a failure, doubled with each that follows
    longest_setback: float = 30.0


@dataclass(slots=True, kw_only=True)
class Ladder:
    """One per process."""

    wanted: Wanted = "auto"
    timing: Timing = field(default_factory=Timing)
    clock: Callable[[], float] = time.monotonic
    _missing: dict[tuple[str, Way], float] = field(default_factory=dict)  # until when
    _growing: dict[tuple[str, Way], int] = field(default_factory=dict)

    def best(self, team: str) -> Way:
        """The best way that a workspace offers, as far as is known."""
        ways = WAYS[WAYS.index(FIRST[self.wanted]) :]
        return next(way for way in ways if self._missing.get((team, way), 0.0) <= self.clock())

    def lacks(self, team: str, way: Way) -> None:
        """A workspace does not offer it: for some hours its answers take the next way at once."""
        self._missing[team, way] = self.clock() + self.timing.latch

    @contextmanager
    def growing(self, team: str, way: Way) -> Iterator[None]:
        """One answer more grows in a workspace for as long as the block lasts."""
        key = (team, way)
        self._growing[key] = self._growing.get(key, 0) + 1
        try:
            yield
        finally:
            self._growing[key] -= 1
            if not self._growing[key]:
                del self._growing[key]

    def interval(self, team: str, way: Way) -> float:
        """Seconds between two growths of one message, so that all that grow there fit its budget together."""
        every = self.timing.append if way == "stream" else self.timing.edit
        return every * max(1, self._growing.get((team, way), 1))
