"""Tiny checkpoints of random weights, one for each family of decoders, as transformers writes them.

`make("llama31", folder)` is a whole source: config.json, model.safetensors, tokenizer, template, generation_config.
The weights are scaled so that nothing can hide: logits are far apart, attention picks some tokens and not others,
every bias and every norm is unlike its default, and RoPE turns by a base that no default has.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from inference.convert import source
from inference.parity import sides as parity_sides
from tests.inference import families as tokenizers_of

WIDTH, HEADS, KV_HEADS, LAYERS, FFN, POSITIONS = 32, 4, 2, 2, 64, 256

# Of the attention's queries and keys: long ones, so that a few tokens are looked at and the others are not.
SHARP = 2.0
# Of everything else that turns vectors into vectors.
PLAIN = 1.0
# Of the head: about the spread of a trained model's logits.
HEAD = 3.0


def byte_level(*, bos: str = "", eos: str = "<|endoftext|>", unk: str = "") -> Any:
    """GPT-2's kind of tokenizer, as OPT, GPT-NeoX, BLOOM, Falcon, Phi and others have it."""
    vocabulary, merges = tokenizers_of._byte_level_words()
    inner = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    inner.add_special_tokens([*tokenizers_of._special(*dict.fromkeys(filter(None, (bos, eos, unk))))])
    named = {"bos_token": bos, "eos_token": eos, "unk_token": unk}
    return PreTrainedTokenizerFast(tokenizer_object=inner, **{k: v for k, v in named.items() if v})


def gpt2_tokenizer() -> Any:
    return byte_level(bos="<|endoftext|>", unk="<|endoftext|>")


def llama_tokenizer() -> Any:
    return tokenizers_of.mistral()


@dataclass(frozen=True)
class Recipe:
    """How to make one: a config class and what it is told, and a tokenizer."""

    config: str
    model: str
    tokenizer: Callable[[], Any]
    told: dict[str, Any] = field(default_factory=dict)
    text: dict[str, Any] | None = None  # of a model that is more than text: what its text part is told
    ends: tuple[str, ...] = ()  # generation_config's, beside the tokenizer's own
    padded: int = 0  # rows of the embeddings beyond the tokenizer's last token


MODERN = {
    "hidden_size": WIDTH,
    "intermediate_size": FFN,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "max_position_embeddings": POSITIONS,
}
GROUPED = {**MODERN, "num_key_value_heads": KV_HEADS}
GPT = {"n_embd": WIDTH, "n_layer": LAYERS, "n_head": HEADS, "n_positions": POSITIONS}


def rope(theta: float = 1234.0, **more: Any) -> dict[str, Any]:
    return {"rope_parameters": {"rope_type": "default", "rope_theta": theta, **more}}


LLAMA3 = rope(
    5000.0,
    rope_type="llama3",
    factor=8.0,
    low_freq_factor=1.0,
    high_freq_factor=4.0,
    original_max_position_embeddings=32,
)
# Of half a head: the rotary part of 8 dimensions has 4 frequencies.
LONGROPE = rope(
    5000.0,
    rope_type="longrope",
    short_factor=[1.0, 1.1, 1.3, 1.7],
    long_factor=[1.0, 1.9, 3.1, 5.3],
    original_max_position_embeddings=2048,
)
GEMMA3 = {
    "head_dim": 16,
    "sliding_window": 48,
    "query_pre_attn_scalar": 11,
    "rope_parameters": {
        "sliding_attention": {"rope_type": "default", "rope_theta": 700.0},
        "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 9000.0},
    },
}

CHATML_ENDS = ("<|im_end|>", "<|im_start|>")

