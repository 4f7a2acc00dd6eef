"""Where the blocks of a Markdown text stand, line by line, and what re-opens them in another message.

Knows CommonMark's containers, fences and tables. Leaves where a text is cut, and every limit, to `splitting`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.token import Token

JOINER = "\u2060"  # WORD JOINER: nothing to the eye, no blank, no sign of Markdown

# Raw HTML and definitions of links are words to chat platforms. Blocks alone: a tenth of the work.
_PARSER = (
    MarkdownIt("commonmark", {"html": False, "maxNesting": 100})
    .enable("table")
    .disable(["reference", "html_block", "inline", "text_join"])
)

_LINE_END = re.compile(r"\r\n|\r|\n")
_QUOTE = re.compile(r" *> ?")
_ITEM = re.compile(r" *(?:[-+*]|\d{1,9}[.)])( *)")
# What begins a block when a line begins with it, but is words in the middle of one.
_BEGINS = re.compile(
    r"\s{4}|\t|\s*(?:[-+*](?:\s|$)|\d{1,9}[.)](?:\s|$)|>|#{1,6}(?:\s|$)|\||~~~|```|([-*_=])(?:[ \t]*\1)*\s*$)"
)
_LEAVES = frozenset({"paragraph_open", "heading_open", "table_open", "fence", "code_block", "hr"})
_CONTAINERS = frozenset({"blockquote_open", "list_item_open"})

# Ranks of the lines before which a text may be cut, the best last.
LINE, NESTED, ITEM, BLOCK = 1, 2, 3, 4


@dataclass(frozen=True, slots=True)
class _Container:
    """A quote or an item of a list: what opens it, and what its further lines begin with."""

    line: int
    quote: bool
    opens: str

    @property
    def goes_on(self) -> str:
        return "> " if self.quote else " " * len(self.opens)


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A block that holds words: lines `first` to `last` (left out), within `around`."""

    kind: str
    first: int
    last: int
    around: tuple[_Container, ...]
    sign: str = ""
    closed: bool = True


