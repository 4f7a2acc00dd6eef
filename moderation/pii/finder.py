"""All detectors over one text, each only where the text could hold what it looks for.

Knows their order and what is cheap. Heavy libraries are imported by the first text that needs them, or by `warm`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

from moderation.pii.address import emails, ips
from moderation.pii.found import Found, apart
from moderation.pii.reading import reading

# Four digits with little between them: the least that a number of any kind has.
NUMBER = re.compile(r"\d(?:\D{0,3}\d){3}")
DOTTED = re.compile(r"\d\.\d")


class Finder:
    """Finds what could give a person or an account away. `regions`: where phone numbers need no country code."""

    def __init__(self, *, regions: Sequence[str] | None = None) -> None:
        self._regions = regions

    def find(self, text: str) -> tuple[Found, ...]:
        """In the order of the text, none overlapping another; spans in characters of `text`."""
        copy = reading(text)
        found = apart(self._all(copy.text))
        if copy.starts is None:
            return found
        return tuple(Found(f.kind, *copy.origin(f.start, f.end), f.detail) for f in found)

    def warm(self) -> None:
        """Imports and reads what the first finding would, a quarter of a second that no message should wait for."""
        self.find(
            "sk-0123456789abcdefghijklmn, +44 20 7946 0958, 06 12 34 56 78, GB82 WEST 1234 5698 7654 32"
        )

    def _all(self, text: str) -> Iterator[Found]:
        # Imported here: `import moderation` stays light, and most messages hold nothing for them.
        yield from emails(text)
        if DOTTED.search(text) or text.count(":") > 1:
            yield from ips(text)
        if NUMBER.search(text):
            from moderation.pii.identity import identities
            from moderation.pii.number import cards, ibans, islands
            from moderation.pii.phone import REGIONS, Phones

            phones = Phones(REGIONS if self._regions is None else self._regions)
            for island in islands(text):
                for detector in (cards, ibans, identities, phones.find):
                    yield from detector(text, island)
        from moderation.pii.keys import secrets

        yield from secrets(text)


@cache
def _default() -> Finder:
    return Finder()


def find(text: str) -> tuple[Found, ...]:
    """What the default finder finds in `text`."""
    return _default().find(text)
