"""Who is decoded together: the line of waiting rows, and which of them form the next cohort.

Knows lengths, options, order and room; neither threads nor CTranslate2. In a cohort the longer prompts are fed one
token a step, while the shorter ones already answer: every step of difference is a step that the longer row waits.
"""

from bisect import insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from inference.memory import Memory
from inference.row import SHORTEST, Row

# A bulk row counts as having come so many seconds later than it did: others go first, and yet it never starves.
BULK_LATER = 30.0


@dataclass(frozen=True, slots=True)
class Window:
    """How much a cohort's prompts may differ, in tokens: `longer` than the oldest row's, or `shorter`; and how many
    tokens that were emitted before are fed by steps (`forced`) rather than read anew."""

    longer: int
    shorter: int
    forced: int


@dataclass(frozen=True, slots=True)
class Room:
    """What is free: rows and tokens of attention states. An engine at rest takes one row of any size."""

    rows: int
    tokens: int
    resting: bool
    reads: Callable[[int, int], bool]  # (rows, tokens): whether they may be read in one go

    @classmethod
    def of(cls, memory: Memory, running: list[Row], *, rows: int, largest: int) -> "Room":
        """What is left of `rows` and the memory beside those running, at most `largest` rows of it."""
        return cls(
            rows=min(rows - len(running), largest),
            tokens=memory.tokens - sum(row.size for row in running),
            resting=not running,
            reads=lambda rows, tokens: memory.reads(rows=rows, tokens=tokens),
        )


@dataclass(frozen=True, slots=True)
class Cohort:
    """Rows for one call. `base` tokens of each are read in one go, the rest is fed by steps."""

    rows: tuple[Row, ...]
    base: int

    @property
    def spread(self) -> int:
        return max(row.length for row in self.rows) - self.base

    @property
    def companion(self) -> tuple[int, ...] | None:
        """The prompt that makes CTranslate2 read no more than `base` tokens, where no row is as short."""
        if min(row.length for row in self.rows) == self.base:
            return None
        row = next(row for row in self.rows if row.prompt == self.base)
        return row.request.prompt[len(row.key.prefix) :]


@dataclass(slots=True)
class Line:
    """The waiting rows: those that people wait for first, then in order of arrival."""

    _rows: list[tuple[float, int, Row]] = field(default_factory=list)
    _count: int = 0

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return (row for _, _, row in self._rows)

    def add(self, row: Row) -> None:
        self._count += 1
        later = BULK_LATER if row.request.bulk else 0.0
        insort(self._rows, (row.arrived + later, self._count, row))

    def remove(self, row: Row) -> None:
        self._rows = [entry for entry in self._rows if entry[2] is not row]

    def take(self, *, window: Window, room: Room) -> Cohort | None:
        """The first row and whoever can be decoded with it, taken out of the line; None while there is no room for the
        first: nobody passes it."""
        self._rows = [entry for entry in self._rows if entry[2].finish is None]
        waiting = [row for row in self if not row.cancelled]
        if not waiting or room.rows < 1:
            return None
        first = waiting[0]
        if first.size > room.tokens and not room.resting:
            return None
        cohort = _grown(first, waiting[1:], window=window, room=room)
        taken = set(map(id, cohort.rows))
        self._rows = [entry for entry in self._rows if id(entry[2]) not in taken]
        return cohort


def _grown(first: Row, others: list[Row], *, window: Window, room: Room) -> Cohort:
    rows, base, tokens = [first], _least(first, window), first.size
    lowest = base - window.shorter
    for row in others:
        if len(rows) == room.rows:
            break
        if row.key != first.key or tokens + row.size > room.tokens:
            continue
        least = _least(row, window)
        if least < lowest or least - base > window.longer:
            continue
        if not room.reads(len(rows) + 1, min(base, least) + len(first.key.prefix)):
            continue
        rows.append(row)
        base, tokens = min(base, least), tokens + row.size
    return Cohort(tuple(rows), base)


def _least(row: Row, window: Window) -> int:
    """How many of its tokens must at most be read in one go: all, or those before what it resumes from."""
    forced = len(row.resumed) <= window.forced and row.prompt >= SHORTEST
    return row.prompt if forced else row.length