RECIPES: dict[str, Recipe] = {
    "gpt2": Recipe("GPT2Config", "GPT2LMHeadModel", gpt2_tokenizer, {**GPT, "layer_norm_epsilon": 1e-3}),
    "gpt2_tied": Recipe(
        "GPT2Config", "GPT2LMHeadModel", gpt2_tokenizer, {**GPT, "tie_word_embeddings": True}
    ),
    "gptj": Recipe("GPTJConfig", "GPTJForCausalLM", gpt2_tokenizer, {**GPT, "rotary_dim": 4}, padded=5),
    "gpt_neox": Recipe(
        "GPTNeoXConfig", "GPTNeoXForCausalLM", gpt2_tokenizer, {**MODERN, **rope(partial_rotary_factor=0.5)}
    ),
    "gpt_neox_serial": Recipe(
        "GPTNeoXConfig",
        "GPTNeoXForCausalLM",
        gpt2_tokenizer,
        {**MODERN, **rope(partial_rotary_factor=0.5), "use_parallel_residual": False},
    ),
    "gpt_bigcode": Recipe("GPTBigCodeConfig", "GPTBigCodeForCausalLM", gpt2_tokenizer, GPT),
    "codegen": Recipe("CodeGenConfig", "CodeGenForCausalLM", gpt2_tokenizer, {**GPT, "rotary_dim": 4}),
    "opt": Recipe(
        "OPTConfig",
        "OPTForCausalLM",
        lambda: byte_level(bos="</s>", eos="</s>", unk="</s>"),
        {**MODERN, "ffn_dim": FFN, "word_embed_proj_dim": WIDTH},
        padded=3,
    ),
    "opt_350m": Recipe(
        "OPTConfig",
        "OPTForCausalLM",
        lambda: byte_level(bos="</s>", eos="</s>", unk="</s>"),
        {**MODERN, "ffn_dim": FFN, "word_embed_proj_dim": 16, "do_layer_norm_before": False},
    ),
    "bloom": Recipe(
        "BloomConfig",
        "BloomForCausalLM",
        lambda: byte_level(bos="<s>", eos="</s>", unk="<unk>"),
        {"hidden_size": WIDTH, "n_layer": LAYERS, "n_head": HEADS, "seq_length": POSITIONS},
    ),
    "falcon": Recipe(
        "FalconConfig", "FalconForCausalLM", byte_level, {**MODERN, **rope(), "multi_query": True}
    ),
    "falcon_heads": Recipe(
        "FalconConfig",
        "FalconForCausalLM",
        byte_level,
        {**MODERN, **rope(), "multi_query": False, "bias": True},
    ),
    "falcon_40b": Recipe(
        "FalconConfig",
        "FalconForCausalLM",
        byte_level,
        {**MODERN, **rope(), "new_decoder_architecture": True, "num_kv_heads": KV_HEADS, "multi_query": True},
    ),
    "falcon2": Recipe(
        "FalconConfig",
        "FalconForCausalLM",
        byte_level,
        {
            **MODERN,
            **rope(),
            "new_decoder_architecture": True,
            "num_kv_heads": KV_HEADS,
            "num_ln_in_parallel_attn": 1,
        },
    ),
    "falcon_rw": Recipe(
        "FalconConfig",
        "FalconForCausalLM",
        byte_level,
        {**MODERN, "alibi": True, "parallel_attn": False, "multi_query": False, "bias": True},
    ),
    "mpt": Recipe(
        "MptConfig",
        "MptForCausalLM",
        gpt2_tokenizer,
        {
            "d_model": WIDTH,
            "n_heads": HEADS,
            "n_layers": LAYERS,
            "max_seq_len": POSITIONS,
            "expansion_ratio": 2,
        },
    ),
    "llama2": Recipe("LlamaConfig", "LlamaForCausalLM", llama_tokenizer, {**MODERN, **rope()}),
    "llama3": Recipe(
        "LlamaConfig",
        "LlamaForCausalLM",
        tokenizers_of.llama3,
        {**GROUPED, **rope()},
        ends=("<|eot_id|>", "<|end_header_id|>"),
    ),
    "llama31": Recipe(
        "LlamaConfig",
        "LlamaForCausalLM",
        tokenizers_of.llama3,
        {**GROUPED, **LLAMA3},
        ends=("<|eot_id|>", "<|end_header_id|>"),
        padded=6,
    ),
    "llama_wide_heads": Recipe(
        "LlamaConfig",
        "LlamaForCausalLM",
        llama_tokenizer,
        {**GROUPED, **rope(), "head_dim": 16, "attention_bias": True, "mlp_bias": True},
    ),
    "llama_linear": Recipe(
        "LlamaConfig",
        "LlamaForCausalLM",
        llama_tokenizer,
        {**GROUPED, **rope(rope_type="linear", factor=4.0)},
    ),
    "llama_yarn": Recipe(
        "LlamaConfig",
        "LlamaForCausalLM",
        llama_tokenizer,
        {**GROUPED, **rope(rope_type="yarn", factor=4.0, original_max_position_embeddings=64)},
    ),
    "llama_dynamic": Recipe(
        "LlamaConfig",
        "LlamaForCausalLM",
        llama_tokenizer,
        {**GROUPED, **rope(rope_type="dynamic", factor=4.0, original_max_position_embeddings=64)},
    ),
    "mistral": Recipe(
        "MistralConfig",
        "MistralForCausalLM",
        llama_tokenizer,
        {**GROUPED, **rope(), "sliding_window": None, "head_dim": 16},
    ),
    "mistral_window": Recipe(
        "MistralConfig", "MistralForCausalLM", llama_tokenizer, {**GROUPED, **rope(), "sliding_window": 48}
    ),
    "qwen2": Recipe(
        "Qwen2Config",
        "Qwen2ForCausalLM",
        tokenizers_of.qwen,
        {**GROUPED, **rope()},
        ends=CHATML_ENDS,
        padded=9,
    ),
    "qwen2_tied": Recipe(
        "Qwen2Config",
        "Qwen2ForCausalLM",
        tokenizers_of.qwen,
        {**GROUPED, **rope(), "tie_word_embeddings": True, "num_key_value_heads": 1},
        ends=CHATML_ENDS,
    ),
    "qwen2_window": Recipe(
        "Qwen2Config",
        "Qwen2ForCausalLM",
        tokenizers_of.qwen,
        {**GROUPED, **rope(), "use_sliding_window": True, "sliding_window": 48, "max_window_layers": 1},
        ends=CHATML_ENDS,
    ),
    "qwen3": Recipe(
        "Qwen3Config",
        "Qwen3ForCausalLM",
        tokenizers_of.qwen,
        {**GROUPED, **rope(), "head_dim": 16},
        ends=CHATML_ENDS,
    ),
    "gemma": Recipe(
        "GemmaConfig",
        "GemmaForCausalLM",
        tokenizers_of.gemma,
        {**GROUPED, **rope(), "num_key_value_heads": 1, "head_dim": 16},
        ends=("<end_of_turn>",),
    ),
    "gemma2": Recipe(
        "Gemma2Config",
        "Gemma2ForCausalLM",
        tokenizers_of.gemma,
        {**GROUPED, **rope(), "head_dim": 16, "attn_logit_softcapping": 5.0, "sliding_window": 48},
        ends=("<end_of_turn>",),
    ),
    "gemma3": Recipe(
        "Gemma3TextConfig",
        "Gemma3ForCausalLM",
        tokenizers_of.gemma,
        {**GROUPED, **GEMMA3, "layer_types": ["sliding_attention", "full_attention"]},
        ends=("<end_of_turn>",),
    ),
    "gemma3_with_eyes": Recipe(
        "Gemma3Config",
        "Gemma3ForConditionalGeneration",
        tokenizers_of.gemma,
        {
            "vision_config": {
                "hidden_size": 16,
                "intermediate_size": 16,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "image_size": 28,
                "patch_size": 14,
            },
            "mm_tokens_per_image": 4,
        },
        text={**GROUPED, **GEMMA3, "layer_types": ["full_attention", "sliding_attention"]},
        ends=("<end_of_turn>",),
    ),
    "phi": Recipe(
        "PhiConfig", "PhiForCausalLM", gpt2_tokenizer, {**MODERN, **rope(partial_rotary_factor=0.5)}, padded=4
    ),
    "phi3": Recipe(
        "Phi3Config",
        "Phi3ForCausalLM",
        llama_tokenizer,
        {**GROUPED, **rope(), "pad_token_id": 2, "sliding_window": 48},
    ),
    "phi3_long": Recipe(
        "Phi3Config",
        "Phi3ForCausalLM",
        llama_tokenizer,
        {
            **GROUPED,
            **LONGROPE,
            "pad_token_id": 2,
            "max_position_embeddings": 4096,
            "original_max_position_embeddings": 2048,
        },
    ),
    "xlnet": Recipe(
        "XLNetConfig",
        "XLNetLMHeadModel",
        tokenizers_of.unigram,
        {"d_model": WIDTH, "n_layer": LAYERS, "n_head": HEADS, "d_inner": FFN},
    ),
    "stablelm": Recipe("StableLmConfig", "StableLmForCausalLM", gpt2_tokenizer, {**GROUPED, **rope()}),
}


