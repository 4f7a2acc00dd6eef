"""Whether an answer gives away what the house told the model: a long run of the system prompt's words.

Knows words. Which system prompt belongs to an answer, and what follows, is the moderator's business.

An answer may know what its prompt says (opening hours, prices) and say it in the same words: that is what it is there
for. So a run counts sooner where it speaks to the model ("you are", "never say"), and much later where it does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from moderation.normalise import scoring_copy

RUN = 12  # words in one run that speaks to the model; "a friendly assistant that answers briefly" has six
PLAIN_RUN = 24  # words in one run of mere facts
GRAM = 4  # words that must stand together in both; three in a row are everybody's
GAP = 2  # words between two parts of one run that the model changed: "you are" became "I am"
PROMPTS = 64  # remembered with their grams: a house's personas

# A character of Chinese, Japanese or Korean counts as a word of its own, though half a word of English.
WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
MARK = re.compile(
    r"^[ \t>*#+-]*(?:\d{1,3}[.)][ \t]+)?", re.MULTILINE
)  # a list's or heading's, not the text's
TO_MODEL = re.compile(
    r"\b(?:you|your|never|always|must|do not|don.?t|assistant|chatbot|respond|answer|reply|refuse|instructions?|"
    r"system prompt|the user|users)\b|你|您|不要|不得|必须|务必|回答|回复|助手|用户|指令",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    start: int
    end: int

    @property
    def weight(self) -> float:
        return 0.5 if WIDE.match(self.text) else 1.0


def leaked(text: str, system: str) -> tuple[int, int] | None:
    """The first span of `text` that repeats a long run of `system`; None when nothing does.

    `text` is what was said so far and what comes next, as a check reads them: an answer that gives the prompt away in
    small sentences is found once they are a run together.
    """
    grams = _grams(system)
    if not grams:
        return None
    copy = scoring_copy(text)
    words = _words(copy.text)
    for first, last in _runs([word.text for word in words], grams):
        run = words[first:last]
        start, end = run[0].start, run[-1].end
        needed = RUN if TO_MODEL.search(copy.text, start, end) else PLAIN_RUN
        if sum(word.weight for word in run) >= needed:
            return copy.origin(start, end)
    return None


@lru_cache(PROMPTS)
def _grams(system: str) -> frozenset[tuple[str, ...]]:
    words = _words(scoring_copy(system).text)
    if sum(word.weight for word in words) < RUN:
        return frozenset()
    texts = [word.text for word in words]
    return frozenset(tuple(texts[at : at + GRAM]) for at in range(len(texts) - GRAM + 1))


def _words(text: str) -> list[_Word]:
    marks = {at for mark in MARK.finditer(text) for at in range(*mark.span())}
    return [_Word(hit[0], *hit.span()) for hit in WORD.finditer(text) if hit.start() not in marks]


def _runs(words: Sequence[str], grams: frozenset[tuple[str, ...]]) -> Iterator[tuple[int, int]]:
    """First word and the one after the last of each run: shared grams with at most GAP other words between them."""
    first = last = -1
    for at in range(len(words) - GRAM + 1):
        if tuple(words[at : at + GRAM]) not in grams:
            continue
        if first >= 0 and at - last > GAP:
            yield first, last
            first = at
        first = at if first < 0 else first
        last = at + GRAM
    if first >= 0:
        yield first, last
