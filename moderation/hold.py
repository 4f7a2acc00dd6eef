"""The text that waits for its verdict, and which draft each part of it came from.

Knows when some of it is ready to be judged. Reads no source, keeps no clock, judges nothing.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from moderation.sentences import Sentences, cut


class Draft(Protocol):
    """A bit of text on its way, before it is judged."""

    @property
    def text(self) -> str: ...


D = TypeVar("D", bound=Draft)


@dataclass(slots=True)
class _Part(Generic[D]):
    draft: D
    left: int  # characters still held
    at: float  # when it came
    begun: bool = False  # its first character was taken


class Hold(Generic[D]):
    """Held text, taken from the front: by sentence, `max_chars` at most, `max_wait` seconds at most."""

    def __init__(self, *, max_chars: int, max_wait: float) -> None:
        self._max_chars = max_chars
        self._max_wait = max_wait
        self._sentences = Sentences()
        self._text = ""
        self._parts: deque[_Part[D]] = deque()

    def add(self, draft: D, *, at: float) -> None:
        """Holds one more draft, which came `at` this time (seconds, any steady clock)."""
        self._parts.append(_Part(draft=draft, left=len(draft.text), at=at))
        self._text += draft.text

    @property
    def due(self) -> float | None:
        """When the oldest held text has waited long enough; None when none is held."""
        return next((part.at + self._max_wait for part in self._parts if part.left), None)

    def ready(self, *, now: float) -> int:
        """How many characters to take now; 0 to wait for more."""
        end = self._sentences.end(self._text)
        if 0 < end <= self._max_chars:
            return end
        if len(self._text) >= self._max_chars:
            return cut(self._text, limit=self._max_chars)
        due = self.due
        return len(self._text) if due is not None and due <= now else 0

    def take(self, size: int) -> tuple[str, tuple[D, ...]]:
        """The first `size` characters, and the drafts that begin in them (empty ones before them too)."""
        text, self._text = self._text[:size], self._text[size:]
        self._sentences.take(text)
        begun: list[D] = []
        while size and self._parts:
            part = self._parts[0]
            if not part.begun:
                begun.append(part.draft)
                part.begun = True
            taken = min(size, part.left)
            part.left -= taken
            size -= taken
            if not part.left:
                self._parts.popleft()
        return text, tuple(begun)

    def rest(self) -> tuple[D, ...]:
        """The drafts without text that are left once all text was taken."""
        drafts = tuple(part.draft for part in self._parts if not part.begun)
        self._parts.clear()
        return drafts