def make(name: str, folder: Path, *, seed: int = 1, **overrides: Any) -> Path:
    """Writes the checkpoint `name` with a few settings of its own, and returns its folder."""
    recipe = RECIPES[name]
    tokenizer = recipe.tokenizer()
    size = max(tokenizer.get_vocab().values()) + 1 + recipe.padded
    eos = tokenizer.convert_tokens_to_ids(tokenizer.eos_token)
    told = {
        "vocab_size": size,
        "eos_token_id": eos,
        "bos_token_id": tokenizer.bos_token_id,
        "tie_word_embeddings": False,
        **recipe.told,
        **overrides,
    }
    if recipe.text is not None:
        told["text_config"] = {"vocab_size": size, **recipe.text}
    config = getattr(transformers, recipe.config)(**told)
    torch.manual_seed(seed)
    with source.quietly():
        model = getattr(transformers, recipe.model)(config).eval()
    scale(model, seed=seed)
    ends = [tokenizer.convert_tokens_to_ids(end) for end in recipe.ends]
    model.generation_config = transformers.GenerationConfig(
        eos_token_id=ends or eos, bos_token_id=tokenizer.bos_token_id, pad_token_id=eos
    )
    with source.quietly():
        model.save_pretrained(folder)
    if not tokenizer.chat_template:
        tokenizer.chat_template = tokenizers_of.ZEPHYR
    tokenizer.save_pretrained(folder)
    return folder


