"""Telegram's limits: one message a second in a chat with a small burst, twenty a minute in a group, thirty a second.

Knows which calls count. Leaves answering 429 to the door.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

BURST = 3  # messages that a chat takes at once
MINUTE = 20  # messages a minute in a group
SECOND = 30  # messages a second in all
COUNTED = frozenset(
    {
        *("sendMessage", "sendRichMessage", "sendDocument", "sendPhoto", "sendMediaGroup"),
        *("copyMessage", "copyMessages", "forwardMessage", "forwardMessages"),
        *("editMessageText", "editMessageReplyMarkup", "editMessageCaption", "editMessageMedia"),
    }
)


@dataclass
class Rates:
    """`broken` counts the calls that came too soon; `scale` makes seconds longer or shorter; not `enforced`: only
    counted."""

    scale: float = 1.0
    enforced: bool = True
    broken: int = 0
    clock: Callable[[], float] = time.monotonic
    _tokens: dict[int, tuple[float, float]] = field(
        default_factory=dict
    )  # chat: how many are left, since when
    _minutes: dict[int, deque[float]] = field(default_factory=lambda: defaultdict(deque))
    _second: deque[float] = field(default_factory=deque)

    def wait(self, method: str, chat: int) -> int:
        """How many seconds to wait before this call; 0: it may go."""
        if method not in COUNTED or not chat:
            return 0
        wait = self._wait(chat, self.clock())
        if wait > 0:
            self.broken += 1
        return max(1, math.ceil(wait)) if wait > 0 and self.enforced else 0

    def _wait(self, chat: int, now: float) -> float:
        left, since = self._tokens.get(chat, (float(BURST), now))
        left = min(float(BURST), left + (now - since) / max(self.scale, 1e-9))
        minute, second = self._minutes[chat], self._second
        _forget(minute, now - 60 * self.scale)
        _forget(second, now - self.scale)
        waits = [0.0 if left >= 1 else (1 - left) * self.scale]
        if chat < 0 and len(minute) >= MINUTE:
            waits.append(minute[0] + 60 * self.scale - now)
        if len(second) >= SECOND:
            waits.append(second[0] + self.scale - now)
        wait = max(waits)
        if wait <= 0 or not self.enforced:
            self._tokens[chat] = (max(0.0, left - 1), now)
            minute.append(now)
            second.append(now)
        else:
            self._tokens[chat] = (left, now)
        return wait


def _forget(times: deque[float], before: float) -> None:
    while times and times[0] <= before:
        times.popleft()
