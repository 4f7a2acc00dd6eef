"""Words written so that a filter does not know them, undone in a whole text: h4t3, k i l l, $h1t, haaaate.

Knows which words of a text are looked at, and what everyday text looks like: prices, times, versions, model numbers,
addresses and code stay as they are. Reads small letters; Unicode was dealt with before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from moderation import spacing
from moderation.signs import REPEATED, Pieces, Signs
from moderation.vocabulary import vocabulary

# What makes a text worth a closer look. Each is searched in every text, so the quick ones come first.
ANY_SIGN = re.compile(r"[0-9@$!|+*€£¥¢]")
SIGNED = re.compile(r"[a-z][0-9@$!|+*€£¥¢]|[0-9@$!|€£¥¢][a-z]")
ANY_REPEATED = re.compile(r"(.)\1\1")

TOKEN = re.compile(r"\S+")
SIGNED_TOKEN = re.compile(r"(?<!\S)[^\s0-9@$!|+*€£¥¢]*+[0-9@$!|+*€£¥¢]\S*")
WORD = re.compile(r"[0-9a-z@$!|+€£¥¢*][0-9a-z@$!|+€£¥¢*(]*")
WORTH = re.compile(r"[0-9@$!|+*€£¥¢]|([a-z])\1\1")  # of a word: the others are what they are
AROUND_WORD = "\"'()[]<>*_~#.,;:?!"
# Addresses, paths, code, numbers with points in them, and what a program wrote in hexadecimal.
EXEMPT = re.compile(
    r"://|www\.|\+\+|@[\w-]+\.[a-z]|[\w)]\(|[\\_=<>{}`^%/&]|\d[.,:]\d|\A(?:0x)?(?=[a-f]*\d)[0-9a-f]{8,}\Z|"
    r"\A[0-9a-f]+(?:-[0-9a-f]+){2,}\Z"
)


def undisguised(text: str) -> Pieces | None:
    """What each character of `text` is read as; None where nothing is disguised."""
    signed = bool(ANY_SIGN.search(text) and SIGNED.search(text))
    repeated = bool(ANY_REPEATED.search(text) and REPEATED.search(text))
    spaced = bool(spacing.ANY.search(text))
    if not (signed or repeated or spaced):
        return None
    return _Reader(text, _signs()).read(spaced=spaced, repeated=repeated)


@lru_cache(maxsize=1)
def _signs() -> Signs:
    return Signs(vocabulary())


class _Reader:
    """One text. A word that can hardly be anything but a disguise is evidence; with it, the doubtful ones count."""

    def __init__(self, text: str, signs: Signs) -> None:
        self._text = text
        self._signs = signs
        self._pieces: Pieces = list(text)
        self._evidence = 0
        self._changed = False

    def read(self, *, spaced: bool, repeated: bool) -> Pieces | None:
        runs = spacing.runs(self._text, self._signs) if spaced else []
        for run in runs:
            self._join(run)
        tokens = self._tokens(runs, TOKEN if repeated else SIGNED_TOKEN)
        doubtful = [token for token in tokens if WORTH.search(token[0]) and not self._settled(token)]
        if self._evidence:
            bold = self._evidence > 1 or self._evidence * 3 > self._text.count(" ")
            for token in doubtful:
                for word in self._words(token):
                    self._put(word.start(), self._signs.likely(word[0], bold=bold))
        return self._pieces if self._changed else None

    def _tokens(self, runs: list[spacing.Run], kind: re.Pattern[str]) -> Iterator[re.Match[str]]:
        """What stands between spaces and in no run of spaced letters."""
        at = 0
        for run in runs:
            yield from kind.finditer(self._text, at, run.start)
            at = run.end
        yield from kind.finditer(self._text, at)

    def _settled(self, token: re.Match[str]) -> bool:
        """Whether nothing of it is doubtful; what is surely disguised is read."""
        if not (SIGNED.search(token[0]) or REPEATED.search(token[0])):
            return False
        doubtful = False
        for word in self._words(token):
            pieces = self._signs.surely(word[0])
            self._put(word.start(), pieces)
            if not word[0].isalpha():
                self._evidence += pieces is not None
                doubtful |= pieces is None
        return not doubtful

    def _words(self, token: re.Match[str]) -> Iterator[re.Match[str]]:
        if not EXEMPT.search(token[0].strip(AROUND_WORD)):
            for word in WORD.finditer(self._text, token.start(), token.end()):
                if WORTH.search(word[0]):
                    yield word

    def _put(self, start: int, pieces: Pieces | None) -> None:
        if pieces:
            self._pieces[start : start + len(pieces)] = pieces
            self._changed = True

    def _join(self, run: spacing.Run) -> None:
        for place in range(run.start, run.end):
            if place not in run.kept:
                self._pieces[place] = " " if place in run.spaces else ""
        for places, written in run.words:
            pieces = self._signs.likely(written, bold=True) or list(written)
            for place, piece in zip(places, [*pieces, *written[len(pieces) :]], strict=True):
                self._pieces[place] = piece
        self._evidence += len(run.words)
        self._changed = True
