"""A table in a Telegram message, which knows none: aligned in fixed width when it is narrow, else row by row.

Knows the forms of a table. Leaves to the writer of blocks what stands in a cell, and which form there is room for.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from markdown_it.rules_block.table import escapedSplit
from markdown_it.token import Token

from bot.markup.telegram_page import Page

WIDEST = 60  # columns; phones break fixed width at about 40, most readers bear a little more

_NOTHING = Token("inline", "", 0, children=[])
_JOINED = "\u200d"
_TINTS = range(0x1F3FB, 0x1F400)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """`rows`: what stands in the cells, the head first, all of one length; `sides`: "left", "right" or "center"."""

    rows: Sequence[Sequence[Token]]
    sides: Sequence[str]


def table(tokens: Sequence[Token], lines: Sequence[str], read: Callable[[str], Token]) -> Table:
    """From the tokens of one table; cells beyond its last column, which have none, are kept: they are `read` here."""
    rows: list[list[Token]] = []
    sides: list[str] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
            first = token.map[0] if token.map else 0
        elif token.type == "tr_close" and len(rows) > 1:
            rows[-1].extend(read(cell) for cell in _beyond(lines[first], len(rows[0])))
        elif token.type == "th_open":
            sides.append(str(token.attrs.get("style", "")).removeprefix("text-align:") or "left")
        elif token.type == "inline":
            rows[-1].append(token)
    columns = max(len(row) for row in rows)
    filled = [[*row, *[_NOTHING] * (columns - len(row))] for row in rows]
    return Table(rows=filled, sides=[*sides, *["left"] * (columns - len(sides))])


def grid(content: Table, plain: Callable[[Token], str]) -> str | None:
    """The table in fixed width; None when it is too wide, or holds links, which cannot stand in it."""
    if any(
        child.type in ("link_open", "image")
        for row in content.rows
        for cell in row
        for child in cell.children or ()
    ):
        return None
    rows = [[plain(cell) for cell in row] for row in content.rows]
    widths = [max(width(cell) for cell in column) for column in zip(*rows, strict=True)]
    if sum(widths) + 3 * (len(widths) - 1) > WIDEST:
        return None
    head, *body = (
        " | ".join(
            _aligned(*cell) for cell in zip(row[: _filled(row)], widths, content.sides, strict=False)
        ).rstrip()
        for row in rows
    )
    return "\n".join([head, "-+-".join("-" * each for each in widths), *body])


def write_records(page: Page, content: Table, inline: Callable[[Token], None]) -> None:
    """Each row as lines of "head: value", its first line bold."""
    head, *body = content.rows
    if not body:
        write_rows(page, content, inline)
    for nth, row in enumerate(body):
        if nth:
            page.gap(2)
        for column, (name, value) in enumerate(zip(head, row, strict=True)):
            if not name.content and not value.content:
                continue
            page.gap(1)
            if column == 0:
                page.open("bold")
            _write_pair(page, name, value, inline)
            if column == 0:
                page.close()


def write_rows(page: Page, content: Table, inline: Callable[[Token], None]) -> None:
    """Each row as one line, the head bold: hardly longer than the source."""
    for nth, row in enumerate(content.rows):
        page.gap(1)
        if nth == 0:
            page.open("bold")
        for at, cell in enumerate(row[: _filled([cell.content for cell in row])]):
            page.write(" | " if at else "")
            inline(cell)
        if nth == 0:
            page.close()


def width(text: str) -> int:
    """How many columns a text takes in fixed width, as most fonts have it."""
    return len(text) if text.isascii() else sum(_widths(text))


def _widths(text: str) -> Iterator[int]:
    before = ""
    for sign in text:
        unseen = unicodedata.category(sign) in ("Mn", "Me", "Cf") or before == _JOINED or ord(sign) in _TINTS
        yield 0 if unseen else 2 if unicodedata.east_asian_width(sign) in "WF" else 1
        before = sign


def _filled(row: Sequence[str]) -> int:
    """How many cells there are up to the last that holds something."""
    return max((at + 1 for at, cell in enumerate(row) if cell), default=0)


def _aligned(text: str, columns: int, side: str) -> str:
    blank = columns - width(text)
    left = blank if side == "right" else blank // 2 if side == "center" else 0
    return " " * left + text + " " * (blank - left)


def _write_pair(page: Page, name: Token, value: Token, inline: Callable[[Token], None]) -> None:
    inline(name)
    if name.content:
        page.write(": " if value.content else ":")
    inline(value)


def _beyond(line: str, columns: int) -> list[str]:
    """The cells that a row has more than the head."""
    cells = escapedSplit(line.lstrip(" \t>").rstrip())
    if cells and not cells[0]:
        cells.pop(0)
    if cells and not cells[-1]:
        cells.pop()
    return [cell.strip() for cell in cells[columns:]]
