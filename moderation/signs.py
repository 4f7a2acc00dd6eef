"""One word with signs where letters were: h4t3, $h1t, f*ck, haaaate.

Knows what stands for what, and finds the word that was meant in the vocabulary. Leaves it to `disguise` which words
of a text are looked at, and to `spacing` where a word ends.
"""

from __future__ import annotations

import re
from itertools import product
from math import prod

from moderation.vocabulary import Vocabulary

STANDS_FOR = {
    "0": "o", "1": "il", "2": "z", "3": "e", "4": "a", "5": "s", "6": "gb", "7": "tl", "8": "b", "9": "g",
    "@": "a", "$": "s", "!": "il", "|": "li", "+": "t", "€": "e", "£": "le", "¥": "y", "¢": "c", "(": "c",
}  # fmt: skip
SHORT = {
    "h8": "hate", "h8s": "hates", "h8d": "hated", "h8r": "hater", "h8rs": "haters", "gr8": "great", "l8r": "later",
    "w8": "wait", "str8": "straight", "2day": "today", "2nite": "tonight", "2morrow": "tomorrow", "4ever": "forever",
}  # fmt: skip
READINGS = 32  # of one word, when several of its signs may be two letters each
REMEMBERED = 4096  # readings; people disguise the same words again and again
LONGEST = 24  # letters of a word that is read by its letters alone

SIGN = r"[0-9@$!|+€£¥¢(]"
INSIDE = re.compile(rf"[a-z]{SIGN}+[a-z]")
AROUND = re.compile(rf"{SIGN}+[a-z]+{SIGN}+")
REPEATED = re.compile(r"([a-z])\1\1+")
MASKED = re.compile(r"[a-z]+[a-z*]*\*[a-z*]*")
SIGNS = "0123456789@$!|+€£¥¢("
UNIT = re.compile(
    r"\d+(?:st|nd|rd|th|s|k|m|b|bn|am|pm|a|p|d|g|mg|kg|cm|mm|km|mi|ft|in|lbs?|oz|x|h|hrs?|mins?|secs?|gb|mb|kb|tb|"
    r"ghz|mhz|hz|px|pt|w|v|c|f|l|ml|yrs?|yo|fps|kwh|mph|usd|eur|way|day|bit|star|pack)"
)

Pieces = list[str]  # what each character becomes: itself, another letter, several, or nothing


class Signs:
    """Reads single words."""

    def __init__(self, words: Vocabulary) -> None:
        self.words = words
        self._read: dict[str, Pieces | None] = {}

    def surely(self, word: str) -> Pieces | None:
        """How a word is read that can hardly be anything but a disguise."""
        if word.isalpha():
            return self.shorter(word)
        if word in SHORT:
            return [SHORT[word], *[""] * (len(word) - 1)]
        if "*" in word:
            return self._unmasked(word)
        word = word.rstrip("!")
        best = None if word.isalpha() or UNIT.fullmatch(word) else self._best(word)
        return best if best and self._sure(word, "".join(best)) else None

    def likely(self, word: str, *, bold: bool) -> Pieces | None:
        """How a word is read in a text that is disguised elsewhere; `bold`: where most of it is."""
        bare = word.rstrip("!")
        for tried in dict.fromkeys((bare, word)):
            if tried.isalpha() and (tried in self.words.ranks or tried == word):
                return self.shorter(tried)
            best = self._best(tried)
            if best and self._plausible(tried, "".join(best), bold=bold):
                return best
        if not bold or not INSIDE.search(bare) or len(bare) > LONGEST:
            return None
        first, last = self.plain(bare)
        return list(first if self.words.likeness(first) >= self.words.likeness(last) else last)

    def readable(self, word: str) -> bool:
        """Whether it is a word, as it stands or by its signs."""
        bare = word.rstrip("!")
        return any(
            self.words.rank(tried) is not None or self._best(tried) for tried in dict.fromkeys((word, bare))
        )

    def plain(self, word: str) -> tuple[str, str]:
        """The word with each sign's first letter, and with its last."""
        return (
            "".join(STANDS_FOR.get(char, char)[0] for char in word),
            "".join(STANDS_FOR.get(char, char)[-1] for char in word),
        )

    def shorter(self, word: str) -> Pieces | None:
        """Without letters repeated beyond two: as often as a word has them, else twice."""
        places = [match.span() for match in REPEATED.finditer(word)][:4]
        if not places or word in self.words.ranks or places[0] == (0, len(word)) == (0, 3):
            return None
        found: list[tuple[int, Pieces]] = []
        for kept in product((2, 1), repeat=len(places)):
            pieces = list(word)
            for (start, end), count in zip(places, kept, strict=True):
                pieces[start + count : end] = [""] * (end - start - count)
            rank = self.words.rank("".join(pieces))
            found.append((10**9 if rank is None else rank, pieces))
        return min(found, key=lambda pair: pair[0])[1]

    def _best(self, word: str) -> Pieces | None:
        """The most common word that `word` may stand for."""
        if word not in self._read:
            if len(self._read) >= REMEMBERED:
                self._read.clear()
            self._read[word] = self._find(word)
        return self._read[word]

    def _find(self, word: str) -> Pieces | None:
        options = [STANDS_FOR.get(char, char) for char in word]
        if prod(map(len, options)) > READINGS or not any(map(str.isalpha, options)):
            return None
        readings = list(map("".join, product(*options)))
        exact = [(self.words.ranks[read], read) for read in readings if read in self.words.ranks]
        if exact:
            return list(min(exact)[1])
        found: list[tuple[int, Pieces]] = []
        for reading in readings:
            for pieces in (list(reading), self.shorter(reading)):
                rank = self.words.rank("".join(pieces)) if pieces else None
                if pieces and rank is not None:
                    found.append((rank, pieces))
        return min(found)[1] if found else None

    def _sure(self, word: str, read: str) -> bool:
        short = len(read) < 4
        bare = word.strip(SIGNS)
        if not bare:
            return False  # a price, a number
        if INSIDE.search(word):
            return not short or (self.words.rank(read) or 0) < 3_000
        if AROUND.fullmatch(word) and not short and read in self.words.ranks:
            return True
        if read in self.words.disguised:
            return bool(re.search("[@$€]", word)) or (not short and len(bare) > 1)
        if read not in self.words.ranks or len(read) < 3:
            return False
        if word[0] in "@$€£" or (word[0].isdigit() and not short):
            return bare not in self.words.ranks
        return bool(re.search("[@$€]", word))

    def _plausible(self, word: str, read: str, *, bold: bool) -> bool:
        rank = self.words.rank(read)
        if rank is None:
            return False
        if not any(char.isalpha() for char in word):
            return (
                bold
                and word[0] not in "£€"
                and (rank < 500 or read in self.words.disguised)
                and len(word) < 6
            )
        return not UNIT.fullmatch(word) or (bold and rank < 2_500)

    def _unmasked(self, word: str) -> Pieces | None:
        """f*ck and s**t: the first of the words people disguise that is written like this."""
        word = word.strip("!")
        bare = word.rstrip("*")
        if not MASKED.fullmatch(word) or len(word) < 3 or (len(bare) > 2 and bare in self.words.ranks):
            return None  # a star after a whole word leads to a note below
        found = next((each for each in self.words.disguised if _fits(word, each)), None)
        return list(found) if found else None


def _fits(masked: str, word: str) -> bool:
    return len(masked) == len(word) and all(a in (b, "*") for a, b in zip(masked, word, strict=True))
