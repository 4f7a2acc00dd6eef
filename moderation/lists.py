"""Lists of phrases: what is refused wherever it stands, and what needs no judgement when it is all that is said.

Knows words and their borders, in scripts with spaces and without. Leaves where the lists come from to the policy.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from moderation.normalise import scoring_copy
from moderation.rules import Rule

if TYPE_CHECKING:
    from moderation.policy.terms import Lists

# A character of a word in a script that puts spaces between words: not Thai, Lao, Burmese, Khmer, Chinese, Japanese,
# nor Korean, which hangs particles on its words.
SPACED = (
    "[^\\W_\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u2e80-\u9fff"
    "\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff]"
)
WORD = re.compile(SPACED)
SAID = re.compile(r"\w+")


class AllowList:
    """Texts that need no judgement: nothing but one of these phrases, whatever its case and punctuation."""

    def __init__(self, phrases: Iterable[str]) -> None:
        self._said = frozenset(map(_said, phrases))

    def has(self, text: str) -> bool:
        return bool(self._said) and _said(text) in self._said


def _said(text: str) -> tuple[str, ...] | str:
    """The words of a text; a text without any (an emoji) as it is."""
    copy = scoring_copy(text).text
    return tuple(SAID.findall(copy)) or copy.strip()


def denied(lists: Lists) -> Iterator[Rule]:
    """The deny list as a rule; none when it is empty."""
    if lists.deny:
        yield Rule(
            name="deny",
            pattern=_pattern(lists.deny),
            directions=("input", "output"),
            action="block",
            category="list",
            reason="holds a phrase of the deny list",
            notice=lists.notice.words() if lists.notice else {},
        )


@lru_cache(maxsize=1024)  # places often share a list; a tenth of a second for 2,000 phrases
def _pattern(phrases: tuple[str, ...]) -> re.Pattern[str]:
    """Any of the phrases. The border of a word costs much to compile and so stands few times; and it stands behind the
    first character, so that `re` can skip to the next one that begins a phrase at all."""
    copies = sorted({" ".join(scoring_copy(phrase).text.split()) for phrase in phrases})
    words = [copy for copy in copies if WORD.match(copy[-1])]
    others = [copy for copy in copies if not WORD.match(copy[-1])]
    ways = ([f"{_begun(words)}(?!{SPACED})"] if words else []) + ([_begun(others)] if others else [])
    firsts = "".join(re.escape(first) for first in sorted({copy[0] for copy in copies}))
    return re.compile(f"[{firsts}]{_any(ways)}", re.DOTALL)


def _begun(phrases: list[str]) -> str:
    """The phrases without their first characters, which stand right before."""
    rests = {
        first: f"(?<={re.escape(first)}){_tree([copy[1:] for copy in copies])}"
        for first, copies in groupby(phrases, key=itemgetter(0))
    }
    words = [rest for first, rest in rests.items() if WORD.match(first)]
    others = [rest for first, rest in rests.items() if not WORD.match(first)]
    return _any(([f"(?<!{SPACED}.){_any(words)}"] if words else []) + others)


def _tree(rests: list[str]) -> str:
    """The rests as a tree of characters: `re` tries alternatives one after another, and a thousand phrases in a row
    would be a thousand tries. One that ends where others go on is tried last."""
    ways = [
        (r"\s+" if first == " " else re.escape(first)) + _tree([rest[1:] for rest in group])
        for first, group in groupby(filter(None, rests), key=itemgetter(0))
    ]
    return _any([*ways, ""] if "" in rests else ways)


def _any(ways: list[str]) -> str:
    return ways[0] if len(ways) == 1 else f"(?:{'|'.join(ways)})"
