"""Four models put together from `formulas`: GPT-2, OPT, Llama, and BART with its encoder.

Each reads a checkpoint as its authors' weights are named and gives the logits of every place; `greedy` then writes. The
whole text is computed anew for each token: no state is kept that could be wrong.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from tests.inference.oracle import formulas as f
from tests.inference.oracle.formulas import Matrix, Vector

# OPT and BART leave the first two rows of their table of positions to a padding token of fairseq, whence they come.
UNUSED_POSITIONS = 2

# Where the configuration names none.
EPSILON = 1e-5


@dataclass(frozen=True)
class Weights:
    """A checkpoint's arrays, in double, below a prefix."""

    arrays: dict[str, Any]
    prefix: str = ""

    def __getitem__(self, name: str) -> Matrix:
        return self.arrays[self.prefix + name].astype(np.float64)

    def has(self, name: str) -> bool:
        return self.prefix + name in self.arrays

    def below(self, name: str) -> Weights:
        return Weights(self.arrays, f"{self.prefix}{name}.")

    def linear(self, name: str, x: Matrix) -> Matrix:
        bias: Vector | float = self[f"{name}.bias"] if self.has(f"{name}.bias") else 0.0
        return f.linear(x, self[f"{name}.weight"], bias)

    def layer_norm(self, name: str, x: Matrix, epsilon: float = EPSILON) -> Matrix:
        return f.layer_norm(x, self[f"{name}.weight"], self[f"{name}.bias"], epsilon)


def opened(folder: Path) -> tuple[dict[str, Any], Weights]:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return config, Weights(load_file(folder / "model.safetensors"))


def greedy(logits: Callable[[list[int]], Matrix], begun: Sequence[int], count: int) -> list[int]:
    """The likeliest token, `count` times, each read again with all before it."""
    ids = list(begun)
    for _ in range(count):
        ids.append(int(logits(ids)[-1].argmax()))
    return ids[len(begun) :]


# -- decoders --------------------------------------------------------------------------------------------------


class GPT2:
    """Radford et al. 2019, Language Models are Unsupervised Multitask Learners, section 2.3: learned positions, a norm
    before each part and one at the end, GELU."""

    def __init__(self, folder: Path) -> None:
        self.config, self.weights = opened(folder)

    def logits(self, ids: Sequence[int]) -> Matrix:
        w = self.weights.below("transformer")
        epsilon = self.config["layer_norm_epsilon"]
        x = w["wte.weight"][list(ids)] + w["wpe.weight"][: len(ids)]
        for number in range(self.config["n_layer"]):
            layer = w.below(f"h.{number}")
            x = x + self._attention(layer, layer.layer_norm("ln_1", x, epsilon))
            x = x + self._feed_forward(layer, layer.layer_norm("ln_2", x, epsilon))
        return self.weights.linear("lm_head", w.layer_norm("ln_f", x, epsilon))

    def _attention(self, layer: Weights, x: Matrix) -> Matrix:
        q, k, v = np.split(_columns(layer, "attn.c_attn", x), 3, axis=-1)
        heads = f.multi_head(q, k, v, f.causal(len(x)), heads=self.config["n_head"])
        return _columns(layer, "attn.c_proj", heads)

    def _feed_forward(self, layer: Weights, x: Matrix) -> Matrix:
        return _columns(layer, "mlp.c_proj", f.gelu_new(_columns(layer, "mlp.c_fc", x)))


def _columns(layer: Weights, name: str, x: Matrix) -> Matrix:
    """GPT-2 keeps its weights with one column for each output."""
    return f.linear(x, layer[f"{name}.weight"].T, layer[f"{name}.bias"])


class OPT:
    """Zhang et al. 2022, OPT: Open Pre-trained Transformer Language Models (arXiv:2205.01068), section 2.1: as GPT-2,
    with ReLU."""

    def __init__(self, folder: Path) -> None:
        self.config, self.weights = opened(folder)

    def logits(self, ids: Sequence[int]) -> Matrix:
        w = self.weights.below("model.decoder")
        x = w["embed_tokens.weight"][list(ids)] + w["embed_positions.weight"][UNUSED_POSITIONS:][: len(ids)]
        for number in range(self.config["num_hidden_layers"]):
            layer = w.below(f"layers.{number}")
            x = x + self._attention(layer, layer.layer_norm("self_attn_layer_norm", x))
            x = x + layer.linear("fc2", f.relu(layer.linear("fc1", layer.layer_norm("final_layer_norm", x))))
        return self.weights.linear("lm_head", w.layer_norm("final_layer_norm", x))

    def _attention(self, layer: Weights, x: Matrix) -> Matrix:
        return attended(layer.below("self_attn"), x, x, f.causal(len(x)), self.config["num_attention_heads"])


