"""A tiny encoder of random weights in a folder as the bundled model's: heads of known words, in a second."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from inference.heads import Head, Heads, Layer
from moderation.categories import LABELS
from tests.inference import checkpoints_encoder as checkpoints
from tests.inference.converted import converted


def make(folder: Path) -> Path:
    """`folder`/model, made from `folder`/source."""
    made = converted(checkpoints.make("bert", folder / "source", task="Model"), folder / "model")
    heads = Heads.load(made)
    draw = np.random.default_rng(3)
    layer = Layer(
        draw.standard_normal((len(LABELS), heads.width)).astype(np.float32),
        np.zeros(len(LABELS), np.float32),
    )
    told = {
        "moderation": Head("mean", (layer,), "sigmoid", LABELS),
        "embedding": Head("mean", (), "raw", (), normalised=True),
    }
    replace(heads, heads=told).save(made)
    return made


def tokens(folder: Path) -> dict[str, int]:
    """The tokenizer's vocabulary."""
    read = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    found: dict[str, int] = read["model"]["vocab"]
    return found
