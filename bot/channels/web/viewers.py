"""Who is watching: a seat for each open stream, few a session and a bounded number in all.

Knows sessions and addresses. Does not know what is shown.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from bot.channels.web.errors import Problem

PER_SESSION = 3  # tabs and a connection that died unnoticed
PER_ADDRESS = 100  # an office behind one router
IN_ALL = 2_000  # a few kB each; more is another replica's work
LATER = 30  # seconds


@dataclass(slots=True, eq=False)
class Seat:
    """One open stream. `taken` is set once it has to end."""

    taken: str = ""
    ring: asyncio.Event | None = None  # wakes the stream

    def end(self, why: str) -> None:
        """Tell the stream to end soon."""
        self.taken = self.taken or why
        if self.ring:
            self.ring.set()


@dataclass(slots=True, kw_only=True)
class Viewers:
    """One per process; belongs to the event loop."""

    per_session: int = PER_SESSION
    per_address: int = PER_ADDRESS
    in_all: int = IN_ALL
    _seats: defaultdict[int, list[Seat]] = field(default_factory=lambda: defaultdict(list))
    _addresses: Counter[str] = field(default_factory=Counter)
    _closed: bool = False

    @contextmanager
    def seat(self, *, session: int, address: str) -> Iterator[Seat]:
        """A seat for the length of a stream; the session's oldest makes room. Raises Problem when all are taken."""
        if self._closed or self._addresses.total() >= self.in_all:
            raise Problem("unavailable", retry_after=LATER)
        if self._addresses[address] >= self.per_address:
            raise Problem("crowded", retry_after=LATER)
        seat = Seat()
        seats = self._seats[session]
        seats.append(seat)
        for old in seats[: -self.per_session]:
            old.end("moved")
        self._addresses[address] += 1
        try:
            yield seat
        finally:
            seats.remove(seat)
            if not seats:
                self._seats.pop(session, None)
            self._addresses[address] -= 1
            if not self._addresses[address]:
                del self._addresses[address]

    def close(self) -> None:
        """End every stream and take no more."""
        self._closed = True
        for seats in self._seats.values():
            for seat in seats:
                seat.end("closing")

    def open(self) -> None:
        """Take streams (again)."""
        self._closed = False
