"""A long text judged in parts: how it is cut, and how what the parts score becomes one answer.

Knows numbers and characters. Which text is judged by whom stands in `classifier`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from inference.heads import Floats

SENTENCE = re.compile(r"[^.!?;\n。]*[.!?;\n。]*")
CHARACTERS = 40  # of a sentence of Chinese; half the comments that its scorer learnt from are no longer


def characters(text: str, *, size: int = CHARACTERS) -> Iterator[str]:
    """Sentences, and of a long one parts of `size` characters of which each is half new: what somebody is called is
    not made harmless by what stands around it. Of nothing one part, and that empty."""
    sentences = [sentence for sentence in SENTENCE.findall(text) if any(map(str.isalnum, sentence))]
    for sentence in sentences or [text[:size]]:
        for start in range(0, max(len(sentence) - size // 2, 1), size // 2):
            yield sentence[start : start + size]


def highest(parts: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Of each category the highest score of any part: harm is not diluted by what stands around it."""
    found: dict[str, float] = {}
    for part in parts:
        for name, score in part.items():
            found[name] = max(score, found.get(name, 0.0))
    return found


def direction(vectors: Sequence[Floats]) -> tuple[float, ...] | None:
    """The mean of the vectors, of length 1; None where they cancel out."""
    total: NDArray[np.float64] = np.stack(list(vectors)).sum(axis=0, dtype=np.float64)
    length = math.sqrt(float(total @ total))
    return tuple(map(float, total / length)) if length > 1e-9 else None