def scale(model: Any, *, seed: int) -> None:
    """Random weights anew, by their part in the model."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            noise = torch.randn(weight.shape, generator=generator)
            if weight.dim() < 2:
                weight.add_(noise * 0.3)
            elif "emb" in name or "wte" in name or "wpe" in name:
                weight.copy_(noise)
            else:
                weight.copy_(noise * _gain(name) / _fan_in(model, name, weight) ** 0.5)


def _gain(name: str) -> float:
    if "lm_head" in name or "embed_out" in name:
        return HEAD
    if any(part in name for part in ("q_proj", "k_proj", "query", "qkv", "c_attn", "Wqkv")):
        return SHARP
    return PLAIN


def _fan_in(model: Any, name: str, weight: Any) -> int:
    owner = model.get_submodule(name.rpartition(".")[0])
    transposed = isinstance(owner, transformers.pytorch_utils.Conv1D)
    return int(weight.shape[0] if transposed else weight.shape[1])


@contextmanager
def one_thread() -> Iterator[None]:
    """Tiny matrices are computed sooner by one thread than by several that wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parity_sides, "cores", lambda: 1)
        yield
    torch.set_num_threads(before)


def rewrite(file: Path, **changes: Any) -> None:
    """Some keys of a JSON file anew; None removes one."""
    value = {**json.loads(file.read_text(encoding="utf-8")), **changes}
    file.write_text(json.dumps({k: v for k, v in value.items() if v is not None}), encoding="utf-8")
