"""The copy of a text that detectors read: other forms of ASCII characters as ASCII, invisible ones gone.

Knows Unicode. Unlike the scoring copy it keeps case and every letter that is no form of an ASCII one.
"""

from __future__ import annotations

import re
import unicodedata

from moderation.normalise import ScoringCopy

HYPHENS = "\u2010\u2011\u2012\u2013\u2212\ufe58\ufe63"
# Drawn as nothing, though not of category Cf: the grapheme joiner, fillers, variation selectors. A keycap's frame too.
UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u20e3\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


class _Table(dict[int, str]):
    """Each character's copy: itself, one ASCII character or nothing. Filled as texts come, some thousand at most."""

    def __missing__(self, code: int) -> str:
        copy = _copy(chr(code))
        if len(self) < 8192:
            self[code] = copy
        return copy


TABLE = _Table()


def reading(text: str) -> ScoringCopy:
    """The copy, with the way back to the spans of `text`."""
    if text.isascii():
        return ScoringCopy(text)
    copy = text.translate(TABLE)
    if len(copy) == len(text):
        return ScoringCopy(copy)
    starts = [at for at, char in enumerate(text) if TABLE[ord(char)]]
    return ScoringCopy(copy, (*starts, len(text)))


def _copy(char: str) -> str:
    if unicodedata.category(char) == "Cf" or UNSEEN.match(char):
        return ""
    if char in HYPHENS:
        return "-"
    if char.isspace():
        return char if char.isascii() else " "
    digit = unicodedata.decimal(char, None)
    if digit is not None:
        return str(digit)
    folded = unicodedata.normalize("NFKC", char)
    return folded if len(folded) == 1 and folded.isascii() else char
