"""Decoders that answer: which of them CTranslate2 runs right, up to where, and what the stock converter gets wrong.

Reads configurations. The mends themselves stand in `loaders` and `stand_ins`, which only a conversion imports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from inference.families.family import STRAIGHT, Config, Family, Route

Patched = Callable[[Config], AbstractContextManager[None]]

# What CTranslate2's feed-forward layers can compute, by transformers' names.
_ACTIVATIONS = {
    *("gelu", "gelu_fast", "gelu_new", "gelu_python", "gelu_pytorch_tanh", "quick_gelu"),
    *("relu", "silu", "swish"),
}
_SWISH = {"silu", "swish"}
_ROPES = {"default", "linear", "llama3"}

# CTranslate2 works out this many positions at once, and chooses LongRoPE's factors by that number.
_POSITIONS_AT_ONCE = 2048

SOFT_CAPPING = "CTranslate2 leaves out the soft-capping of attention, so that its answers drift."


def elsewhere(why: str) -> Route:
    return Route("transformers", why)


def capped(config: Config, *limits: int | None) -> Route:
    """To CTranslate2, with a context of the smallest limit: a window, or where RoPE's factors change."""
    positions = config.get("max_position_embeddings") or 0
    limit = min((limit for limit in limits if limit), default=0)
    if not limit or (positions and limit >= positions):
        return STRAIGHT
    note = (
        f"Exact up to {limit} tokens, and capped there: beyond, CTranslate2 errs with this model's attention."
    )
    return Route("ctranslate2", context_length=limit, notes=(note,))


def ropes(config: Config) -> Iterator[Mapping[str, Any]]:
    """Every RoPE that the configuration tells: one, or one for each kind of layer; by the new name or the old."""
    told = config.get("rope_parameters") or config.get("rope_scaling") or {}
    kinds = [value for value in told.values() if isinstance(value, Mapping)]
    yield from kinds or [told]


def wrong_rope(config: Config, *, known: frozenset[str] | set[str] = frozenset(_ROPES)) -> str:
    """The first RoPE scaling that CTranslate2 lacks, "" where it has all."""
    kinds = (told.get("rope_type") or told.get("type") or "default" for told in ropes(config))
    return next(
        (f"CTranslate2 has no RoPE scaling of the type {kind}." for kind in kinds if kind not in known), ""
    )


def wrong_activation(config: Config, *, known: set[str]) -> str:
    names = ("hidden_act", "activation_function", "activation", "hidden_activation")
    told = next((config[name] for name in names if config.get(name)), None)
    if told is None or told in known:
        return ""
    return f"CTranslate2's converter has no feed-forward layer with {told} for it."


def unusual(config: Config, **usual: Any) -> str:
    """The first setting that is not as every published model of the family has it, and not in CTranslate2."""
    for name, value in usual.items():
        told = config.get(name, value)
        if told != value and not (value in (None, False) and not told):
            return f"CTranslate2 knows no {name} = {told!r}."
    return ""


def first(*reasons: str) -> Route | None:
    return next((elsewhere(reason) for reason in reasons if reason), None)


def of_gpt(config: Config) -> Route:
    strange = unusual(
        config,
        scale_attn_weights=True,
        scale_attn_by_inverse_layer_idx=False,
        add_cross_attention=False,
        multi_query=True,
    )
    return first(strange, wrong_activation(config, known=_ACTIVATIONS)) or STRAIGHT


def of_opt(config: Config) -> Route:
    strange = unusual(config, _remove_final_layer_norm=False, layer_norm_elementwise_affine=True)
    return first(strange, wrong_activation(config, known=_ACTIVATIONS)) or STRAIGHT


def of_bloom(config: Config) -> Route:
    return first(unusual(config, apply_residual_connection_post_layernorm=False)) or STRAIGHT


def of_falcon(config: Config) -> Route:
    rounded = "transformers rounds this model's ALiBi to bfloat16, which CTranslate2 does not."
    return (
        first(
            rounded if config.get("alibi") else "",
            wrong_rope(config, known={"default", "linear"}),
            wrong_activation(config, known={"gelu"}),
        )
        or STRAIGHT
    )


