"""The text that waits for its verdict, and which draft each part of it came from.

Knows when some of it is ready to be judged. Reads no source, keeps no clock, judges nothing.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from moderation.sentences import Sentences
from moderation.tails import plain, settled

# Times the usual wait: a last word that nothing follows, and a table's row that does not end. By then the model has
# stopped in the middle, and nothing will be read in one piece anyway.
LONGER = 4


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
    """Held text, taken from the front: by sentence, at about `max_chars`, or what waited `max_wait` seconds.

    What may go on (a number, an address, a placeholder, the last word) stays for the next time: a redaction needs it
    whole. A word longer than `max_chars` is one piece."""

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
        """When the clock lets some of the held text go; None when only more text can."""
        oldest = next((part.at for part in self._parts if part.left), None)
        if oldest is None:
            return None
        if self._sentences.in_row(self._text):
            cells = self._sentences.cells(self._text, limit=self._max_chars)
            return oldest + LONGER * self._max_wait if cells else None
        if settled(self._text):
            return oldest + self._max_wait
        return oldest + LONGER * self._max_wait if plain(self._text) else None

    def ready(self, *, now: float) -> int:
        """How many characters to take now; 0 to wait for more. All of it is taken when `now` is infinite: the text
        has ended."""
        ended = now == float("inf")
        end = self._sentences.end(self._text)
        if 0 < end <= self._max_chars:
            return end
        if len(self._text) >= self._max_chars:
            size = self._sentences.cut(self._text, limit=self._max_chars, ended=ended)
            if size:
                return size
        if ended:
            return len(self._text)
        due = self.due
        return self._loose() if due is not None and due <= now else 0

    def _loose(self) -> int:
        """What the clock lets go: not what may go on, unless it is but a word."""
        if self._sentences.in_row(self._text):
            return self._sentences.cells(self._text, limit=self._max_chars)
        return settled(self._text) or len(self._text)

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
