"""What is found in a text: a kind and a span, and which finding wins where two overlap.

Knows no pattern.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal["email", "phone", "card", "iban", "ip", "national-id", "secret"]
KINDS: tuple[Kind, ...] = get_args(Kind)

# Of two findings that overlap the earlier kind here stays: the one that is surer of itself.
STRENGTH: tuple[Kind, ...] = ("secret", "email", "iban", "card", "national-id", "phone", "ip")


@dataclass(frozen=True, slots=True)
class Found:
    """`detail` says more for operators ("github token", "us-ssn"); the span counts in characters of the text."""

    kind: Kind
    start: int
    end: int
    detail: str = ""


def apart(found: Iterable[Found]) -> tuple[Found, ...]:
    """The findings without overlaps, in the order of the text."""
    kept: list[
        Found
    ] = []  # in the order of the text: a text may hold thousands, and only neighbours can overlap
    starts: list[int] = []
    for one in sorted(found, key=lambda f: (STRENGTH.index(f.kind), f.start - f.end, f.start)):
        at = bisect_left(starts, one.end)
        if not at or kept[at - 1].end <= one.start:
            kept.insert(at, one)
            starts.insert(at, one.start)
    return tuple(kept)


def moved(found: Iterable[Found], by: int) -> Iterator[Found]:
    """The findings of a part that begins `by` characters into the whole."""
    for one in found:
        yield Found(one.kind, one.start + by, one.end + by, one.detail)