class Outline:
    """The blocks of one text. `starts`: where its lines begin; `ranks`: how well a part begins with each (0: badly);
    `tables`: which of them begin a table."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.starts = [0, *(match.end() for match in _LINE_END.finditer(source))]
        if len(self.starts) > 1 and self.starts[-1] == len(source):
            self.starts.pop()
        self.ranks = [0] * len(self.starts)
        self.tables = [False] * len(self.starts)
        self._around: list[list[_Container]] = [[] for _ in self.starts]
        self._leaf: list[_Leaf | None] = [None] * len(self.starts)
        self._last: _Leaf | None = None
        for token, first, last in self._blocks():
            self._note(token, first, last)
        self._glue_headings()

    def blank_before(self, line: int) -> bool:
        return line == 0 or not self._text(line - 1).strip()

    def wide(self, line: int) -> bool:
        """Whether a line looks like the first of something that is better not cut."""
        return self._text(line).lstrip(" ").startswith(("|", "```", "~~~"))

    def line_of(self, offset: int) -> int:
        return max(0, bisect_right(self.starts, offset) - 1)

    def openings(self, offset: int) -> Sequence[str]:
        """What re-opens at the beginning of a part what is open at an offset: in full first, then the plainer."""
        if not 0 < offset < len(self.source):
            return ("",)
        line = self.line_of(offset)
        inside = offset > self.starts[line]
        around = [c for c in self._around[line] if inside or c.line < line]
        leaf = self._leaf[line]
        if leaf is None or (leaf.first == line and not inside):
            signs = _reopened(around, inside=False)
            blank = leaf is None and signs  # an item ends at a blank line unless it has begun
            return (f"{signs[:-1]} {JOINER}\n" if blank else signs, "")
        if leaf.kind == "fence" and not (inside and leaf.closed and line == leaf.last - 1):
            rest = _goes_on(leaf.around) if inside else ""
            head = self._within(leaf.first, leaf.around)
            bare = head[: len(head) - len(head.lstrip())] + leaf.sign
            return (*(f"{_opens(leaf.around)}{each}\n{rest}" for each in (head, bare)), "")
        if leaf.kind == "table_open" and line >= leaf.first + 2:
            header, delimiter = (self._within(leaf.first + nth, leaf.around) for nth in (0, 1))
            rest = _goes_on(leaf.around) if inside else ""
            return (f"{_opens(leaf.around)}{header}\n{_goes_on(leaf.around)}{delimiter}\n{rest}", "")
        return (self._words(leaf, around, offset, inside=inside), "")

    def closing(self) -> str:
        """What closes a fence that is open at the end of the text."""
        leaf = self._last
        if leaf is None or leaf.closed or leaf.last < len(self.starts):
            return ""
        line_end = "" if self.source.endswith(("\n", "\r")) else "\n"
        return line_end + _goes_on(leaf.around) + leaf.sign

    def _blocks(self) -> Iterator[tuple[Token, int, int]]:
        in_table = False
        for token in _PARSER.parse(self.source + "\n"):
            if token.type in ("table_open", "table_close"):
                in_table = token.type == "table_open"
            elif in_table:
                continue
            if token.map and token.type != "inline" and token.map[0] < len(self.starts):
                yield token, token.map[0], min(token.map[1], len(self.starts))

    def _note(self, token: Token, first: int, last: int) -> None:
        self.ranks[first] = max(self.ranks[first], NESTED, BLOCK - token.level)
        if token.type in _CONTAINERS:
            container = self._container(token, first)
            for line in range(first, last):
                self._around[line].append(container)
        elif token.type in _LEAVES:
            self._note_leaf(token, first, last)

    def _note_leaf(self, token: Token, first: int, last: int) -> None:
        closed = token.type != "fence" or self._closed(token)
        leaf = _Leaf(token.type, first, last, tuple(self._around[first]), token.markup, closed)
        self._last = leaf
        self._leaf[first:last] = [leaf] * (last - first)
        unfit: set[int] = set()
        if token.type == "fence":
            unfit = {first + 1, last - 1} if closed else {first + 1}
        elif token.type == "table_open":
            unfit = {first + 1, first + 2}
        for line in range(first + 1, last):
            if line not in unfit and (token.type == "fence" or self._text(line).strip()):
                self.ranks[line] = LINE
        self.tables[first] = token.type == "table_open"

    def _closed(self, fence: Token) -> bool:
        lines = fence.map[1] - fence.map[0] if fence.map else 0
        return fence.content.count("\n") == lines - 2

    def _glue_headings(self) -> None:
        """What a heading stands over belongs to it."""
        heading = False
        for line, leaf in enumerate(self._leaf):
            if leaf is None or leaf.first != line:
                continue
            if heading and self.ranks[line] == BLOCK:
                self.ranks[line] = LINE
            heading = leaf.kind == "heading_open" and not leaf.around

    def _container(self, token: Token, line: int) -> _Container:
        rest = self._within(line, self._around[line])
        if token.type == "blockquote_open":
            sign = _QUOTE.match(rest)
            return _Container(line, True, sign[0].rstrip(" ") + " " if sign else "> ")
        sign = _ITEM.match(rest)
        if sign is None:
            return _Container(line, False, "- ")
        too_far = len(sign[1]) > 4 or sign.end() == len(
            rest
        )  # code that is indented within the item, or nothing
        return _Container(line, False, sign[0].rstrip(" ") + " " if too_far else sign[0])

    def _text(self, line: int) -> str:
        end = self.starts[line + 1] if line + 1 < len(self.starts) else len(self.source)
        return self.source[self.starts[line] : end].rstrip("\r\n")

    def _within(self, line: int, around: Sequence[_Container]) -> str:
        """A line without what its containers put before it."""
        text = self._text(line).expandtabs(4)
        for container in around:
            if container.quote:
                sign = _QUOTE.match(text)
                text = text[sign.end() :] if sign else text
            else:
                width = len(container.opens)
                blank = len(text) - len(text.lstrip(" "))
                text = text[width if container.line == line else min(width, blank) :]
        return text

    def _words(self, leaf: _Leaf, around: Sequence[_Container], offset: int, *, inside: bool) -> str:
        if inside and leaf.kind == "code_block":
            return _opens(around) + "    "
        line = self.line_of(offset)
        end = self.starts[line] + len(self._text(line))
        misread = _BEGINS.match(self.source, offset, end) or (inside and self.source[offset].isspace())
        joiner = JOINER if misread and leaf.kind != "code_block" and (inside or not around) else ""
        return _reopened(around, inside=inside) + joiner


def _opens(around: Sequence[_Container]) -> str:
    """The beginning of a line that opens containers; items that are indented little need no sign of their own."""
    said = ""
    group: list[_Container] = []
    for container in (*around, None):
        if container is not None and not container.quote:
            group.append(container)
            continue
        signs = "".join(item.opens for item in group)
        said += signs if len(signs) > 3 else " " * len(signs)
        said += container.opens if container else ""
        group = []
    return said


def _goes_on(around: Sequence[_Container]) -> str:
    return "".join(container.goes_on for container in around)


def _reopened(around: Sequence[_Container], *, inside: bool) -> str:
    """What re-opens containers: before a whole line, a line of its own, where that line would be misread without."""
    signs = _opens(around)
    if inside:
        return signs
    return signs.rstrip(" ") + "\n" if any(sign not in " >" for sign in signs) else ""
