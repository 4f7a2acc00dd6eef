"""Chinese, judged by its characters: every one, two and three in a row, weighed. NumPy alone, no tokenizer.

Knows one file of weights and how a score is made of them. How they were found stands in `training.chinese`, what they
are worth in `chinese/README.md`. A text comes as the classifier's copy of it.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from moderation.errors import ModerationError

FILE = Path(__file__).parent / "chinese" / "weights.npz"
LONGEST = 3  # characters of a gram: 21 bits each fill a number of 64
_BITS = 21
_FORMAT = 1

# All that NumPy and its zip archive raise over a file that is none of ours.
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error)

Codes = NDArray[np.uint64]


class WeightsDamaged(ModerationError):
    """The file of weights cannot be read; the message says what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class Grams:
    """grams sorted, and of each its rarity (idf) and its weight; the probability is sigmoid(slope * sum + bias)."""

    grams: Codes
    rarity: NDArray[np.float32]
    weight: NDArray[np.float32]
    bias: float
    slope: float = 1.0

    def score(self, text: str) -> float:
        """How likely it is offensive, 0..1."""
        total = _total(self, text)
        return 1.0 / (1.0 + math.exp(-max(min(self.slope * total + self.bias, 50.0), -50.0)))

    def save(self, file: Path) -> None:
        """Small numbers, and the grams as steps from one to the next: a fifth of the plain size."""
        unit = float(np.abs(self.weight).max(initial=1e-12)) / 32767
        steps = np.diff(self.grams, prepend=np.uint64(0))
        np.savez_compressed(
            file,
            about=np.array([_FORMAT, self.bias, self.slope, unit]),
            steps=np.stack([(steps >> np.uint64(8 * at)).astype(np.uint8) for at in range(8)]),
            rarity=self.rarity.astype(np.float16),
            weight=np.round(self.weight / unit).astype(np.int16),
        )

    @classmethod
    def load(cls, file: Path = FILE) -> Self:
        """Raises WeightsDamaged."""
        try:
            with file.open("rb") as opened, np.load(opened, allow_pickle=False) as arrays:
                return cls._read({name: arrays[name] for name in arrays.files})
        except _UNREADABLE as error:
            raise WeightsDamaged(
                f"{file} cannot be read: {error}. It belongs to Frontdesk: install it again."
            ) from error

    @classmethod
    def _read(cls, arrays: dict[str, NDArray[Any]]) -> Self:
        form, bias, slope, unit = map(float, arrays["about"])
        if form != _FORMAT:
            raise ValueError(f"its format is {form:g}, and this Frontdesk reads {_FORMAT}")
        steps = sum(row.astype(np.uint64) << np.uint64(8 * at) for at, row in enumerate(arrays["steps"]))
        grams = np.cumsum(steps, dtype=np.uint64)
        rarity, weight = arrays["rarity"].astype(np.float32), arrays["weight"].astype(np.float32) * unit
        if not len(grams) == len(rarity) == len(weight) > 0:
            raise ValueError("its parts are of different lengths")
        if not (np.isfinite(rarity).all() and math.isfinite(bias) and math.isfinite(slope)):
            raise ValueError("it holds what is no number")
        return cls(grams, rarity, weight.astype(np.float32), bias, slope)


def codes(text: str) -> Codes:
    """Every gram of the text as a number, one for each place where it stands; white space is none of it."""
    letters = np.frombuffer("".join(text.split()).encode("utf-32-le", "replace"), "<u4").astype(np.uint64)
    made = [letters]
    for size in range(2, LONGEST + 1):
        longer = (made[-1][:-1] << np.uint64(_BITS)) | letters[size - 1 :]
        made.append(longer)
    return np.concatenate(made)


def characters(gram: int) -> str:
    """A gram as text."""
    found = ""
    while gram:
        found, gram = chr(gram & ((1 << _BITS) - 1)) + found, gram >> _BITS
    return found


def _total(of: Grams, text: str) -> float:
    """TF-IDF with a logarithm of how often, of length 1, times the weights."""
    present, often = np.unique(codes(text), return_counts=True)
    places = np.searchsorted(of.grams, present)
    places[places == len(of.grams)] = 0
    known = of.grams[places] == present
    if not known.any():
        return 0.0
    places = places[known]
    values = (1.0 + np.log(often[known])) * of.rarity[places]
    return float(values @ of.weight[places] / np.sqrt(values @ values))
