"""Two copies of a text: the clean one that enters the house, and the scoring copy that rules read.

Knows Unicode. The clean copy is what is stored, shown and answered; the scoring copy is never shown.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

from moderation import appearance, disguise
from moderation.errors import TextRefused
from moderation.homoglyphs import HOMOGLYPHS

# Word processors and Windows end lines with these; a person means a new line by each of them.
LINE_ENDS = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # C0 and C1 but for tab and newline
SURROGATES = re.compile("[\ud800-\udfff]")

MARKS = 8  # combining marks joined to one character; no script uses more, and the cache stays small


@dataclass(frozen=True, slots=True)
class ScoringCopy:
    """A text as rules read it. `starts[i]` is where character i of the copy begins in the original and
    `starts[len(text)]` its length; None when each character stands where it stood."""

    text: str
    starts: tuple[int, ...] | None = None

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """The span of the original from which `text[start:end]` was made, whole characters."""
        if self.starts is None:
            return start, end
        while end < len(self.text) and self.starts[end] == self.starts[end - 1]:
            end += 1  # one original character became several: all of them or none
        return self.starts[start], self.starts[end]


def clean(text: str) -> str:
    """The text as it enters the house: NFC, lines ended by a newline, nothing but text.

    Raises TextRefused for other control characters and for unpaired surrogates. They are refused and not
    dropped in silence: whoever sent them hears of it and still has the text.
    """
    if SURROGATES.search(text):
        try:
            text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
        except UnicodeDecodeError:
            raise TextRefused("surrogate") from None
    text = LINE_ENDS.sub("\n", text)
    if CONTROLS.search(text):
        raise TextRefused("control")
    return unicodedata.normalize("NFC", text)


def scoring_copy(text: str) -> ScoringCopy:
    """The copy for rules: NFKC, case folded, without invisible characters, look-alikes as Latin letters."""
    if text.isascii() and not CONTROLS.search(text):
        return ScoringCopy(text.lower())
    clusters = _clusters(text)
    folded = [_fold(cluster) for cluster in clusters]
    starts: list[int] = []
    for at, copy in zip(accumulate(map(len, clusters), initial=0), folded, strict=False):
        starts.extend([at] * len(copy))
    return ScoringCopy("".join(folded), (*starts, len(text)))


def classifier_copy(text: str) -> ScoringCopy:
    """The copy for the classifier: what a reader sees, in plain small letters, and emoji in words.

    More than the rules' copy: letters in circles, squares and flags, letters of other scripts where they stand
    for Latin ones, h4t3, k i l l and haaaate; accents go, as the encoder's own tokenizer drops them. Everyday
    English comes out as it is, in small letters. Never show it, and never look for personal data in it.
    """
    if text.isascii() and not CONTROLS.search(text):
        folded, starts = text.lower(), None
    else:
        seen = _joined(appearance.latin(text), None)
        folded, starts = seen.text, seen.starts
    read = disguise.undisguised(folded)
    return ScoringCopy(folded, starts) if read is None else _joined(read, starts)


def _joined(pieces: Sequence[str], starts: Sequence[int] | None) -> ScoringCopy:
    """One copy of the pieces; `starts` says where each begins in the original, None where it stands."""
    text = "".join(pieces)
    if starts is None and len(text) == len(pieces) and "" not in pieces:
        return ScoringCopy(text)  # each piece is one character
    where = [at for at, piece in enumerate(pieces) for _ in piece]
    where.append(len(pieces))
    if starts:
        where = [starts[at] for at in where]
    return ScoringCopy(text, tuple(where))


def _clusters(text: str) -> list[str]:
    """Each character with the combining marks after it, since NFKC may join them."""
    clusters: list[str] = []
    for char in text:
        if clusters and char > "\u02ff" and unicodedata.combining(char) and len(clusters[-1]) <= MARKS:
            clusters[-1] += char
        else:
            clusters.append(char)
    return clusters


@lru_cache(maxsize=8192)  # the characters in use on a busy day, Chinese included; about 1 MB
def _fold(cluster: str) -> str:
    kept = "".join(char for char in cluster if not appearance.unseen(char))
    return unicodedata.normalize("NFKC", kept).casefold().translate(HOMOGLYPHS)
