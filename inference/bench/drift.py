"""How far a variant has moved from the best float variant: in the perplexity of a text, in probabilities, in vectors.

Knows arithmetic. What a model makes of a text was measured before.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inference.bench.plan import Reading
    from inference.library import ModelFolder

# The best first. A brain float has fewer digits than a half, but as many exponents as the weights were trained with.
FLOATS = ("float32", "bfloat16", "float16")

# What the gate's figures of it begin with, in its report: of the weights alone, and as its machine computed with them.
PARITY = "perplexity drift"

# Nats whose exponential is still a number.
LARGEST = 700.0

WHAT = {
    "chat": "how much higher the perplexity of the text is",
    "classifier": "the largest difference of any label's probability, averaged over texts,",
    "embedder": "one less the cosine between the vectors of a text, averaged over texts,",
}


@dataclass(frozen=True, slots=True)
class Drifts:
    """By reference; `source` is what they are measured from, empty where nothing can serve; `note` says so in words."""

    note: str
    source: str = ""
    of: Mapping[str, float] = field(default_factory=dict)


def measured(kind: str, models: Sequence[ModelFolder], readings: Mapping[str, Sequence[Reading]]) -> Drifts:
    """From the best float variant that is here, else from the source, as far as the parity reports know."""
    if kind not in WHAT:
        return _from_source(models, "an encoder-decoder takes pairs of texts")
    first = {model.name: readings[model.name][0] for model in models}
    floats = sorted((m for m in models if m.variant in FLOATS), key=lambda model: FLOATS.index(model.variant))
    best = next((model for model in floats if _scored(first[model.name])), None)
    if best is None:
        return _from_source(models, "there is no float variant here to compare with")
    if _strange(first[best.name]):
        why = "to this model the text is stranger than a guess among all its tokens (try another with --text)"
        return _from_source(models, why)
    found = {
        name: _drift(kind, reading, first[best.name]) for name, reading in first.items() if _scored(reading)
    }
    return Drifts(f"Drift: {WHAT[kind]} against {best.variant}.", best.variant, found)


def from_parity(model: ModelFolder) -> float | None:
    """What the gate measured when the variant was made, on its own text and against the source: the worst of it."""
    parity = model.manifest.parity if model.manifest else {}
    figures = [
        each.get("figure") for each in parity.get("checks", ()) if str(each.get("name")).startswith(PARITY)
    ]
    known = [float(each) for each in figures if isinstance(each, (int, float)) and math.isfinite(each)]
    # of a float variant the gate looks at every logit, and lets nothing pass that could be seen in a perplexity
    exact = 0.0 if model.variant in FLOATS and parity.get("passed") is True else None
    return max(known, default=exact)


def _from_source(models: Sequence[ModelFolder], why: str) -> Drifts:
    found = {model.name: drift for model in models if (drift := from_parity(model)) is not None}
    if not found:
        return Drifts(f"Drift: unknown, since {why}.")
    return Drifts(f"Drift: from the source, as the parity reports say, since {why}.", "source", found)


def _scored(reading: Reading) -> bool:
    return reading.loss is not None or bool(reading.outputs)


def _strange(reading: Reading) -> bool:
    """A model to which a text is stranger than a guess (it knows another language, or nothing) differs by chance."""
    return reading.loss is not None and reading.loss >= math.log(reading.vocabulary)


def _drift(kind: str, own: Reading, best: Reading) -> float:
    if own.loss is not None and best.loss is not None:
        return math.expm1(min(own.loss - best.loss, LARGEST))
    apart = _apart if kind == "classifier" else _turned
    return statistics.fmean(apart(one, other) for one, other in zip(own.outputs, best.outputs, strict=True))


def _apart(one: Sequence[float], other: Sequence[float]) -> float:
    """The largest difference of any label's probability."""
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def _turned(one: Sequence[float], other: Sequence[float]) -> float:
    """One less the cosine."""
    lengths = math.hypot(*one) * math.hypot(*other)
    return 1 - math.fsum(a * b for a, b in zip(one, other, strict=True)) / lengths if lengths else 1.0
