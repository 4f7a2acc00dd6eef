"""The words people write, how common each is, and a run of letters cut into words.

Knows one list of English words. Leaves to others what is done about a word that is none.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

SPOKEN = 4_000  # the rank of words that books rarely print and chats often do: below it, everyone's words
ENDINGS = ("s", "ed", "er", "ers", "ing", "in", "est", "y", "ly", "es", "d", "z")
LAST = frozenset(ending[-1] for ending in ENDINGS)
UNKNOWN = 9.0  # what a letter outside any word costs, in the scale of a word's -log(frequency)
PER_WORD = 2.0  # fewer and longer words win
LONGEST = 16  # letters of a word looked for in a run


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """`ranks`: 0 for the most frequent word. `disguised`: words that people disguise more often than others, the
    first the most."""

    ranks: dict[str, int]
    disguised: dict[str, None]
    costs: dict[str, float]  # of a word in a run of letters: -log(frequency)

    def rank(self, word: str) -> int | None:
        """How common; an ending may be added to a word (a rank as for twice the number then). None: no word."""
        found = self.ranks.get(word)
        if found is not None or word[-1:] not in LAST:
            return found
        for ending in ENDINGS:
            stem = self.ranks.get(word.removesuffix(ending)) if word.endswith(ending) else None
            if stem is not None and len(word) - len(ending) >= 4:
                return 2 * stem + 1_000
        return None

    def split(self, letters: str) -> tuple[list[str], float]:
        """The likeliest words that `letters` are when written without spaces, and what they cost a letter."""
        best, starts = [0.0], [0]
        for end in range(1, len(letters) + 1):
            least, at = UNKNOWN * end + PER_WORD, 0
            for start in range(max(0, end - LONGEST), end):
                cost = self.costs.get(letters[start:end], UNKNOWN * (end - start) + PER_WORD) + best[start]
                if cost < least:
                    least, at = cost, start
            best.append(least)
            starts.append(at)
        words: list[str] = []
        end = len(letters)
        while end:
            words.append(letters[starts[end] : end])
            end = starts[end]
        return words[::-1], best[-1] / max(1, len(letters))

    def likeness(self, letters: str) -> float:
        """How much a word that is none looks like one: by the letters that follow each other."""
        follow = _follow()
        return sum(math.log(follow.get(f" {letters} "[at : at + 3], 0) + 1) for at in range(len(letters)))


@lru_cache(maxsize=1)
def _follow() -> dict[str, int]:
    """How often three letters follow each other in common words; a space is a word's edge."""
    words = islice(vocabulary().ranks, SPOKEN)
    return Counter(f" {word} "[at : at + 3] for word in words for at in range(len(word)))


@lru_cache(maxsize=1)
def vocabulary() -> Vocabulary:
    """Read when the first text needs it: most need none."""
    read = json.loads(Path(__file__).with_name("words.json").read_text(encoding="utf-8"))
    frequent, spoken, disguised = (
        " ".join(read[name]).split() for name in ("frequent", "spoken", "disguised")
    )
    ranks = {word: rank for rank, word in enumerate(frequent)}
    for word in spoken + disguised:
        ranks[word] = min(ranks.get(word, SPOKEN), SPOKEN)
    costs = {word: math.log(rank + 10) + PER_WORD for word, rank in ranks.items()}
    return Vocabulary(ranks=ranks, disguised=dict.fromkeys(disguised), costs=costs)
