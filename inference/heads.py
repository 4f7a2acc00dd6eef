"""What stands on an encoder: named heads of a few layers each, applied in NumPy, and the file that keeps them.

Knows arrays and one file, head.npz: numbers, and JSON as bytes for the rest, so that nothing is ever unpickled. Knows
no encoder and no text. Whoever trains heads of their own writes the same file with `Heads.save`.
"""

from __future__ import annotations

import json
import math
import re
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from inference.library import ModelIncomplete

FILE = "head.npz"
_FORMAT = 1
_ABOUT = "about"  # the array that holds the JSON
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")

Floats = NDArray[np.float32]
# "first" and "cls" are two words for the first token's state.
Pooling = Literal["cls", "first", "mean", "max"]
Outcome = Literal["softmax", "sigmoid", "raw"]
Activation = Literal["", "tanh", "relu", "gelu"]

# All that NumPy, its zip archive and its JSON raise over a file that is none of ours.
_UNREADABLE = (
    *(OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, RecursionError),
    *(zipfile.BadZipFile, zlib.error),
)


class HeadDamaged(ModelIncomplete):
    """head.npz is not what `Heads.save` writes; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """weight (out, in), bias (out)."""

    weight: Floats
    bias: Floats
    activation: Activation = ""

    def apply(self, values: Floats) -> Floats:
        return _ACTIVATIONS[self.activation](values @ self.weight.T + self.bias)


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """From an encoder's states to scores: pooled, through the layers, normalised to length 1 where that is wanted, and
    read as one choice (softmax), as many (sigmoid) or as they are (raw)."""

    pooling: Pooling
    layers: tuple[Layer, ...] = ()
    outcome: Outcome = "raw"
    labels: tuple[str, ...] = ()
    normalised: bool = False

    def apply(self, states: Floats, lengths: Sequence[int]) -> Floats:
        """(rows, tokens, width) -> (rows, scores). What lies behind a row's length is never looked at."""
        values = _POOLINGS[self.pooling](states, np.asarray(lengths))
        for layer in self.layers:
            values = layer.apply(values)
        if self.normalised:
            values = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
        return OUTCOMES[self.outcome](values).astype(np.float32, copy=False)

    def width(self, states: int) -> int:
        """Scores for an encoder of this width. Raises HeadDamaged where the layers do not fit."""
        for layer in self.layers:
            if layer.weight.ndim != 2 or layer.weight.shape[1] != states:
                raise HeadDamaged(
                    f"A head's weights of shape {layer.weight.shape} do not fit a width of {states}."
                )
            states = layer.weight.shape[0]
            if layer.bias.shape != (states,):
                raise HeadDamaged(f"A head's bias of shape {layer.bias.shape} does not fit {states} outputs.")
        if self.labels and len(self.labels) != states:
            raise HeadDamaged(f"A head has {states} outputs and {len(self.labels)} labels.")
        if len(set(self.labels)) < len(self.labels):
            raise HeadDamaged(f"A head gives two outputs one label: {', '.join(self.labels)}.")
        return states


@dataclass(frozen=True, slots=True, eq=False)
class Heads:
    """All heads of one encoder by name, and what whoever feeds it must know: its width, how many tokens it reads
    at most, how many ids it has, and whether it wants its text in small letters."""

    heads: Mapping[str, Head]
    width: int
    max_tokens: int
    vocabulary: int
    lower: bool = False

    def __post_init__(self) -> None:
        """Raises HeadDamaged where anything does not fit."""
        if not self.heads or not all(_NAME.fullmatch(name) for name in self.heads):
            raise HeadDamaged("A head needs a name of letters, digits, dashes and underscores.")
        if min(self.width, self.max_tokens, self.vocabulary) < 1:
            raise HeadDamaged("An encoder has a width, a length and a vocabulary of at least 1.")
        for head in self.heads.values():
            head.width(self.width)

    def save(self, folder: Path) -> None:
        arrays = {
            f"{name}.{at}.{part}": getattr(layer, part).astype(np.float32)
            for name, head in self.heads.items()
            for at, layer in enumerate(head.layers)
            for part in ("weight", "bias")
        }
        about = json.dumps(self._about(), ensure_ascii=False).encode()
        np.savez(folder / FILE, **{_ABOUT: np.frombuffer(about, np.uint8), **arrays})

    @classmethod
    def load(cls, folder: Path) -> Heads:
        """Raises HeadDamaged."""
        try:
            with (folder / FILE).open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                return _read({name: file[name] for name in file.files})
        except FileNotFoundError:
            raise HeadDamaged(f"The model folder {folder} lacks {FILE}. Convert the model again.") from None
        except _UNREADABLE as error:
            raise HeadDamaged(f"{folder / FILE} cannot be read: {error}. Convert the model again.") from error

    def _about(self) -> dict[str, Any]:
        return {
            "format": _FORMAT,
            "width": self.width,
            "max_tokens": self.max_tokens,
            "vocabulary": self.vocabulary,
            "lower": self.lower,
            "heads": {
                name: {
                    "pooling": head.pooling,
                    "outcome": head.outcome,
                    "labels": head.labels,
                    "normalised": head.normalised,
                    "activations": [layer.activation for layer in head.layers],
                }
                for name, head in self.heads.items()
            },
        }


