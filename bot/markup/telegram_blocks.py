"""Markdown's blocks, written on a Telegram page.

Knows how headings, lists and quotes look where only styles, links, code and quotes exist. Leaves what stands in a line
to `telegram_inline`, tables to `telegram_tables`, and to `telegram` what must fit and whom a text would call.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.token import Token

from bot.markup import telegram_tables
from bot.markup.stars import read_wide_stars
from bot.markup.telegram_inline import flat, may_be_linked, write_inline
from bot.markup.telegram_page import Page

DEEPEST = (
    40  # markdown-it leaves out what is nested deeper, and takes so much longer over a thousand brackets
)

_TASK = re.compile(r"\[([ xX])\] (?=\S)")
_LANGUAGE = re.compile(r"[\w+#.-]{1,40}")
_BESIDE_MARKER = frozenset({"paragraph_open", "heading_open", "bullet_list_open", "ordered_list_open", "hr"})


class _Markdown(MarkdownIt):
    def validateLink(self, url: str) -> bool:  # noqa: N802  # markdown-it's own name
        return may_be_linked(url)

    def normalizeLinkText(self, link: str) -> str:  # noqa: N802
        return link  # an address is shown as it was written


def _parser() -> MarkdownIt:
    options = {"html": False, "linkify": True, "maxNesting": DEEPEST}
    parser = _Markdown("commonmark", options).enable(["table", "strikethrough"])
    parser.inline.ruler.enable("linkify")  # whole addresses alone: README.md is none
    read_wide_stars(parser)
    # The same blocks as in `outline`: definitions of links and raw HTML are words.
    return parser.disable(["reference", "html_block", "html_inline"])


_PARSER = _parser()


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How much room there is: how many tables, the first ones, may be laid out; whether anything else may."""

    tables: int
    roomy: bool = True


class Document:
    """A text of Markdown, read once, written in whatever form fits."""

    def __init__(self, markdown: str) -> None:
        self._lines = markdown.split("\n")
        self._tokens = _PARSER.parse(markdown)
        self.tables = sum(token.type == "table_open" for token in self._tokens)
        self.too_deep = any(token.level >= DEEPEST - 1 for token in self._tokens)

    def write(self, form: Form) -> Page:
        return _Writer(self._tokens, self._lines, form).write()


class _Writer:
    def __init__(self, tokens: Sequence[Token], lines: Sequence[str], form: Form) -> None:
        self._tokens = tokens
        self._lines = lines
        self._form = form
        self._page = Page()
        self._tables = 0
        self._numbers: list[int | None] = []  # of the next item of each list that is open
        self._indents: list[str] = []  # around each item and quote that is open
        self._opened = -1  # the line on which a quote has been opened
        self._task = False

    def write(self) -> Page:
        at = 0
        while at < len(self._tokens):
            token = self._tokens[at]
            if token.type == "table_open":
                end = next(n for n in range(at, len(self._tokens)) if self._tokens[n].type == "table_close")
                self._before(token)
                self._table(self._tokens[at:end])
                at = end
            elif token.type == "list_item_open":
                self._item(token, self._tokens[at + 1 : at + 3])
            else:
                self._block(token)
            at += 1
        return self._page

    def _block(self, token: Token) -> None:
        match token.type:
            case "paragraph_open":
                self._before(token)
            case "heading_open":
                self._heading(token)
            case "inline":
                self._inline(token)
            case "bullet_list_open" | "ordered_list_open":
                self._list(token)
            case "blockquote_open":
                self._quote(token)
            case "fence" | "code_block":
                self._code(token)
            case "hr":
                self._before(token)
                self._page.write("—" * (12 if self._form.roomy else 3))
            case _:
                self._end(token)

    def _end(self, token: Token) -> None:
        match token.type:
            case "heading_close":
                self._page.close()
            case "bullet_list_close" | "ordered_list_close":
                self._numbers.pop()
            case "list_item_close":
                self._page.indent = self._indents.pop()
                self._page.end_item()
            case "blockquote_close":
                self._page.close()
                self._page.indent = self._indents.pop()

    def _before(self, token: Token) -> None:
        """The lines between blocks are those of the source."""
        first = token.map[0] if token.map else 0
        if self._page.beside_marker:
            if token.type not in _BESIDE_MARKER:
                self._page.gap(1)
        elif first != self._opened:
            blank = first > 0 and not self._lines[first - 1].strip(" \t>")
            self._page.gap(2 if blank else 1)

    def _heading(self, token: Token) -> None:
        self._before(token)
        if not self._page.beside_marker:
            self._page.gap(2)
        self._page.open("bold")

    def _list(self, token: Token) -> None:
        self._before(token)
        ordered = token.type == "ordered_list_open"
        self._numbers.append(int(token.attrs.get("start", 1)) if ordered else None)

    def _item(self, token: Token, begins: Sequence[Token]) -> None:
        """A bullet or a number, and a box when the words begin with one."""
        if not self._page.beside_marker:
            self._before(token)
        task = _TASK.match(begins[-1].content) if begins[-1].type == "inline" else None
        self._task = task is not None
        box = ("☐" if task[1] == " " else "☑") if task else ""
        number = self._numbers[-1]
        if number is None:
            self._page.marker(box or "•")
        else:
            said = str(number) if self._form.roomy else token.info
            self._page.marker(f"{said}{token.markup}{' ' if box else ''}{box}")
            self._numbers[-1] = number + 1
        self._indents.append(self._page.indent)
        self._page.indent += " " if not self._form.roomy else "  " if number is None else "   "

    def _quote(self, token: Token) -> None:
        self._before(token)
        self._indents.append(self._page.indent)
        if not self._page.is_open("blockquote"):  # quotes within quotes are one
            self._page.indent = ""
        self._page.open("blockquote")
        self._opened = token.map[0] if token.map else -1

    def _code(self, token: Token) -> None:
        self._before(token)
        language = _LANGUAGE.match(token.info.strip()) if token.info else None
        content = token.content.removesuffix("\n")
        if self._form.roomy:
            content = content.expandtabs(4)  # Telegram makes one blank of a tab
        self._fixed(content, language[0] if language else "")

    def _table(self, tokens: Sequence[Token]) -> None:
        content = telegram_tables.table(tokens, self._lines, _read)
        self._tables += 1
        if self._tables > self._form.tables:
            telegram_tables.write_rows(self._page, content, self._inline)
        elif grid := telegram_tables.grid(content, _plain):
            self._fixed(grid)
        else:
            telegram_tables.write_records(self._page, content, self._inline)

    def _fixed(self, text: str, language: str = "") -> None:
        """From the edge: what Telegram puts around it shows where it belongs."""
        indent, self._page.indent = self._page.indent, ""
        self._page.code(text, kind="pre", language=language)
        self._page.indent = indent

    def _inline(self, inline: Token) -> None:
        write_inline(self._page, inline.children or [], skip=len("[ ] ") if self._task else 0)
        self._task = False


def _read(words: str) -> Token:
    return _PARSER.parseInline(words)[0]


def _plain(cell: Token) -> str:
    return flat(cell.children or ())
