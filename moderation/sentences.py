"""Where a text that arrives bit by bit may be cut: after a sentence, a line of code or a table's row, between words.

Knows punctuation, Markdown's code fences and tables. Leaves waiting and judging to the screen, and what must stay in
one piece (numbers, addresses, keys) to `tails`.
"""

from __future__ import annotations

import re

from moderation.tails import joined, settled, unbroken

# A line's end, a Chinese or Japanese stop, or a Western one that a space or the end of the text follows.
# Quotes, brackets and Markdown's marks may close after it; line ends that follow at once belong to it.
ENDS = re.compile(
    r"\n+|(?:[。！？]+[\"'”’」』）*_]*|(?P<mark>[.!?…]+)[\"'”’»)\]*_`]*(?=\s|\Z))(?:[^\S\n]*\n+)?"
)
FENCE = re.compile(r"[ >]*(`{3,}(?=[^`]*\Z)|~{3,})(.*)", re.DOTALL)
ROW = re.compile(r"[ >]*\|")  # a table's row begins like this; those without the first bar are read as prose
BORDER = re.compile(r"(?<!\\)\|")
# A name after one of these may be the beginning of an address: "write to jane." may go on with "doe@example.org".
ADDRESS = re.compile(
    r"mail|contact|write to|address|reach|website|visit|link|@|邮|箱|网址|联系", re.IGNORECASE
)
ANNOUNCED = 80  # characters: where such a word stands before its address
ABBREVIATIONS = frozenset(
    {"mr", "mrs", "ms", "dr", "prof", "st", "vs", "fig", "cf", "approx", "jr", "sr", "ca", "bzw"}
)
INITIALS = re.compile(r"(?:[a-z]\.)*[a-z]", re.IGNORECASE)  # "e.g", "U.S", the "J" of "J. Smith"
OPENING = "\"'“‘«([*_"
UNBROKEN = 2_048  # characters of a word without a break that are held: a JSON web token has some hundreds
LINE_START = 64  # characters of a line that are remembered: a fence stands at its start


class Sentences:
    """Finds ends in the text not yet taken; is told what was taken, to know a code block from prose."""

    def __init__(self) -> None:
        self._line = ""  # how the line under way begins
        self._fence = ""  # the marks that opened the code block under way
        self._said = ""  # what was taken last: an address may be announced there

    def end(self, text: str) -> int:
        """How many characters the first whole sentence of `text` takes; 0 while none is complete."""
        line, newline, _ = text.partition("\n")
        if self._fence or FENCE.match(self._line + line) or ROW.match(self._line + line):
            return ENDS.match(text, len(line)).end() if newline else 0  # type: ignore[union-attr]
        for match in ENDS.finditer(text):
            if not match["mark"] or self._ends(text, match):
                return match.end()
        return 0

    def in_row(self, text: str) -> bool:
        """Whether `text` begins in a table's row: nobody wants to read half of one."""
        return not self._fence and bool(ROW.match(self._line + text[:LINE_START]))

    def cells(self, text: str, *, limit: int) -> int:
        """How much of a row that begins in `text` is whole cells, `limit` characters at most."""
        return max((border.end() for border in BORDER.finditer(text, 1, limit)), default=0)

    def cut(self, text: str, *, limit: int, ended: bool = False) -> int:
        """Where to cut a text without a sentence end, at about `limit` characters; 0 to wait for more of it."""
        return (self.in_row(text) and self.cells(text, limit=limit)) or cut(text, limit=limit, ended=ended)

    def take(self, text: str) -> None:
        """Notes that `text` was taken from the front."""
        self._said = (self._said + text)[-ANNOUNCED:]
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
        if last and word.isascii() and ADDRESS.search(self._said + before):
            return False
        if word[-1:].isdigit():
            starts_line = not (self._line + before[: -len(word)]).strip(" >")
            return not last and not (starts_line and word.isdigit())  # "1. First" is a list
        return word.lower() not in ABBREVIATIONS and not INITIALS.fullmatch(word)


def cut(text: str, *, limit: int, ended: bool = False) -> int:
    """Where to cut a text without a sentence end: at most `limit` characters, after a word if one ends in the second
    half; before a number that may go on; and never between a character and what is drawn on top of it.

    A word longer than that is one piece: a key cut in two is no key. 0 while it may still go on.
    """
    space = text.rfind(" ", limit // 2, limit)
    at = space + 1 if space > 0 else _drawn(text, limit)
    if at == len(text) and ended:
        return at
    before = settled(text[:at])
    if before:
        return before
    end = unbroken(text, at)
    if end == len(text) < UNBROKEN and not ended:
        return 0
    return min(end or at, UNBROKEN)


def _drawn(text: str, limit: int) -> int:
    """The last place up to `limit` that is between two characters as they are drawn."""
    for at in range(min(limit, len(text)), 0, -1):
        if at == len(text) or not joined(text[at - 1], text[at]):
            return at
    return limit  # marks upon marks, no character begins within the limit
