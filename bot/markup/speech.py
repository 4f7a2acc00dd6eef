"""An answer as it is read aloud: whole sentences of plain words, each once.

Knows where a sentence ends in a growing text. Leaves to the browser when and how it is spoken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token

# A full stop counts once something blank follows it ("3.14" is no end); Chinese ends and line ends count at once.
_END = re.compile(r"""[.!?…]["'”’)\]*_`~]*(?=\s)|[。！？]["'”’）】」*_`~]*|\n""")

_PARSER = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


def spoken_until(text: str) -> int:
    """The length of `text` that consists of whole sentences; it never shrinks when text is added."""
    return max((match.end() for match in _END.finditer(text)), default=0)


def spoken(before: str, after: str, *, ended: bool = False) -> str:
    """The sentences that `after` completes and `before` did not, without Markdown's signs."""
    start = spoken_until(before)
    end = len(after) if ended else spoken_until(after)
    return " ".join(" ".join(_words(_PARSER.parse(after[start:end]))).split())


def _words(tokens: Sequence[Token]) -> Iterator[str]:
    for token in tokens:
        if token.type == "inline":
            yield "".join(_inline(token.children or ()))
        elif token.type in ("fence", "code_block"):
            yield token.content


def _inline(tokens: Sequence[Token]) -> Iterator[str]:
    for token in tokens:
        if token.type in ("softbreak", "hardbreak"):
            yield " "
        elif token.type in ("text", "code_inline", "image"):
            yield token.content
