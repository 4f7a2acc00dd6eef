"""Who learns and who judges: rows divided so that no text stands on both sides.

Knows rows and a seed. The same rows and seed are divided the same way everywhere.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from inference.training.classify.records import BadRows
from inference.training.classify.rows import Row

LEAST = 20  # rows to learn from; fewer say nothing


@dataclass(frozen=True, slots=True)
class Divided:
    """The rows by what they are for, and sentences about what was moved or left out."""

    train: tuple[Row, ...]
    validation: tuple[Row, ...]
    test: tuple[Row, ...]
    told: tuple[str, ...] = ()


def divide(
    rows: Sequence[Row],
    *,
    test: Sequence[Row] = (),
    share: float = 0.1,
    seed: int = 1,
    key: Callable[[str], str] = str,
) -> Divided:
    """Rows keep the split that they name. Without any row for validation, a share of the rest is taken out: as many
    of each label and slice. Texts are the same where `key` says the same. Raises BadRows where too few are left."""
    tested = (*test, *(row for row in rows if row.split == "test"))
    judged = [row for row in rows if row.split == "validation"]
    learned = [row for row in rows if row.split in ("", "train")]
    if not judged:
        learned, judged = _taken_out(learned, share, seed, key)
    held_out = {
        key(row.text) for row in tested
    }  # the best weights and the calibration are chosen on `judged`
    chosen = [row for row in judged if key(row.text) not in held_out]
    twice = len(judged) - len(chosen)
    judged = chosen
    learned, told = _apart(learned, judged, tested, key)
    if twice:
        told.append(f"{twice} rows for validation are also tested by, and were left out.")
    if len(learned) < LEAST or not judged:
        raise BadRows(
            f"There are {len(learned)} rows to learn from and {len(judged)} to judge by: at least {LEAST} and 1 are "
            "needed. Give more rows."
        )
    return Divided(tuple(learned), tuple(judged), tuple(tested), tuple(told))


def folds(rows: Sequence[Row], count: int = 3, *, seed: int = 1) -> list[list[int]]:
    """Places of rows in so many parts: whole slices, the largest first to the emptiest part, where there are enough of
    them; else texts, as many of each label."""
    slices: dict[Hashable, list[int]] = defaultdict(list)
    for at, row in enumerate(rows):
        slices[row.slice].append(at)
    if len(slices) < count:
        slices = defaultdict(list)
        for number, group in enumerate(_in_turn(rows, seed, str)):
            slices[number % count] += group
    parts: list[list[int]] = [[] for _ in range(count)]
    for group in sorted(slices.values(), key=len, reverse=True):
        min(parts, key=len).extend(group)
    return [sorted(part) for part in parts]


def _taken_out(
    rows: list[Row], share: float, seed: int, key: Callable[[str], str]
) -> tuple[list[Row], list[Row]]:
    every = max(2, round(1 / share))
    groups = _in_turn(rows, seed, key)[every - 1 :: every]
    chosen = {at for group in groups for at in group}
    return (
        [row for at, row in enumerate(rows) if at not in chosen],
        [row for at, row in enumerate(rows) if at in chosen],
    )


def _in_turn(rows: Sequence[Row], seed: int, key: Callable[[str], str]) -> list[list[int]]:
    """Places by text, in an order where equal labels and slices stand together: every n-th of it is a fair sample."""
    texts: dict[str, list[int]] = defaultdict(list)
    for at, row in enumerate(rows):
        texts[key(row.text)].append(at)
    groups = [*texts.values()]
    random.Random(seed).shuffle(groups)  # noqa: S311 (no secret: the same for everybody)
    return sorted(groups, key=lambda group: (rows[group[0]].slice, str(rows[group[0]].labels)))


def _apart(
    learned: Sequence[Row], judged: Sequence[Row], tested: Sequence[Row], key: Callable[[str], str]
) -> tuple[list[Row], list[str]]:
    """What is to be learned, without any text that is judged by."""
    held_out = {key(row.text) for row in (*judged, *tested)}
    kept = [row for row in learned if key(row.text) not in held_out]
    left = len(learned) - len(kept)
    return kept, [f"{left} rows to learn from are also judged by, and were left out."] if left else []
