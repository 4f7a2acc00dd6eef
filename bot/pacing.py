"""How many of a thing may go out in any stretch of time, some of them kept for what cannot wait.

Knows numbers and a clock that its caller reads. What is counted, and what is urgent, is each channel's.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Window:
    """At most so many calls in any stretch of so many seconds; the last few are kept for the urgent."""

    limit: int
    seconds: float
    reserve: int = 0
    _taken: deque[float] = field(default_factory=deque)

    def wait(self, now: float, *, kept: int) -> float:
        """Seconds until a call may go that leaves `kept` others room, 0.0 if it may go now."""
        while self._taken and self._taken[0] + self.seconds <= now:
            self._taken.popleft()
        free = self.limit - kept
        if free <= 0:
            return self.seconds
        if len(self._taken) < free:
            return 0.0
        return self._taken[len(self._taken) - free] + self.seconds - now

    def take(self, now: float) -> None:
        """One call goes now."""
        self._taken.append(now)

    @property
    def idle(self) -> bool:
        """Whether nothing is remembered, as of the last look."""
        return not self._taken
