"""How often a method may be called: Slack's tiers, per method and workspace, and one message a second per channel.

Counts always, refuses only once `enforce` was called. Knows the time by a clock that a test may set or scale.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

MINUTE = 60.0
TIERS = {"t1": 1, "t2": 20, "t3": 50, "t4": 100, "t5": 600}  # calls a minute; t5 has limits of its own
# A channel takes a message a second; a short burst goes through.
CHANNEL_BURST = 3
POSTING = frozenset({"chat.postMessage", "chat.startStream"})  # each puts a new message into a channel


@dataclass(frozen=True, slots=True)
class Exceeded:
    """A call too many. what: the tier, or "channel"."""

    team: str
    method: str
    what: str
    channel: str = ""


@dataclass
class Bucket:
    """Lets one through a second, a few at once."""

    tokens: float = CHANNEL_BURST
    seen: float = 0.0

    def take(self, now: float) -> float:
        """Seconds to wait; 0: go."""
        self.tokens = min(CHANNEL_BURST, self.tokens + now - self.seen)
        self.seen = now
        if self.tokens < 1:
            return 1 - self.tokens
        self.tokens -= 1
        return 0.0


@dataclass
class Rates:
    """The ledger. `exceeded` are the calls that Slack would have refused, enforced or not."""

    clock: Callable[[], float] = time.monotonic
    scale: float = 1.0  # how many of Slack's seconds pass in one of the clock's
    enforced: bool = False
    exceeded: list[Exceeded] = field(default_factory=list)
    most: dict[tuple[str, str], int] = field(default_factory=dict)  # the busiest minute, by team and method
    _calls: dict[tuple[str, str], deque[float]] = field(default_factory=dict)
    _channels: dict[tuple[str, str], Bucket] = field(default_factory=dict)

    def enforce(self, *, scale: float = 1.0, clock: Callable[[], float] | None = None) -> None:
        """Refuse what is too often from now on; with scale=60 Slack's minute lasts a second."""
        self.enforced, self.scale = True, scale
        self.clock = clock or self.clock
        self._calls.clear()
        self._channels.clear()

    def wait(self, team: str, method: str, tier: str, channel: str) -> int:
        """Count a call; the whole seconds of Retry-After when it is refused, else 0."""
        now = self.clock() * self.scale
        calls = self._calls.setdefault((team, method), deque())
        while calls and calls[0] <= now - MINUTE:
            calls.popleft()
        if len(calls) >= TIERS[tier]:
            return self._refuse(Exceeded(team, method, tier), calls[0] + MINUTE - now)
        if method in POSTING and channel:
            bucket = self._channels.setdefault((team, channel), Bucket(seen=now))
            if seconds := bucket.take(now):
                return self._refuse(Exceeded(team, method, "channel", channel), seconds)
        calls.append(now)
        self.most[team, method] = max(self.most.get((team, method), 0), len(calls))
        return 0

    def _refuse(self, exceeded: Exceeded, seconds: float) -> int:
        self.exceeded.append(exceeded)
        return max(1, math.ceil(seconds / self.scale)) if self.enforced else 0
