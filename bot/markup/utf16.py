"""Text as UTF-16 counts it: a character beyond the first plane counts two. Knows nothing of what stands in a text."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence

_PAIR = re.compile("[\U00010000-\U0010ffff]")


def units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def pairs(text: str) -> Sequence[int]:
    """Offsets of the characters that count two, in order."""
    return [] if text.isascii() else [match.start() for match in _PAIR.finditer(text)]


class Ruler:
    """Offsets of one text, of characters and of units."""

    def __init__(self, text: str) -> None:
        self._length = len(text)
        self._pairs = pairs(text)
        self._pairs_in_units = [at + nth for nth, at in enumerate(self._pairs)]

    def to_units(self, at: int) -> int:
        return at + bisect_left(self._pairs, at)

    def to_characters(self, unit: int) -> int:
        """What lies within a pair is taken to its beginning, what lies outside the text to its border."""
        nth = bisect_left(self._pairs_in_units, unit)
        at = unit - nth
        if nth and self._pairs_in_units[nth - 1] + 1 == unit:  # between the halves
            at = self._pairs[nth - 1]
        return min(max(0, at), self._length)