def of_mpt(config: Config) -> Route:
    attention = config.get("attn_config") or {}
    strange = unusual(
        attention,
        attn_type="multihead_attention",
        alibi=True,
        alibi_bias_max=8,
        clip_qkv=None,
        qk_ln=False,
        softmax_scale=None,
        prefix_lm=False,
    )
    return first(strange) or STRAIGHT


def of_neox(config: Config) -> Route:
    strange = unusual(config, attention_bias=True)
    return first(strange, wrong_rope(config), wrong_activation(config, known=_ACTIVATIONS)) or STRAIGHT


def of_phi(config: Config) -> Route:
    strange = unusual(config, qk_layernorm=False)
    return first(strange, wrong_rope(config), wrong_activation(config, known=_ACTIVATIONS)) or STRAIGHT


def of_llama(config: Config) -> Route:
    """Llama, and what is built like it: Mistral with its window, Qwen with a window for some layers."""
    strange = first(wrong_rope(config), wrong_activation(config, known=_SWISH))
    return strange or capped(config, window(config))


def of_phi3(config: Config) -> Route:
    strange = first(
        wrong_rope(config, known={*_ROPES, "longrope"}),
        wrong_activation(config, known=_SWISH),
    )
    if strange:
        return strange
    told = next(ropes(config))
    if told.get("rope_type") != "longrope":
        return capped(config, window(config))
    short = told.get("original_max_position_embeddings") or config.get("original_max_position_embeddings")
    if not short or short < _POSITIONS_AT_ONCE or told.get("factor") or told.get("attention_factor"):
        return elsewhere("CTranslate2 chooses the factors of this LongRoPE by another rule.")
    return capped(config, window(config), short)


def of_gemma(config: Config) -> Route:
    strange = unusual(config, attention_bias=False)
    return first(strange, wrong_rope(config), wrong_activation(config, known=_ACTIVATIONS)) or STRAIGHT


def of_gemma2(_: Config) -> Route:
    return elsewhere(SOFT_CAPPING)


def of_gemma3(config: Config) -> Route:
    notes = ("Its text part alone: it reads no pictures here.",) if config.get("text_config") else ()
    config = config.get("text_config") or config
    if config.get("attn_logit_softcapping") or config.get("final_logit_softcapping"):
        return elsewhere(SOFT_CAPPING)
    strange = first(
        unusual(config, use_bidirectional_attention=False),
        wrong_rope(config, known={"default", "linear"}),
        wrong_activation(config, known={"gelu", "gelu_pytorch_tanh"}),
    )
    route = strange or capped(config, window(config))
    return replace(route, notes=(*notes, *route.notes))


def window(config: Config) -> int | None:
    """The sliding window, where any layer slides."""
    size = config.get("sliding_window")
    kinds = config.get("layer_types")
    if kinds is not None:
        return size if "sliding_attention" in kinds else None
    if config.get("use_sliding_window") is False:
        return None
    return size


def mended(config: str, *mends: str, ready: str = "", stand_in: str = "") -> Patched:
    """The hook that puts a loader right, or another in its place. Named by strings, so that nothing heavy is imported
    before it is called."""

    def patched(_: Config) -> AbstractContextManager[None]:
        from ctranslate2.converters import transformers as stock

        from inference.families import loaders, stand_ins

        # the table of loaders is private; there is no other way to the stock one
        base = getattr(stand_ins, stand_in) if stand_in else type(stock._MODEL_LOADERS[config])  # noqa: SLF001
        changes = [getattr(loaders, mend) for mend in mends]
        loader = loaders.mend(base, *changes, ready=getattr(loaders, ready) if ready else None)
        return loaders.instead({config: loader})

    return patched


def gemma3(config: Config) -> AbstractContextManager[None]:
    """The smallest is text alone; the others are text within a model that sees too."""
    name = "Gemma3Config" if config.get("text_config") else "Gemma3TextConfig"
    return mended(name, "gemma3", "without_window")(config)


