"""What the tests of classifiers share: a tiny random encoder, and labelled texts that it can learn to tell apart."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from inference.training.classify import Recipe, Row
from tests.inference import checkpoints_encoder

FILLING = ("hello", "there", "person", "where", "ordered", "wrong", "work")
KINDS = ("invoice", "parcel")


def base(folder: Path) -> Path:
    return checkpoints_encoder.make("bert", folder, task="Model")


def text(word: str, chance: random.Random) -> str:
    """A sentence with this word in it, unlike all others."""
    words = chance.choices(FILLING, k=chance.randint(1, 4))
    words.insert(chance.randint(0, len(words)), word)
    return f"{' '.join(words)} {chance.randint(0, 999)}"


def single(count: int, *, seed: int = 1, slices: tuple[str, ...] = ("one", "two")) -> list[Row]:
    """One of two labels each."""
    chance = random.Random(seed)
    rows = [
        Row(text(kind, chance), kind, slice=chance.choice(slices))
        for kind in KINDS
        for _ in range(count // 2)
    ]
    chance.shuffle(rows)
    return rows


def several(count: int, *, seed: int = 1, unknown: float = 0.0) -> list[Row]:
    """Two labels that are each true or not, and unknown in a share of the rows."""
    chance, rows = random.Random(seed), []
    for _ in range(count):
        truth = {kind: float(chance.random() < 0.5) for kind in KINDS}
        said = " ".join(kind for kind, value in truth.items() if value) or "hello"
        known = {kind: None if chance.random() < unknown else value for kind, value in truth.items()}
        rows.append(Row(text(said, chance), known))
    return rows


def recipe(folder: Path, **changes: Any) -> Recipe:
    settings: dict[str, Any] = {
        "base": folder,
        "threads": 1,
        "max_tokens": 48,
        "batch": 16,
        "steps": 30,
        "rate": 2e-3,
        "head_rate": 1e-2,
        "evaluate_every": 10,
        "choices": (1.0, 10.0),
    }
    return Recipe(**{**settings, **changes})
