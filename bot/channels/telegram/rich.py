"""Which answers are worth a rich message: those with a table or a formula, which plain text with entities cannot show.

Knows how to recognise them, and what must not go there. Leaves sending to `posting`.
"""

from __future__ import annotations

import re

LONGEST = 32_000  # characters; Telegram takes 32,768 of a rich message

# Bounded, so that no answer takes long to look through.
_TABLE = re.compile(r"^ {0,3}\|?[^\n|]*\|[^\n]*\n {0,3}\|? {0,9}:?-{2,}:? {0,9}\|[-:| \t]*$", re.MULTILINE)
_FORMULA = re.compile(r"\$\$.{1,500}?\$\$|\\\[.{1,500}?\\\]|\\\(.{1,500}?\\\)", re.DOTALL)
# Would have Telegram fetch what an answer names: whoever wrote the address would learn of it. Or would call somebody,
# by tg://user?id=1, in whatever disguise.
_UNSAFE = re.compile(r"!\[|<[A-Za-z/!]|tg:|&(?:#|colon)", re.IGNORECASE)


def suits(markdown: str) -> bool:
    """Whether a whole answer reads better as a rich message, and may be one."""
    if len(markdown) > LONGEST or _UNSAFE.search(markdown):
        return False
    return bool(_TABLE.search(markdown) or _FORMULA.search(markdown))
