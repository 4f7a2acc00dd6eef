"""When a call of the Bot API may go out: a chat's one message a second, a group's twenty a minute, thirty a second for
all of them, and the pauses that Telegram asked for.

Knows limits and times; takes nothing it cannot give at once. What is about to be final goes before what only grows.
Leaves the calls themselves to `api`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from bot.pacing import Window

CHAT_SECONDS = 1.05  # between two messages in a chat: calls do not take equally long to get there
BURST = 2  # that a chat takes at once after a quiet second; Telegram bears short ones. The second is for the urgent
GROUP, GROUP_SECONDS = 20, 61.0
GROUP_RESERVE = 5  # of a group's minute, for the urgent: an answer's end must not wait for its middle
ALL, ALL_SECONDS = 28, 1.2  # of the thirty a second: what goes out evenly does not arrive so
ALL_RESERVE = 8

COUNTED = ("copy", "edit", "forward", "send")  # begin the methods that are a message, or change one
OUTSIDE = frozenset({"sendChatAction", "sendMessageDraft", "sendRichMessageDraft"})  # but for these

EVERYWHERE = 0  # in place of a chat
TINY = 1e-6  # of a call: sums of times are not exact
Key = tuple[str, int]


@dataclass(slots=True)
class Bucket:
    """One call in so many seconds, and a few at once after a pause."""

    seconds: float
    _left: float = BURST
    _since: float = 0.0

    def wait(self, now: float, *, kept: int) -> float:
        """Seconds until a call may go that leaves `kept` others room, 0.0 if it may go now."""
        missing = kept + 1 - self._filled(now)
        return missing * self.seconds if missing > TINY else 0.0

    def take(self, now: float) -> None:
        """One call goes now."""
        self._left, self._since = self._filled(now) - 1, now

    def full(self, now: float) -> bool:
        """Whether nothing is remembered."""
        return self._filled(now) >= BURST

    def _filled(self, now: float) -> float:
        return min(float(BURST), self._left + (now - self._since) / self.seconds)


@dataclass(slots=True)
class Budget:
    """One per process: every chat's second, every group's minute, and every pause."""

    scale: float = 1.0  # of all lengths of time; a test's minute may be a second
    _chats: dict[int, Bucket] = field(default_factory=dict)
    _windows: dict[Key, Window] = field(default_factory=dict)
    _paused: dict[Key, float] = field(default_factory=dict)
    _urgent: Counter[int] = field(default_factory=Counter)  # calls that wait for a chat

    def wait(self, now: float, method: str, chat: int = EVERYWHERE, *, urgent: bool = False) -> float:
        """Seconds until this call may go as far as is known now, 0.0 if it may go at once."""
        if not counted(method):
            return max(0.0, self._paused.get(_scope(method, chat), now) - now)
        before = 0 if urgent else self._urgent[chat]
        waits = [
            window.wait(now, kept=0 if urgent else max(window.reserve, before))
            for window in self._holding(chat)
        ]
        if chat:
            waits.append(self._bucket(chat).wait(now, kept=0 if urgent else BURST - 1 + before))
        return max(0.0, self._paused.get(_scope(method, chat), now) - now, *waits)

    def take(self, now: float, method: str, chat: int = EVERYWHERE) -> None:
        """This call goes now."""
        if not counted(method):
            return
        for window in self._holding(chat):
            window.take(now)
        if chat:
            self._bucket(chat).take(now)
        if len(self._chats) + len(self._windows) + len(self._paused) > 10_000:
            self._tidy(now)

    @contextmanager
    def waiting(self, method: str, chat: int, *, urgent: bool) -> Iterator[None]:
        """A call waits for as long as the block lasts; while an urgent one does, its chat is not given to others."""
        counts = urgent and bool(chat) and counted(method)
        self._urgent[chat] += counts
        try:
            yield
        finally:
            self._urgent[chat] -= counts
            if not self._urgent[chat]:
                del self._urgent[chat]

    def pause(self, now: float, method: str, chat: int = EVERYWHERE, *, seconds: float) -> None:
        """Telegram asked to leave a chat alone for a while; for what is outside the budget, that method there."""
        key = _scope(method, chat)
        self._paused[key] = max(self._paused.get(key, 0.0), now + seconds * self.scale)

    def _holding(self, chat: int) -> Iterator[Window]:
        yield self._window(("all", EVERYWHERE), ALL, ALL_SECONDS, ALL_RESERVE)
        if chat < 0:
            yield self._window(("group", chat), GROUP, GROUP_SECONDS, GROUP_RESERVE)

    def _bucket(self, chat: int) -> Bucket:
        if chat not in self._chats:
            self._chats[chat] = Bucket(CHAT_SECONDS * self.scale)
        return self._chats[chat]

    def _window(self, key: Key, limit: int, seconds: float, reserve: int) -> Window:
        if key not in self._windows:
            self._windows[key] = Window(limit, seconds * self.scale, reserve)
        return self._windows[key]

    def _tidy(self, now: float) -> None:
        for window in self._windows.values():
            window.wait(now, kept=0)
        self._windows = {key: window for key, window in self._windows.items() if not window.idle}
        self._chats = {chat: bucket for chat, bucket in self._chats.items() if not bucket.full(now)}
        self._paused = {key: until for key, until in self._paused.items() if until > now}


def counted(method: str) -> bool:
    """Whether a call is in the budget."""
    return method.startswith(COUNTED) and method not in OUTSIDE


def _scope(method: str, chat: int) -> Key:
    """What a pause of this call is known under."""
    return ("", chat) if counted(method) else (method, chat)
