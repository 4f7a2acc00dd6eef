"""What one token costs in attention states, read from a converted model's own header.

Knows what the variables of a decoder are called. No weight is read and nothing is loaded.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from inference import binary

_FIRST = "decoder/layer_0/self_attention"

# CPU kernels compute attention in 32 bits whatever the weights are; GPU types that end in 16 keep states in 16.
_HALF = ("float16", "bfloat16", "int8_float16", "int8_bfloat16")


@dataclass(frozen=True, slots=True)
class Sizes:
    """A decoder's shape as far as memory goes."""

    layers: int
    heads: int
    kv_heads: int
    head_size: int

    def state_bytes(self, compute_type: str) -> int:
        """Bytes that CTranslate2 keeps for one token of one row: keys and values of each layer, stored for every query
        head (layers/attention.cc repeats them before they are written), for one head only where there is only one."""
        heads = 1 if self.kv_heads == 1 else self.heads
        return 2 * self.layers * heads * self.head_size * value_bytes(compute_type)

    def score_bytes(self, tokens: int, compute_type: str) -> int:
        """Bytes of one row's attention scores while a prompt of so many tokens is read: one layer's at a time, and
        the softmax beside them."""
        return 2 * self.heads * tokens * tokens * value_bytes(compute_type)


def value_bytes(compute_type: str) -> int:
    return 2 if compute_type in _HALF else 4


def read(model: Path) -> Sizes:
    """From a folder's model.bin. Raises ValueError where it describes no decoder."""
    with (model / "model.bin").open("rb") as file:
        found = {each.name: _number(each) for each in binary.variables(file)}
    heads = found.get("decoder/num_heads", 0)
    width = found.get("decoder/embeddings/weight", 0)
    if not (layers(found) and heads and width):
        raise ValueError(f"{model} describes no decoder")
    return Sizes(
        layers=layers(found),
        heads=heads,
        kv_heads=found.get(f"{_FIRST}/num_heads_kv", heads),
        head_size=found.get(f"{_FIRST}/head_dim", width // heads),
    )


def layers(names: Iterable[str]) -> int:
    """How many a decoder has, by the names of its variables."""
    inside = {name.split("/")[1] for name in names if name.startswith("decoder/layer_")}
    return sum(name.removeprefix("layer_").isdigit() for name in inside)


def _number(variable: binary.Variable) -> int:
    """A single integer's value, else the last dimension."""
    if variable.value is not None:
        return variable.value
    return variable.shape[-1] if variable.shape else 0
