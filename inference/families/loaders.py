"""The stock converter's loaders, put right for as long as a block is open.

Knows the insides of ctranslate2.converters.transformers (4.8) and what transformers 5 calls things. Imported by the
families' hooks when they are called, since it brings PyTorch along. Each mend sets what a loader leaves out in silence;
where a loader cannot be mended, `stand_ins` has another in its place.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from ctranslate2.converters import transformers as stock
from ctranslate2.specs import attention_spec

Mend = Callable[[Any, Any], None]  # (spec, the model of transformers)

# The table of loaders is the library's own and one for all: two conversions in one process take turns.
_TURN = threading.Lock()

_LINEAR = np.int8(attention_spec.RotaryScalingType.Linear)


@contextmanager
def instead(loaders: Mapping[str, Any]) -> Iterator[None]:
    """These loaders, by the name of the configuration's class, and afterwards the ones that were there."""
    with _TURN:
        table = stock._MODEL_LOADERS  # noqa: SLF001 (there is no public way to it)
        before = dict(table)
        table.update(loaders)
        try:
            yield
        finally:
            table.clear()
            table.update(before)


def mend(base: type, *mends: Mend, ready: Callable[[Any], None] | None = None) -> Any:
    """A loader like `base`, with its vocabulary in order and its epsilon told. `ready` gets the model
    before, each of `mends` the spec after it is filled."""

    class Mended(base):  # type: ignore[misc]
        def get_model_spec(self, model: Any) -> Any:
            if ready:
                ready(model)
            spec = super().get_model_spec(model)
            for change in mends:
                change(spec, model)
            return spec

        def get_vocabulary(self, model: Any, tokenizer: Any) -> list[str]:
            return vocabulary(tokenizer, size=model.get_input_embeddings().weight.shape[0])

        def set_config(self, config: Any, model: Any, tokenizer: Any) -> None:
            super().set_config(config, model, tokenizer)
            epsilon(config, model)
            special(config, tokenizer)

    return Mended()


def vocabulary(tokenizer: Any, *, size: int) -> list[str]:
    """Every token at its id. The stock loaders sort by id and append, so that one gap moves all that follows; some do
    not fill up the rows that the embeddings have and the tokenizer does not, or fill up to a multiple of 8."""
    held = tokenizer.get_vocab()
    tokens: list[str | None] = [None] * size
    for token, token_id in held.items():
        if token_id < size:
            tokens[token_id] = token
    filled = (name for i in range(size + len(held)) if (name := f"<extra_id_{i}>") not in held)
    return [next(filled) if token is None else token for token in tokens]


def epsilon(config: Any, model: Any) -> None:
    """Most loaders leave it out, and CTranslate2 takes 1e-5 (1e-6 for RMS norms) whatever the source says."""
    of_text = model.config.get_text_config()
    names = ("rms_norm_eps", "layer_norm_epsilon", "layer_norm_eps")
    known = (getattr(of_text, name, None) for name in names)
    config.layer_norm_epsilon = next(
        (value for value in known if value is not None), config.layer_norm_epsilon
    )


def special(config: Any, tokenizer: Any) -> None:
    """CTranslate2 wants all three; what the tokenizer lacks is never used, so that any token will do."""
    held = tokenizer.get_vocab()
    end = tokenizer.eos_token if tokenizer.eos_token in held else None
    first = next(token for token, token_id in held.items() if token_id == min(held.values()))
    for name in ("bos_token", "eos_token", "unk_token"):
        if getattr(config, name, first) not in held:  # an encoder has no use for some, and no place
            setattr(config, name, end or first)
    if end and hasattr(config, "eos_token"):
        config.eos_token = end  # Gemma 3's loader writes <end_of_turn> unasked


def layers(spec: Any) -> Iterator[Any]:
    for layer in spec.decoder.layer:
        yield layer.self_attention


def tell(spec: Any, **values: Any) -> None:
    """Sets attributes that CTranslate2 reads; a spec refuses those that its maker did not foresee."""
    for name, value in values.items():
        object.__setattr__(spec, name, value)


def rope(spec: Any, model: Any) -> None:
    """Base and scaling of RoPE. transformers 5 keeps the base within rope_parameters, where some loaders do not look;
    of Llama 3.1's scaling the loader forgets the factor and the length it began with."""
    told = model.config.rope_parameters
    for attention in layers(spec):
        turn(attention, told)


def turn(attention: Any, told: Mapping[str, Any]) -> None:
    """One layer's RoPE, as one entry of rope_parameters tells it."""
    tell(attention, rotary_base=np.float32(told["rope_theta"]))
    kind = told["rope_type"]
    if kind == "linear":
        tell(attention, rotary_scaling_type=_LINEAR)
        tell(attention, rotary_scaling_factor=np.float32(told["factor"]))
    elif kind == "llama3":
        tell(attention, rotary_scaling_factor=np.float32(told["factor"]))
        tell(attention, original_max_position_embeddings=np.int32(told["original_max_position_embeddings"]))
        tell(attention, rotary_low_freq_factor=np.float32(told["low_freq_factor"]))
        tell(attention, rotary_high_freq_factor=np.float32(told["high_freq_factor"]))


def activation(spec: Any, model: Any) -> None:
    """Gemma's loader asks for a name that transformers 5 does not use, and takes the tanh kind else."""
    spec.decoder.activation = np.int8(stock._SUPPORTED_ACTIVATIONS[model.config.hidden_act])  # noqa: SLF001


def head_dim(spec: Any, model: Any) -> None:
    """Heads that are wider or narrower than width / heads."""
    width = getattr(model.config, "head_dim", None)
    for attention in layers(spec):
        if width:
            tell(attention, head_dim=np.int32(width))


def without_window(spec: Any, _: Any) -> None:
    """CTranslate2 errs once a window is full; without one it is exact up to there, and the context is capped."""
    for part in (spec.decoder, *layers(spec)):
        if hasattr(part, "sliding_window"):
            delattr(part, "sliding_window")


def gemma3(spec: Any, model: Any) -> None:
    """Each layer's RoPE by its kind (the larger ones scale the global layers'), and what queries are divided by."""
    told = model.config.get_text_config()
    for attention, kind in zip(layers(spec), told.layer_types, strict=True):
        turn(attention, told.rope_parameters[kind])
        tell(attention, queries_scale=np.float32(told.query_pre_attn_scalar**-0.5))


def modern_neox(model: Any) -> None:
    """GPT-NeoX's loader asks for two old names."""
    model.config.rotary_pct = model.config.rope_parameters["partial_rotary_factor"]
    model.embed_out = model.lm_head