def family(
    name: str,
    architecture: str,
    patched: Patched | None,
    *,
    decide: Callable[[Config], Route] | None = None,
    note: str = "",
    also: tuple[str, ...] = (),
) -> Family:
    return Family(
        name=name,
        architectures=(architecture, *also),
        kind="chat",
        note=note,
        decide=decide,
        patched=patched,
    )


FAMILIES: tuple[Family, ...] = (
    family("GPT-2", "GPT2LMHeadModel", mended("GPT2Config"), decide=of_gpt, note="its own epsilon told"),
    family(
        "GPT-J", "GPTJForCausalLM", mended("GPTJConfig"), decide=of_gpt, note="padded vocabulary put right"
    ),
    family("CodeGen", "CodeGenForCausalLM", mended("CodeGenConfig"), decide=of_gpt),
    family(
        "GPTBigCode", "GPTBigCodeForCausalLM", mended("GPTBigCodeConfig"), decide=of_gpt, note="multi-query"
    ),
    family(
        "GPT-NeoX, Pythia",
        "GPTNeoXForCausalLM",
        mended("GPTNeoXConfig", "rope", ready="modern_neox"),
        decide=of_neox,
        note="loader put right for transformers 5, RoPE base told",
    ),
    family("OPT", "OPTForCausalLM", mended("OPTConfig"), decide=of_opt, note="padded vocabulary put right"),
    family("BLOOM", "BloomForCausalLM", mended("BloomConfig"), decide=of_bloom, note="ALiBi"),
    family(
        "Falcon",
        "FalconForCausalLM",
        mended("FalconConfig", "rope", stand_in="Falcon"),
        decide=of_falcon,
        note="RoPE base told, 40B and Falcon 2 put right; with ALiBi: transformers",
    ),
    family(
        "MPT",
        "MptForCausalLM",
        mended("MptConfig", stand_in="Mpt"),
        decide=of_mpt,
        note="loader put right for transformers 5; with clipping: transformers",
        also=("MPTForCausalLM",),
    ),
    family(
        "Llama 2, 3, 3.1 to 3.3",
        "LlamaForCausalLM",
        mended("LlamaConfig", "rope", "head_dim"),
        decide=of_llama,
        note="RoPE scaling of 3.1 and later put right; yarn, dynamic RoPE: transformers",
    ),
    family(
        "Mistral",
        "MistralForCausalLM",
        mended("MistralConfig", "rope", "without_window"),
        decide=of_llama,
        note="context capped at the sliding window, where there is one",
    ),
    family(
        "Qwen2, Qwen2.5",
        "Qwen2ForCausalLM",
        mended("Qwen2Config", "rope", "head_dim"),
        decide=of_llama,
        note="context capped at the sliding window, where it is used",
    ),
    family(
        "Qwen3",
        "Qwen3ForCausalLM",
        mended("Qwen3Config", "rope"),
        decide=of_llama,
        note="context capped at the sliding window, where it is used",
    ),
    family(
        "Gemma",
        "GemmaForCausalLM",
        mended("GemmaConfig", "rope", "activation"),
        decide=of_gemma,
        note="RoPE base and activation told",
    ),
    family("Gemma 2", "Gemma2ForCausalLM", None, decide=of_gemma2, note="soft-capping of attention"),
    family(
        "Gemma 3",
        "Gemma3ForCausalLM",
        gemma3,
        decide=of_gemma3,
        also=("Gemma3ForConditionalGeneration",),
        note="its text part; context capped at the sliding window, RoPE of each layer told",
    ),
    family(
        "Phi-1, Phi-1.5, Phi-2",
        "PhiForCausalLM",
        mended("PhiConfig", "rope", stand_in="Phi"),
        decide=of_phi,
        note="loader written anew for transformers 5",
    ),
    family(
        "Phi-3, Phi-3.5, Phi-4",
        "Phi3ForCausalLM",
        mended("Phi3Config", "rope", stand_in="Phi3"),
        decide=of_phi3,
        note="loader written anew for transformers 5; context capped at the window and at LongRoPE's first length",
    ),
)
