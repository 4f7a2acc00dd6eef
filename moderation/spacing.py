"""Letters written one by one, with something between: k i l l, k.i.l.l, k - i - l - l.

Knows which of the gaps end a word: the wider ones, or, where all are alike, those that make words. Leaves signs that
stand for letters to `signs`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from moderation.signs import Signs

ANY = re.compile(
    r"(?:[^\w'’]|_)[0-9a-z@$!][\W_]{1,7}[0-9a-z@$!](?![^\W_])"
)  # the middle of a run; quick to search
RUN = re.compile(r"(?<![^\W_])(?<!['’])[0-9a-z@$!](?:(?:[^\w@$!]|_){1,7}[0-9a-z@$!](?![^\W_])){2,}")
LETTER = re.compile(r"[0-9a-z@$!]")
SPACE = re.compile(r"\s")
APOSTROPHE = re.compile("['’]")
SHORTEST = 4  # letters of a run that is no word people disguise: initials and lists have fewer
# What a letter may cost (vocabulary.split) where nothing but the vocabulary says that it is text; a long run may
# hold a name or two that the vocabulary does not know.
COST, COST_LONG, LONG = 3.6, 5.0, 10
TOO_LONG = 15  # letters, for one word


@dataclass(frozen=True, slots=True)
class Run:
    """`words`: the places of each word's letters, and what they are read as. `kept`: places that stay as they are,
    `spaces`: that become one space; all others from `start` to `end` go."""

    start: int
    end: int
    words: tuple[tuple[tuple[int, ...], str], ...]
    kept: frozenset[int]
    spaces: frozenset[int]


def runs(text: str, signs: Signs) -> list[Run]:
    """The runs of single letters that make words; once one does, all do."""
    found = [_grouped(text, match) for match in RUN.finditer(text)]
    read = [_read(run, signs) for run in found]
    if not any(read):
        return []
    return [run or other for run, other in zip(read, found, strict=True) if run or _letters(other) > 2]


def _letters(run: Run) -> int:
    return sum(char.isalpha() for _, written in run.words for char in written)


def _grouped(text: str, match: re.Match[str]) -> Run:
    """The letters, cut where a gap is wider than most."""
    places = [letter.start() for letter in LETTER.finditer(text, *match.span())]
    gaps = [text[left + 1 : right] for left, right in pairwise(places)]
    usual = min(Counter(gaps).items(), key=lambda pair: (-pair[1], len(pair[0])))[0]
    groups = [[places[0]]]
    kept: set[int] = set()
    spaces: set[int] = set()
    for place, gap in zip(places[1:], gaps, strict=True):
        start = place - len(gap)
        if _ends_word(gap, usual=usual):
            groups.append([])
            spaces.add(start + SPACE.search(gap).start())  # type: ignore[union-attr]
            kept.update(start + at for at, char in enumerate(gap) if not char.isspace() and char not in usual)
        elif APOSTROPHE.search(gap):
            kept.add(start + APOSTROPHE.search(gap).start())  # type: ignore[union-attr]
        groups[-1].append(place)
    words = tuple((tuple(group), "".join(text[place] for place in group)) for group in groups)
    return Run(match.start(), match.end(), words, frozenset(kept), frozenset(spaces - kept))


def _ends_word(gap: str, *, usual: str) -> bool:
    if not SPACE.search(gap) or (APOSTROPHE.search(gap) and len(gap) < 4):
        return False
    return not SPACE.search(usual) or len(gap) > len(usual)


def _read(run: Run, signs: Signs) -> Run | None:
    """The run as words; None when it makes none."""
    size = sum(len(written) for _, written in run.words)
    if _letters(run) * 2 < size:
        return None
    if size < SHORTEST and "".join(written for _, written in run.words) not in signs.words.disguised:
        return None
    readable = [signs.readable(written) for _, written in run.words]
    real = sum(readable) * 2 >= len(readable)  # the wider gaps end words
    words: list[tuple[tuple[int, ...], str]] = []
    spaces = set(run.spaces)
    known: list[str] = []
    for (places, written), whole in zip(run.words, readable, strict=True):
        cut = [] if whole or (real and len(written) < TOO_LONG) else list(_split(places, written, signs))
        known += [written] if whole else [read for _, read in cut]
        words += cut or [(places, written)]
        spaces.update(group[-1] + 1 for group, _ in cut[:-1])
    if not _telling(known, size=size, count=len(words), signs=signs):
        return None
    return replace(run, words=tuple(words), spaces=frozenset(spaces))


def _telling(known: list[str], *, size: int, count: int, signs: Signs) -> bool:
    """Whether the words of a run are enough to say that it is text, and not initials or a list."""
    longest = max(map(len, known), default=0)
    if sum(map(len, known)) * 2 < size or longest < 3:
        return False
    if longest >= SHORTEST or any(word in signs.words.disguised for word in known):
        return True
    return count > 2 and len(known) == count


def _split(places: tuple[int, ...], written: str, signs: Signs) -> Iterator[tuple[tuple[int, ...], str]]:
    """Letters whose gaps are all alike: the vocabulary knows where their words end. Nothing when it does not."""
    if len(written) < SHORTEST:
        return
    words, cost = min(
        (signs.words.split(read) for read in dict.fromkeys(signs.plain(written))), key=lambda pair: pair[1]
    )
    if cost > (COST_LONG if len(written) >= LONG else COST):
        return
    at = 0
    for word in words:
        yield places[at : at + len(word)], word
        at += len(word)
