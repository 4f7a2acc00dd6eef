"""The recipe of the shipped model: which rows, learned from how, and the folder that comes of it.

Knows one set of numbers and why they are so. How anything is trained stands in `inference.training.classify`.
"""

from __future__ import annotations

from inference.training.classify import Recipe
from moderation.normalise import classifier_copy
from moderation.training.noise import noisy


def readable(text: str) -> str:
    """As the served classifier reads it."""
    return classifier_copy(text).text


RECIPE = Recipe(
    method="lp-ft",
    prepare=readable,
    augment=noisy,
    max_tokens=96,  # a quarter of the rows is longer, and says it in the beginning too
    rate=3e-5,
    head_rate=1e-4,
    frozen=1,  # the embeddings: words that the rows lack keep their place beside those that they have
    epochs=1.0,
    patience=0,
    slice_temperature=0.7,  # small sources are the ones that say something new
)
