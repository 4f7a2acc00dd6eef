"""Random Markdown for Telegram, and what a reader must find of it, read without the code that is tested."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.rules_block.table import escapedSplit
from markdown_it.token import Token

from bot.markup.telegram import JOINER, Rendered

# Signs that stand in a message without standing in its source, but for numbers.
DECORATION = frozenset("•☐☑—|+-:") | {JOINER}

# -- texts whose words are all different: W in a paragraph, T in a table, C in code ----------------------------------

WORD = st.sampled_from(
    [
        *(
            "W",
            "W",
            "**W**",
            "*W W*",
            "~~W~~",
            "`W`",
            "**W `W` *W***",
            "[W](https://a.example/x)",
            "<W>",
            "W@W",
        ),
        *(
            "[`W`](https://b.example)",
            "![W](https://c.example/i.png)",
            "@W",
            "W\\*W",
            "👍🏽W",
            "é你好W。",
            "W👩‍👩‍👧",
            "&amp;W",
        ),
        *(
            "[W](mailto:ann@a.example)",
            "https://a.example/@W",
            "[W](javascript:x)",
            "W_W_W",
            "1.",
            "-",
            "#",
            "/W",
        ),
    ]
)
LINE = st.lists(WORD, min_size=1, max_size=9).map(" ".join)
PARAGRAPH = st.lists(LINE.map(lambda line: f"W {line}"), min_size=1, max_size=4).map("\n".join)
LONG = st.builds(lambda line, times: " ".join(["W", *[line] * times]), LINE, st.integers(1, 20))
HEADING = st.builds("{} W {}".format, st.sampled_from(["#", "##", "####"]), LINE)
TASKS = st.lists(st.sampled_from(["- [ ] W", "- [x] **W** W", "* [X] W"]), min_size=1, max_size=4).map(
    "\n".join
)
CODE = st.lists(
    st.sampled_from(["C = C", "    C", "\tC", "", "- C", "| C | C |", "# C", "@C", "**C**", "👍C 你好"])
)


@st.composite
def fences(draw: st.DrawFn) -> str:
    sign = draw(st.sampled_from(["```", "~~~", "`````"]))
    lines = draw(CODE) * draw(st.integers(1, 5))
    return "\n".join([sign + draw(st.sampled_from(["", "py", " js x=1", "c++"])), *lines, sign])


@st.composite
def tables(draw: st.DrawFn) -> str:
    columns = draw(st.integers(1, 5))
    cell = st.sampled_from(
        ["T", "", "T 你好", "**T** T", "`T`", "T " * 8, "[T](https://a.example)", "@T", "👍T"]
    )
    rows = draw(st.lists(st.lists(cell, min_size=1, max_size=columns + 1), max_size=12))
    head = ["T"] * columns
    sides = draw(st.lists(st.sampled_from(["---", ":-:", "--:"]), min_size=columns, max_size=columns))
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, sides, *rows])


def indented(block: str, first: str) -> str:
    return first + block.replace("\n", "\n" + " " * len(first))


@st.composite
def items(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    sign = draw(st.sampled_from(["- ", "* ", "1. ", "10. ", "3) "]))
    contents = draw(
        st.lists(st.lists(inner, min_size=1, max_size=2).map("\n\n".join), min_size=1, max_size=4)
    )
    return draw(st.sampled_from(["\n", "\n\n"])).join(indented(each, sign) for each in contents)


def quoted(block: str) -> str:
    return "> " + block.replace("\n", "\n> ")


LEAF = st.one_of(PARAGRAPH, PARAGRAPH, fences(), tables(), LONG, TASKS)
BLOCK = st.recursive(
    LEAF,
    lambda inner: items(inner) | st.lists(inner, min_size=1, max_size=2).map("\n\n".join).map(quoted),
    max_leaves=6,
)


@st.composite
def documents(draw: st.DrawFn) -> str:
    text = "\n\n".join(
        draw(st.lists(st.one_of(BLOCK, BLOCK, HEADING, st.just("---")), min_size=1, max_size=6))
    )
    numbers = iter(range(len(text)))
    return re.sub("[WTC]", lambda kind: f"{kind[0]}{next(numbers)}x", text)


DOCUMENT = documents()

# -- texts that open, close and reinterpret anything anywhere ----------------------------------------------------------

SOUP = st.lists(
    st.sampled_from(
        [
            *(
                "a",
                "b c",
                " ",
                "  ",
                "    ",
                "\n",
                "\n\n",
                "\r\n",
                "\r",
                "\t",
                "- ",
                "* ",
                "+ ",
                "1. ",
                "2) ",
                "> ",
            ),
            *("#", "# ", "---", "===", "```", "```py\n", "~~~", "~~~~", "`", "``", "**", "*", "_", "~~", "|"),
            *(
                "| a | b |\n",
                "|---|:-:|\n",
                "|-",
                "[x]: /u\n",
                "<b>",
                "<!--",
                "-->",
                "\\",
                "&amp;",
                "@bo",
                "\u2028",
            ),
            *(
                "\x00",
                "你好。",
                "[x](https://a.example/y)",
                "![",
                "](",
                ")",
                "https://a.example/@bo*",
                "- [ ] ",
                "[x] ",
            ),
            *(
                "👍🏽",
                "👩‍👩‍👧",
                "e\u0301",
                "🇩🇪",
                "a@b.example",
                "<https://a.example>",
                "word " * 20,
                "x" * 90,
            ),
            *(
                "字" * 40,
                "😀" * 60,
                "```" * 9,
                "- " * 4,
                "> " * 3,
                "\u2060",
                "\u200b",
                "&#64;bo",
                "&nbsp;",
                "***\n",
                "@",
            ),
        ]
    ),
    max_size=40,
).map("".join)
TEXT = DOCUMENT | SOUP


# -- a reader ----------------------------------------------------------------------------------------------------------


class _Reader(MarkdownIt):
    def validateLink(self, url: str) -> bool:  # noqa: N802
        return re.match(r"https?://[^/?#]|mailto:|tg:(?!/*user)", url) is not None

    def normalizeLinkText(self, link: str) -> str:  # noqa: N802
        return link


READER = _Reader("commonmark", {"html": False, "linkify": True, "maxNesting": 100})
READER.enable(["table", "strikethrough"]).inline.ruler.enable("linkify")
READER.disable(["reference", "html_block", "html_inline"])


def bare(text: str) -> str:
    """The characters that are no blanks and no decoration."""
    return "".join(sign for sign in text if not sign.isspace() and sign not in DECORATION)


def words_of(markdown: str) -> str:
    """What a reader of the whole must find, without numbers of items: by the tokens of the text."""
    source = markdown.replace("\r\n", "\n").replace("\r", "\n")
    tokens = READER.parse(source)
    said: list[str] = []
    at = 0
    while at < len(tokens):
        token = tokens[at]
        if token.type == "table_open":
            end = next(n for n in range(at, len(tokens)) if tokens[n].type == "table_close")
            said.append(_words_of_table(tokens[at:end], source.split("\n")))
            at = end
        elif token.type == "inline":
            boxed = tokens[at - 2].type == "list_item_open" and re.match(r"\[[ xX]\] (?=\S)", token.content)
            said.append(_inline(token.children or ())[boxed.end() if boxed else 0 :])
        elif token.type in ("fence", "code_block"):
            said.append(token.content)
        elif token.type == "list_item_open":
            said.append("\0")
        at += 1
    return "".join(said)


def _inline(children: Sequence[Token]) -> str:
    said = ""
    link, label = "", 0
    for child in children:
        if child.type == "link_open":
            link, label = str(child.attrs["href"]), len(said)
        elif child.type == "link_close":
            mailbox = link.removeprefix("mailto:")
            if said[label:] in ("", "mailto:"):
                said += mailbox
            elif link != mailbox and said[label:].removeprefix("mailto:") != mailbox:
                said += f"({mailbox})"
        elif child.type == "image":
            said += _inline(child.children or ()) or str(child.attrs["src"])
        else:
            said += " " if child.type in ("softbreak", "hardbreak") else child.content
    return said


def _words_of_table(tokens: Sequence[Token], lines: Sequence[str]) -> str:
    rows: list[list[Sequence[Token]]] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
            assert token.map
            line = lines[token.map[0]]
        elif token.type == "inline":
            rows[-1].append(token.children or [])
        elif token.type == "tr_close" and len(rows) > 1:
            cells = escapedSplit(re.sub(r"^\||(?<!\\)\|$", "", line.strip(" \t>")))[len(rows[0]) :]
            rows[-1] += [READER.parseInline(cell.strip())[0].children or [] for cell in cells]
    linked = any(child.type in ("link_open", "image") for row in rows for cell in row for child in cell)
    columns = max(len(row) for row in rows)
    filled = [[*map(_inline, row), *[""] * (columns - len(row))] for row in rows]
    width = sum(max(_width(cell) for cell in column) for column in zip(*filled, strict=True)) + 3 * (
        columns - 1
    )
    if (not linked and width <= 60) or len(rows) == 1:
        return "".join("".join(row) for row in filled)
    return "".join(name + value for row in filled[1:] for name, value in zip(filled[0], row, strict=True))


def _width(text: str) -> int:
    total = 0
    for before, sign in zip(["", *text], text, strict=False):
        if (
            unicodedata.category(sign) not in ("Mn", "Me", "Cf")
            and before != "\u200d"
            and sign not in "🏻🏼🏽🏾🏿"
        ):
            total += 2 if unicodedata.east_asian_width(sign) in "WF" else 1
    return total


def shown(rendered: Rendered, entity: dict[str, object]) -> str:
    """What an entity covers; fails within a pair."""
    raw = rendered.text.encode("utf-16-le")
    start = int(str(entity["offset"])) * 2
    return raw[start : start + int(str(entity["length"])) * 2].decode("utf-16-le")


def outside_code(rendered: Rendered) -> str:
    """The text, what is code replaced by an x."""
    raw = rendered.text.encode("utf-16-le")
    for entity in reversed([each for each in rendered.entities if each["type"] in ("code", "pre")]):
        start, end = entity["offset"] * 2, (entity["offset"] + entity["length"]) * 2
        raw = raw[:start] + "x".encode("utf-16-le") + raw[end:]
    return raw.decode("utf-16-le")


def distinct(text: str) -> list[str]:
    """The different words of a document, or of its rendering, in order."""
    return list(dict.fromkeys(re.findall(r"[WTC]\d+x", text)))
