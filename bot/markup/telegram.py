"""The model's Markdown as Telegram takes it: plain text and entities, in messages that fit and call nobody.

Knows Telegram's limits and its mentions. Leaves to `telegram_blocks` how Markdown looks there, to `splitting` where a
text is cut, to `telegram_typed` what people write, sending to the channel.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bot.markup import splitting
from bot.markup.outline import JOINER
from bot.markup.splitting import Part
from bot.markup.telegram_blocks import Document, Form
from bot.markup.telegram_page import Span
from bot.markup.telegram_typed import from_telegram
from bot.markup.utf16 import Ruler, units

__all__ = [
    "JOINER",
    "LIMIT",
    "SOURCE",
    "Part",
    "Rendered",
    "cut",
    "from_telegram",
    "neutral",
    "part",
    "parts",
    "reach",
    "render",
    "units",
]

LIMIT = 4_096  # UTF-16 units of the text that a reader sees; more is refused
SOURCE = 3_700  # of the Markdown in one message: what is left over goes to tables that are laid out
MOST_ENTITIES = 100  # further ones are left out by Telegram, in the order of the text

# What Telegram takes for a mention; after a letter or a digit it is an address, or nothing.
_MENTION = re.compile(r"(?<!\w)@(?=[A-Za-z0-9_])")
_HEAVY = re.compile("[@\U00010000-\U0010ffff]")
_FENCE = re.compile(r"(`{3,}|~{3,})[^\n]*")
_LINE_END = re.compile(r"\r\n?")
# What is whole to the eye once it is closed, and what begins it.
_WHOLE = re.compile(r"`[^`\n]+`|\*\*[^*\n]+\*\*|!?\[[^\]\n]*\](?:\([^)\s]*\)|(?=[^(]))")
_HALF = re.compile(r"`|\*\*|!?\[")
_LONGEST_HALF = 200
_RANKS = {"pre": 0, "code": 0, "text_link": 0, "blockquote": 1, "bold": 2, "strikethrough": 3, "italic": 4}
_OUTER_FIRST = ("blockquote", "text_link", "bold", "strikethrough", "italic", "code", "pre")
_DETAILS = {"pre": "language", "text_link": "url"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """One message. `entities` as the Bot API has them, in UTF-16 units, sorted."""

    text: str
    entities: tuple[dict[str, Any], ...] = ()


def render(markdown: str, limit: int = LIMIT) -> Rendered:
    """One message in the fullest form that has at most `limit` units, in the end the Markdown as it is written; the
    shortest form when none fits."""
    source = _LINE_END.sub("\n", markdown).replace("\0", "\ufffd")
    plain = Rendered(text=neutral(source.strip("\n")))
    document = Document(source)
    if document.too_deep:
        return plain
    tried = []
    for rendered in _forms(document, limit):
        if not rendered.text.strip():
            return plain
        if units(rendered.text) <= limit:
            return rendered
        tried.append(rendered)
    return min(plain, *tried, key=lambda each: units(each.text))


def parts(markdown: str, limit: int = SOURCE, *, start: int = 0) -> list[Part]:
    """A whole text (from `start` on) as parts each of which renders to one message. Blank ones are left out."""
    found = splitting.split(markdown, limit=limit, heavy=_heavy, start=start)
    return [replace(part, closing="") for part in found]


def part(markdown: str, start: int, end: int, limit: int = SOURCE) -> Part:
    """What one message carries of the text, for `render`. Nothing closes it: what is open ends with the message."""
    found = splitting.part(markdown, start, end)
    openings = (found.opening, _FENCE.sub(r"\1", found.opening, count=1), "")
    opening = next(each for each in openings if _count(each) <= limit // 2)
    return replace(found, opening=opening, closing="")


def cut(
    markdown: str, done: int, limit: int = SOURCE, *, after: int | None = None, ended: bool = False
) -> int | None:
    """Where the message that begins at `done` must end, or None while it may go on.

    Once it says an offset it says the same of every longer text. `after`: the message should end soon, any border of
    blocks from this offset on will do. `ended`: nothing follows, what fits may stay in one message.
    """
    return splitting.cut(markdown, done, limit=limit, heavy=_heavy, after=after, ended=ended)


def reach(markdown: str, done: int, limit: int = SOURCE) -> int:
    """How far a growing text may be shown in the message that begins at `done`: never beyond a later `cut`, and not
    half a link, half a word in code or bold. When the text has ended, all of it up to `cut` may be shown."""
    begin = max(done, markdown.rfind("\n") + 1, len(markdown) - 5 * _LONGEST_HALF)
    line = _WHOLE.sub(lambda whole: " " * len(whole[0]), markdown[begin:])
    half = _HALF.search(line, max(0, len(line) - _LONGEST_HALF))
    until = begin + half.start() if half else len(markdown)
    return splitting.reach(markdown, done, limit=limit, heavy=_heavy, until=until)


def neutral(text: str) -> str:
    """The same to the eye, but it calls nobody: a JOINER breaks each mention."""
    return _MENTION.sub(f"@{JOINER}", text)


def _heavy(text: str) -> list[int]:
    """What counts two: pairs of UTF-16, and signs that may get a joiner."""
    return [match.start() for match in _HEAVY.finditer(text)]


def _count(text: str) -> int:
    return len(text) + len(_heavy(text))


def _forms(document: Document, limit: int) -> Iterator[Rendered]:
    """The fullest first, then with as many tables laid out as fit, then the plainest."""
    yield _rendered(document, Form(tables=document.tables))
    fitting, too_many = 0, document.tables
    while too_many - fitting > 1:
        tables = (fitting + too_many) // 2
        if units(_rendered(document, Form(tables=tables)).text) <= limit:
            fitting = tables
        else:
            too_many = tables
    if document.tables:
        yield _rendered(document, Form(tables=fitting))
    yield _rendered(document, Form(tables=0, roomy=False))


def _rendered(document: Document, form: Form) -> Rendered:
    page = document.write(form)
    written = page.text
    seen = [span for span in page.spans if written[span.start : span.end].strip()]
    kept = sorted(seen, key=lambda span: (_RANKS[span.kind], span.start))[:MOST_ENTITIES]
    text, spans = _quiet(written, kept)
    spans.sort(key=lambda span: (span.start, -span.end, _OUTER_FIRST.index(span.kind)))
    ruler = Ruler(text)
    return Rendered(text=text, entities=tuple(_entity(span, ruler) for span in spans))


def _quiet(text: str, spans: Sequence[Span]) -> tuple[str, list[Span]]:
    """Mentions outside of code made words, and the spans where they are now."""
    code = sorted((span.start, span.end) for span in spans if span.kind in ("code", "pre"))
    joints = []
    for mention in _MENTION.finditer(text):
        nth = bisect_right(code, (mention.end(), 0)) - 1
        if nth < 0 or code[nth][1] <= mention.start():
            joints.append(mention.end())
    moved = [
        replace(
            span,
            start=span.start + bisect_right(joints, span.start),
            end=span.end + bisect_left(joints, span.end),
        )
        for span in spans
    ]
    borders = zip([0, *joints], [*joints, len(text)], strict=True)
    return JOINER.join(text[start:end] for start, end in borders), moved


def _entity(span: Span, ruler: Ruler) -> dict[str, Any]:
    start, end = ruler.to_units(span.start), ruler.to_units(span.end)
    entity: dict[str, Any] = {"type": span.kind, "offset": start, "length": end - start}
    if span.detail:
        entity[_DETAILS[span.kind]] = span.detail
    return entity
