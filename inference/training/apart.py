"""Whether a training line is near a test question: the overlap of their letter trigrams.

Knows texts only. The recipe drops every line that is near, so that the questions measure and nothing is rehearsed.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable

NEAR = 0.5  # Jaccard of trigrams from which two lines count as the same question

_OTHER = re.compile(r"[^\w/]+")


def trigrams(text: str) -> frozenset[str]:
    """The letter trigrams of a text, capitals and punctuation aside."""
    plain = f"  {_OTHER.sub(' ', text.lower()).strip()} "
    return frozenset(plain[i : i + 3] for i in range(len(plain) - 2))


class HeldOut:
    """Questions that training must stay away from."""

    def __init__(self, questions: Iterable[str]) -> None:
        self.questions = tuple(questions)
        self._sizes = []
        self._holding: dict[str, list[int]] = defaultdict(list)
        for number, question in enumerate(self.questions):
            grams = trigrams(question)
            self._sizes.append(len(grams))
            for gram in grams:
                self._holding[gram].append(number)

    def nearest(self, line: str) -> tuple[float, str]:
        """The highest overlap with any question, and that question."""
        grams = trigrams(line)
        shared = Counter(number for gram in grams for number in self._holding.get(gram, ()))
        best = max(
            (
                (count / (len(grams) + self._sizes[number] - count), number)
                for number, count in shared.items()
            ),
            default=None,
        )
        return (best[0], self.questions[best[1]]) if best else (0.0, "")

    def near(self, line: str) -> bool:
        return bool(self.questions) and self.nearest(line)[0] >= NEAR
