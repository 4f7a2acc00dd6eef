"""Where a text that arrives bit by bit may be cut: after a sentence, after a line of code, between words.

Knows punctuation and Markdown's code fences. Leaves waiting and judging to the screen.
"""

from __future__ import annotations

import re
import unicodedata

# A line's end, a Chinese or Japanese stop, or a Western one that a space or the end of the text follows.
# Quotes, brackets and Markdown's marks may close after it; line ends that follow at once belong to it.
ENDS = re.compile(
    r"\n+|(?:[。！？]+[\"'”’」』）*_]*|(?P<mark>[.!?…]+)[\"'”’»)\]*_`]*(?=\s|\Z))(?:[^\S\n]*\n+)?"
)
FENCE = re.compile(r"[ >]*(`{3,}(?=[^`]*\Z)|~{3,})(.*)", re.DOTALL)
ABBREVIATIONS = frozenset(
    {"mr", "mrs", "ms", "dr", "prof", "st", "vs", "fig", "cf", "approx", "jr", "sr", "ca", "bzw"}
)
INITIALS = re.compile(r"(?:[a-z]\.)*[a-z]", re.IGNORECASE)  # "e.g", "U.S", the "J" of "J. Smith"
OPENING = "\"'“‘«([*_"
LINE_START = 64  # characters of a line that are remembered: a fence stands at its start


class Sentences:
    """Finds ends in the text not yet taken; is told what was taken, to know a code block from prose."""

    def __init__(self) -> None:
        self._line = ""  # how the line under way begins
        self._fence = ""  # the marks that opened the code block under way

    def end(self, text: str) -> int:
        """How many characters the first whole sentence of `text` takes; 0 while none is complete."""
        line, newline, _ = text.partition("\n")
        if self._fence or FENCE.match(self._line + line):
            return ENDS.match(text, len(line)).end() if newline else 0  # type: ignore[union-attr]
        for match in ENDS.finditer(text):
            if not match["mark"] or self._ends(text, match):
                return match.end()
        return 0

    def take(self, text: str) -> None:
        """Notes that `text` was taken from the front."""
        *whole, rest = text.split("\n")
        for line in whole:
            self._close_line(self._line + line)
            self._line = ""
        self._line = (self._line + rest)[:LINE_START]

    def _close_line(self, line: str) -> None:
        fence = FENCE.match(line)
        if not fence:
            return
        if not self._fence:
            self._fence = fence[1]
        elif fence[1].startswith(self._fence) and not fence[2].strip():
            self._fence = ""

    def _ends(self, text: str, match: re.Match[str]) -> bool:
        before = text[: match.start()]
        word = before[max(before.rfind(space) for space in " \n\t") + 1 :].lstrip(OPENING)
        last = match.end() == len(text)  # more may follow without a space: 3.14, example.org, /find?q=
        if last and any(mark in word for mark in "/@."):
            return False
        if match["mark"] != ".":
            return True
        if word[-1:].isdigit():
            starts_line = not (self._line + before[: -len(word)]).strip(" >")
            return not last and not (starts_line and word.isdigit())  # "1. First" is a list
        return word.lower() not in ABBREVIATIONS and not INITIALS.fullmatch(word)


def cut(text: str, *, limit: int) -> int:
    """Where to cut a text without a sentence end: at most `limit` characters, after a word if one ends in
    the second half, and never between a character and what is drawn on top of it or joined to it."""
    space = text.rfind(" ", limit // 2, limit)
    if space > 0:
        return space + 1
    for at in range(min(limit, len(text)), 0, -1):
        if at == len(text) or not _joined(text[at - 1], text[at]):
            return at
    return limit  # marks upon marks, no character begins within the limit


def _joined(left: str, right: str) -> bool:
    if left.isascii() and right.isascii():
        return False
    return (
        unicodedata.category(right) in ("Mn", "Mc", "Me")  # combining marks and variation selectors
        or "\u200d" in (left, right)  # zero width joiner
        or "\U0001f3fb" <= right <= "\U0001f3ff"  # skin tones
        or ("\U0001f1e6" <= left <= "\U0001f1ff" and "\U0001f1e6" <= right <= "\U0001f1ff")  # flags
        or "\U000e0020" <= right <= "\U000e007f"  # tags, in flags of regions
    )