class Llama:
    """Touvron et al. 2023, LLaMA (arXiv:2302.13971), section 2.2: RMSNorm before each part, SwiGLU, rotary positions;
    grouped heads since Llama 2 (arXiv:2307.09288, section 2.2)."""

    def __init__(self, folder: Path) -> None:
        self.config, self.weights = opened(folder)

    def logits(self, ids: Sequence[int]) -> Matrix:
        w = self.weights.below("model")
        epsilon = self.config["rms_norm_eps"]
        x = w["embed_tokens.weight"][list(ids)]
        for number in range(self.config["num_hidden_layers"]):
            layer = w.below(f"layers.{number}")
            x = x + self._attention(layer, f.rms_norm(x, layer["input_layernorm.weight"], epsilon))
            x = x + self._feed_forward(
                layer, f.rms_norm(x, layer["post_attention_layernorm.weight"], epsilon)
            )
        return self.weights.linear("lm_head", f.rms_norm(x, w["norm.weight"], epsilon))

    def _attention(self, layer: Weights, x: Matrix) -> Matrix:
        base = self.config["rope_parameters"]["rope_theta"]
        q, k, v = (layer.linear(f"self_attn.{name}_proj", x) for name in "qkv")
        heads = f.multi_head(
            *(q, k, v, f.causal(len(x))),
            heads=self.config["num_attention_heads"],
            kv_heads=self.config["num_key_value_heads"],
            turn=lambda part: f.rotary(part, base),
        )
        return layer.linear("self_attn.o_proj", heads)

    def _feed_forward(self, layer: Weights, x: Matrix) -> Matrix:
        return f.swiglu(x, *(layer[f"mlp.{name}_proj.weight"] for name in ("gate", "up", "down")))


# -- an encoder and its decoder --------------------------------------------------------------------------------


class BART:
    """Lewis et al. 2020, BART (arXiv:1910.13461), section 2.1: the transformer of Vaswani et al. 2017, figure 1, with a
    norm behind each part and one behind the embeddings, learned positions, and GELU for ReLU."""

    def __init__(self, folder: Path) -> None:
        self.config, self.weights = opened(folder)

    def encoded(self, text: Sequence[int]) -> Matrix:
        """What the encoder makes of a text: every place sees every other."""
        side = self.weights.below("model.encoder")
        x, heads = self._embedded(side, text), self.config["encoder_attention_heads"]
        for number in range(self.config["encoder_layers"]):
            layer = side.below(f"layers.{number}")
            seen = attended(layer.below("self_attn"), x, x, f.open_to_all(len(x), len(x)), heads)
            x = layer.layer_norm("self_attn_layer_norm", x + seen)
            x = self._feed_forward(layer, x)
        return x

    def logits(self, memory: Matrix, ids: Sequence[int]) -> Matrix:
        """Of each place in the answer, with the encoder's `memory` of the text in sight."""
        side = self.weights.below("model.decoder")
        y, heads = self._embedded(side, ids), self.config["decoder_attention_heads"]
        for number in range(self.config["decoder_layers"]):
            layer = side.below(f"layers.{number}")
            own = attended(layer.below("self_attn"), y, y, f.causal(len(y)), heads)
            y = layer.layer_norm("self_attn_layer_norm", y + own)
            seen = attended(layer.below("encoder_attn"), y, memory, f.open_to_all(len(y), len(memory)), heads)
            y = layer.layer_norm("encoder_attn_layer_norm", y + seen)
            y = self._feed_forward(layer, y)
        return f.linear(y, self._head(), self.weights["final_logits_bias"])

    def answer(self, text: Sequence[int], count: int) -> list[int]:
        memory = self.encoded(text)
        return greedy(lambda ids: self.logits(memory, ids), [self.config["decoder_start_token_id"]], count)

    def _embedded(self, side: Weights, ids: Sequence[int]) -> Matrix:
        tokens = self.weights["model.shared.weight"][list(ids)]
        places = side["embed_positions.weight"][UNUSED_POSITIONS:][: len(ids)]
        return side.layer_norm("layernorm_embedding", tokens + places)

    def _feed_forward(self, layer: Weights, x: Matrix) -> Matrix:
        return layer.layer_norm("final_layer_norm", x + layer.linear("fc2", f.gelu(layer.linear("fc1", x))))

    def _head(self) -> Matrix:
        """The embeddings again, unless the checkpoint has a head of its own."""
        return self.weights["lm_head.weight" if self.weights.has("lm_head.weight") else "model.shared.weight"]


def attended(w: Weights, x: Matrix, context: Matrix, mask: Matrix, heads: int) -> Matrix:
    """MultiHead(x W_Q, c W_K, c W_V) W_O: what the places of x take of a context, which is x itself or the encoder's
    memory. Vaswani et al. 2017, sections 3.2.2 and 3.2.3."""
    q = w.linear("q_proj", x)
    k, v = w.linear("k_proj", context), w.linear("v_proj", context)
    return w.linear("out_proj", f.multi_head(q, k, v, mask, heads=heads))