def _read(arrays: dict[str, NDArray[Any]]) -> Heads:
    about = json.loads(arrays[_ABOUT].tobytes())
    if about["format"] != _FORMAT:
        raise ValueError(f"its format is {about['format']}, and this Frontdesk reads {_FORMAT}")
    heads = {name: _head(name, value, arrays) for name, value in about["heads"].items()}
    return Heads(
        heads,
        width=int(about["width"]),
        max_tokens=int(about["max_tokens"]),
        vocabulary=int(about["vocabulary"]),
        lower=bool(about["lower"]),
    )


def _head(name: str, value: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Head:
    for word, known in (("pooling", Pooling), ("outcome", Outcome)):
        if value[word] not in get_args(known):
            raise ValueError(f"the {word} {value[word]!r} is not known")
    layers = []
    for at, activation in enumerate(value["activations"]):
        if activation not in get_args(Activation):
            raise ValueError(f"the activation {activation!r} is not known")
        weight, bias = (arrays[f"{name}.{at}.{part}"].astype(np.float32) for part in ("weight", "bias"))
        layers.append(Layer(weight, bias, activation))
    labels = tuple(map(str, value["labels"]))
    return Head(value["pooling"], tuple(layers), value["outcome"], labels, bool(value["normalised"]))


# -- arithmetic ------------------------------------------------------------------------------------------------


def _first(states: Floats, lengths: NDArray[Any]) -> Floats:
    return states[:, 0]


def _inside(states: Floats, lengths: NDArray[Any]) -> NDArray[np.bool_]:
    return np.arange(states.shape[1]) < lengths[:, None]


def _mean(states: Floats, lengths: NDArray[Any]) -> Floats:
    if (lengths == states.shape[1]).all():  # as a text by itself is: a third of the time
        whole: Floats = states.mean(axis=1)
        return whole
    inside = np.where(_inside(states, lengths)[:, :, None], states, np.float32(0))
    mean: Floats = inside.sum(axis=1) / lengths[:, None].astype(np.float32)
    return mean


def _max(states: Floats, lengths: NDArray[Any]) -> Floats:
    inside: Floats = np.where(_inside(states, lengths)[:, :, None], states, np.float32(-np.inf)).max(axis=1)
    return inside


def _softmax(values: Floats) -> Floats:
    grown = np.exp(values - values.max(axis=1, keepdims=True))
    shares: Floats = grown / grown.sum(axis=1, keepdims=True)
    return shares


def _sigmoid(values: Floats) -> Floats:
    # in terms of tanh, which does not overflow
    shares: Floats = np.float32(0.5) * (1 + np.tanh(np.float32(0.5) * values))
    return shares


def _gelu(values: Floats) -> Floats:
    erf = np.vectorize(math.erf, otypes=[np.float32])(values / math.sqrt(2))
    grown: Floats = (values * 0.5 * (1 + erf)).astype(np.float32)
    return grown


def _same(values: Floats) -> Floats:
    return values


def _relu(values: Floats) -> Floats:
    return np.maximum(values, 0)


_POOLINGS: dict[Pooling, Callable[[Floats, NDArray[Any]], Floats]] = {
    "cls": _first,
    "first": _first,
    "mean": _mean,
    "max": _max,
}
OUTCOMES: dict[Outcome, Callable[[Floats], Floats]] = {
    "softmax": _softmax,
    "sigmoid": _sigmoid,
    "raw": _same,
}
_ACTIVATIONS: dict[Activation, Callable[[Floats], Floats]] = {
    "": _same,
    "tanh": np.tanh,
    "relu": _relu,
    "gelu": _gelu,
}
