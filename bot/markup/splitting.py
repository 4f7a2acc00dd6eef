"""A text of Markdown in parts, each valid by itself: cut between blocks where it can be, fences and tables re-opened.

Knows where a text is best cut, whole or growing. Leaves each platform's limit and way of counting to the caller, who
says by `Heavy` which characters of a text count twice: those beside which something is written, or UTF-16 pairs.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from bot.markup.outline import BLOCK, LINE, Outline

Heavy = Callable[[str], Sequence[int]]  # offsets, in order

# How full an open message is, of what it may hold, when a growing text may go on in the next one.
_WIDE = 2 / 3  # before a table or a fence: better whole in the next
_ENOUGH = 0.8  # before any block
_FULL = 0.9  # before any line
_HELD = 0.95  # nothing more is shown until it is known where the message ends
_SURE = 16  # characters after which no character's weight changes any more

# Where no place between lines will do: inside these a break would show.
_ATOM = re.compile(r"`[^`\n]+`|!?\[[^\]\n]*\]\([^)\s]*\)|<[^<>\s]+>|\*\*[^*\n]+\*\*|https?://\S+")
_SENTENCE = re.compile(r"(?:[.!?…][\"'”’)*_]*[ \t]+|[。！？])(?=\S)")
_BLANK = re.compile(r"(?<=\S)[ \t]+(?=\S)")
_LINE_END = re.compile(r"\r\n?|\n")
_HANGS_ON = frozenset("\u200d\ufe0e\ufe0f\u20e3")
_PLAIN = re.compile(r"[^\W\d_]")  # a line that begins with a letter is words, whatever follows
_FENCE_LINE = re.compile(r"[-+*>\d.)\s]*(?:`{1,2}|~{1,2}|(?:`{3}|~{3}).*)")


@dataclass(frozen=True, slots=True)
class Part:
    """What one message carries of a text: `[start:end]` of the source as `body`, between what re-opens and closes."""

    start: int
    end: int
    opening: str
    body: str
    closing: str

    @property
    def text(self) -> str:
        return self.opening + self.body + self.closing


def split(source: str, *, limit: int, heavy: Heavy, start: int = 0) -> list[Part]:
    """A whole text from `start` on as parts that count at most `limit`. Parts that would show nothing are left out.

    A fence whose signs alone would fill a third of a part is not closed and not opened again.
    """
    text = _Whole(source, limit, heavy)
    found: list[Part] = []
    while start < len(source):
        found.append(text.next_part(start))
        start = found[-1].end
    return [part for part in found if part.body.strip()]


def part(source: str, start: int, end: int) -> Part:
    """One part with these borders."""
    return _part(source, start, end, _openings(source, start)[0])


def cut(
    source: str, done: int, *, limit: int, heavy: Heavy, after: int | None = None, ended: bool = False
) -> int | None:
    """Where the part that begins at `done` must end while the text grows, or None. It never says otherwise later on.

    `after`: any border of blocks from this offset on will do. `ended`: nothing follows, what fits may stay together.
    """
    return _Growing(source, done, limit, heavy).cut(after, ended=ended)


def reach(source: str, done: int, *, limit: int, heavy: Heavy, until: int) -> int:
    """How much of a growing text, `until` at most, may be shown in the part that begins at `done`: never beyond a later
    `cut`, and nothing of an unfinished line that opens or closes a fence."""
    last = _last_line(source)
    if _FENCE_LINE.fullmatch(source, last):
        until = min(until, max(done, last))
    return _Growing(source, done, limit, heavy).reach(until)


class _Scale:
    """What a text counts."""

    def __init__(self, source: str, heavy: Heavy) -> None:
        self._source = source
        self._heavy = heavy
        self._twice = heavy(source)

    def cost(self, start: int, end: int) -> int:
        return end - start + bisect_left(self._twice, end) - bisect_left(self._twice, start)

    def fit(self, start: int, room: float) -> int:
        """The offset up to which the text from `start` on counts at most `room`."""
        ends = range(start, min(len(self._source), start + max(0, int(room))) + 1)
        return start + max(0, bisect_right(ends, room, key=lambda end: self.cost(start, end)) - 1)

    def count(self, text: str) -> int:
        return len(text) + len(self._heavy(text))

    def opening(self, openings: Sequence[str], limit: int) -> str:
        """The fullest that leaves room for the text itself."""
        return next((each for each in openings if self.count(each) <= limit // 2), "")


class _Whole:
    """A text to which nothing is added."""

    def __init__(self, source: str, limit: int, heavy: Heavy) -> None:
        self._source = source
        self._limit = limit
        self._scale = _Scale(source, heavy)
        self._outline = Outline(source)
        self._borders = {
            rank: [s for s, r in zip(self._outline.starts, self._outline.ranks, strict=True) if r >= rank]
            for rank in range(LINE, BLOCK + 1)
        }

    def next_part(self, start: int) -> Part:
        opening = self._scale.opening(self._outline.openings(start), self._limit)
        room = self._limit - self._scale.count(opening)
        end = self._scale.fit(start, room)
        if end < len(self._source):
            room -= _reserve(self._limit)
            end = self._best_end(start, room)
        part = _part(self._source, start, end, opening)
        while (over := self._scale.count(part.text) - self._limit) > 0:
            room -= over
            if room <= self._limit // 8:  # a fence whose signs alone fill a message
                return Part(start, part.end, opening, part.body, "")
            part = _part(self._source, start, self._best_end(start, room), opening)
        return part

    def _best_end(self, start: int, room: int) -> int:
        fit = max(start + 1, self._scale.fit(start, room))
        for rank in range(BLOCK, LINE - 1, -1):
            borders = self._borders[rank]
            index = bisect_right(borders, fit)
            last = borders[index - 1] if index else 0
            following = borders[index] if index < len(borders) else len(self._source)
            whole = self._scale.cost(last, following) <= self._limit - _reserve(self._limit)
            if last > start and (last - start >= (fit - start) / 2 or whole):
                return last
        return _break(self._source, fit - (fit - start) // 4, fit)


class _Growing:
    """A text of which more may follow. What it answers rests on nothing that a further text can change."""

    def __init__(self, source: str, done: int, limit: int, heavy: Heavy) -> None:
        self._source = source
        self._done = done
        self._scale = _Scale(source, heavy)
        self._room = limit // 2 - _reserve(limit)
        if self._fill(len(source)) >= _WIDE:  # else it is far from full, whatever opens it
            opening = self._scale.opening(_openings(source, done), limit)
            self._room = limit - self._scale.count(opening) - _reserve(limit)
        self._fit = self._scale.fit(done, self._room)

    def cut(self, after: int | None, *, ended: bool) -> int | None:
        fill = self._fill(len(self._source))
        if (ended and fill <= 1) or (after is None and fill < _WIDE):
            return None
        outline = Outline(self._source if ended else self._source[: self._fit])
        whole = _last_line(self._source[: self._fit])
        final = _last_line(self._source) if ended else None
        for line in range(outline.line_of(self._done), outline.line_of(self._fit) + 1):
            border = outline.starts[line]
            # What a line begins is known when it is plain, whole before the message is full, or the last of all.
            known = border < whole or border == final or _PLAIN.match(self._source, border)
            if self._done < border and known and self._may_end(outline, line, after):
                return border
        full = self._fit + (1 if ended else _SURE) <= len(self._source)
        if not full:
            return None
        held = self._scale.fit(self._done, self._room * _HELD)
        return _break(self._source[: self._fit + _SURE], held, self._fit)

    def reach(self, until: int) -> int:
        if (end := self.cut(None, ended=False)) is not None:
            return min(until, end)
        last = _last_line(self._source)
        undecided = self._done < last < len(self._source) and not _PLAIN.match(self._source, last)
        if undecided and self._fill(last) >= _WIDE:
            until = min(until, last)
        return min(until, self._scale.fit(self._done, self._room * _HELD))

    def _fill(self, end: int) -> float:
        return self._scale.cost(self._done, end) / self._room

    def _may_end(self, outline: Outline, line: int, after: int | None) -> bool:
        border, rank = outline.starts[line], outline.ranks[line]
        # A line becomes the head of a table by the line after it, unless it began a block before.
        if rank == BLOCK and (not outline.tables[line] or outline.blank_before(line)):
            if after is not None and border >= after:
                return True
            return self._fill(border) >= (_WIDE if outline.wide(line) else _ENOUGH)
        return rank > 0 and self._fill(border) >= _FULL


def _part(source: str, start: int, end: int, opening: str) -> Part:
    body = source[start:end]
    return Part(start, end, opening, body, Outline(opening + body).closing())


def _openings(source: str, start: int) -> Sequence[str]:
    """By the text up to the line where a part begins: what follows changes nothing."""
    if start == 0:
        return ("",)
    return _openings_at_end(source[: _line_end(source, start)], start)


@lru_cache(maxsize=16)  # a message that grows is opened by the same again and again
def _openings_at_end(source: str, start: int) -> Sequence[str]:
    return Outline(source).openings(start)


def _reserve(limit: int) -> int:
    """Room for what closes a fence."""
    return min(64, limit // 8)


def _line_end(text: str, at: int) -> int:
    match = _LINE_END.search(text, at)
    return match.end() if match else len(text)


def _last_line(text: str) -> int:
    return max(text.rfind("\n"), text.rfind("\r")) + 1


def _break(text: str, low: int, high: int) -> int:
    """Where a long line is broken, after `low` and at `high` at the latest: after a sentence, a word, a character."""
    begin = max(low - 200, _last_line(text[:low]))
    atoms = [match.span() for match in _ATOM.finditer(text, begin, high + 200)]

    def within(end: int) -> bool:
        return any(first < end < last for first, last in atoms)

    for pattern, anywhere in ((_SENTENCE, False), (_BLANK, False), (_BLANK, True)):
        ends = [match.end() for match in pattern.finditer(text, low, high + 1)]
        fitting = [end for end in ends if low < end <= high and (anywhere or not within(end))]
        if fitting:
            return fitting[-1]
    return next((end for end in range(high, low, -1) if _apart(text, end)), high)


def _apart(text: str, at: int) -> bool:
    """Whether the characters on both sides of an offset are two to the eye, and none of them is blank."""
    before, after = text[at - 1], text[at : at + 1]
    if before == "\u200d" or before.isspace() or after.isspace():
        return False
    return not after or not (
        unicodedata.combining(after) or after in _HANGS_ON or "\U0001f3fb" <= after <= "\U0001f3ff"
    )
