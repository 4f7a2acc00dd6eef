"""Bold and italic in a text without blanks: Chinese, Japanese, Korean.

CommonMark wants a blank or a sign beside stars that stand at a sign: `**注意：**这里` holds nothing bold. Models write
that all the time, and mean it. Knows only where such stars may open and close.
"""

from __future__ import annotations

import unicodedata

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.rules_inline.emphasis import tokenize


def read_wide_stars(parser: MarkdownIt) -> None:
    """Have a parser read them."""
    parser.inline.ruler.at("emphasis", _tokenize)


def _tokenize(state: StateInline, silent: bool) -> bool:
    """A run of stars beside a wide character may open, and close, as if there were a blank."""
    start, known = state.pos, len(state.delimiters)
    found = tokenize(state, silent)
    if not found or state.src[start] != "*":
        return found
    before, after = state.src[max(0, start - 1) : start], state.src[state.pos : state.pos + 1]
    opens = _wide(before) and bool(after) and not after.isspace()
    closes = _wide(after) and bool(before) and not before.isspace()
    for each in state.delimiters[known:]:
        each.open = each.open or opens
        each.close = each.close or closes
    return True


def _wide(character: str) -> bool:
    return bool(character) and unicodedata.east_asian_width(character) in "WF" and character.isalnum()
