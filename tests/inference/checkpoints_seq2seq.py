"""Tiny checkpoints of encoder-decoders, as transformers writes them, with tokenizers built here.

Weights are scaled as in `checkpoints`: nothing can hide behind small numbers. What a text becomes for the encoder
(the end, a language before it) is in each tokenizer's post-processor, as in published ones.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

from tests.inference import families as tokenizers_of
from tests.inference.checkpoints import scale
from tests.inference.checkpoints_encoder import pieces

WIDTH, HEADS, LAYERS, FFN, POSITIONS = 32, 4, 2, 48, 64
LANGUAGES = ("en_XX", "de_DE")


def t5() -> Any:
    return transformers.T5Tokenizer(vocab=pieces("<pad>", "</s>", "<unk>"), extra_ids=8)


def bart() -> Any:
    words, merges = tokenizers_of._byte_level_words()
    names = ["<s>", "<pad>", "</s>", "<unk>", *words, "<mask>"]
    vocabulary = {name: i for i, name in enumerate(dict.fromkeys(names))}
    return transformers.BartTokenizer(vocab=vocabulary, merges=merges)


def pegasus() -> Any:
    return _unigram(["<pad>", "</s>", "<unk>"], single="$A </s>")


def marian() -> Any:
    """The padding token is the last, and Marian's start."""
    return _unigram(["</s>", "<unk>"], single="$A </s>", last="<pad>")


def many_languages() -> Any:
    """As NLLB's and mBART-50's: the language before the text."""
    return _unigram(
        ["<s>", "<pad>", "</s>", "<unk>"], single=f"{LANGUAGES[0]} $A </s>", added=(*LANGUAGES, "<mask>")
    )


def _unigram(marks: list[str], *, single: str, added: tuple[str, ...] = (), last: str = "") -> Any:
    listed = [*pieces(*marks), *((token, 0.0) for token in (*added, last) if token)]
    inner = Tokenizer(models.Unigram(listed, unk_id=marks.index("<unk>"), byte_fallback=False))
    inner.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    inner.decoder = decoders.Metaspace()
    special = [*marks, *added, *([last] if last else [])]
    inner.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    named = [(word, inner.token_to_id(word)) for word in single.split() if word != "$A"]
    inner.post_processor = processors.TemplateProcessing(single=single, special_tokens=named)
    named = {"bos_token": "<s>"} if "<s>" in marks else {}
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", **named
    )


@dataclass(frozen=True)
class Recipe:
    """How to make one. `generation` goes into generation_config.json, with tokens for ids."""

    model: str
    config: str
    tokenizer: Callable[[], Any]
    told: dict[str, Any] = field(default_factory=dict)
    start: str = "</s>"
    forced: str = ""
    padded: int = 3  # rows of the embeddings beyond the tokenizer's last token
    untied: bool = False  # with a last layer of its own, as T5 1.1


T5 = {
    "d_model": WIDTH,
    "d_kv": 16,  # all heads together are wider than the model
    "d_ff": FFN,
    "num_layers": LAYERS,
    "num_heads": HEADS,
    "relative_attention_num_buckets": 8,
    "relative_attention_max_distance": 20,
    "layer_norm_epsilon": 1e-3,
}
GATED = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}
BART = {
    "d_model": WIDTH,
    "encoder_layers": LAYERS,
    "decoder_layers": LAYERS,
    "encoder_attention_heads": HEADS,
    "decoder_attention_heads": HEADS,
    "encoder_ffn_dim": FFN,
    "decoder_ffn_dim": FFN,
    "max_position_embeddings": POSITIONS,
    "forced_eos_token_id": None,
}

RECIPES = {
    "t5": Recipe("T5ForConditionalGeneration", "T5Config", t5, T5, start="<pad>"),
    "flan_t5": Recipe(
        "T5ForConditionalGeneration", "T5Config", t5, {**T5, **GATED}, start="<pad>", untied=True
    ),
    "mt5": Recipe(
        "MT5ForConditionalGeneration", "MT5Config", t5, {**T5, **GATED}, start="<pad>", untied=True
    ),
    "umt5": Recipe(
        "UMT5ForConditionalGeneration", "UMT5Config", t5, {**T5, **GATED}, start="<pad>", untied=True
    ),
    "bart": Recipe("BartForConditionalGeneration", "BartConfig", bart, BART, forced="<s>", padded=0),
    "mbart": Recipe(
        "MBartForConditionalGeneration",
        "MBartConfig",
        many_languages,
        {**BART, "scale_embedding": True},
        start=LANGUAGES[1],  # as mBART-25, which is told its language by the first token
    ),
    "m2m100": Recipe(
        "M2M100ForConditionalGeneration",
        "M2M100Config",
        many_languages,
        {**BART, "scale_embedding": True},
        forced=LANGUAGES[1],
    ),
    "pegasus": Recipe(
        "PegasusForConditionalGeneration",
        "PegasusConfig",
        pegasus,
        {**BART, "scale_embedding": True},
        start="<pad>",
    ),
    "marian": Recipe(
        "MarianMTModel", "MarianConfig", marian, {**BART, "scale_embedding": True}, start="<pad>", padded=0
    ),
}


def make(name: str, folder: Path, *, seed: int = 1, loud: bool = False, **overrides: Any) -> Path:
    """Writes the checkpoint `name` with a few settings of its own, and returns its folder. `loud`: its layers, not the
    last word, decide what it says next, so that answers differ; too finely for int8."""
    recipe = RECIPES[name]
    tokenizer = recipe.tokenizer()
    ids = {word: tokenizer.convert_tokens_to_ids(word) for word in (recipe.start, recipe.forced) if word}
    told = {
        "vocab_size": max(tokenizer.get_vocab().values()) + 1 + recipe.padded,
        "eos_token_id": tokenizer.eos_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "decoder_start_token_id": ids[recipe.start],
        **recipe.told,
        **overrides,
    }
    config = getattr(transformers, recipe.config)(**told)
    torch.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # transformers' own, about odd settings
        model = getattr(transformers, recipe.model)(config).eval()
    scale(model, seed=seed)
    _finely(model, untied=recipe.untied, loud=loud, seed=seed)
    model.generation_config = transformers.GenerationConfig(
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        decoder_start_token_id=ids[recipe.start],
        **({"forced_bos_token_id": ids[recipe.forced]} if recipe.forced else {}),
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _finely(model: Any, *, untied: bool, loud: bool, seed: int) -> None:
    """What `checkpoints.scale` does not know: T5 divides no queries and adds biases by distance, Marian begins with
    zeros. Layers add less than what is there (as in trained models), and a last layer of its own likes one word after
    each: otherwise int8's rounding, large in so narrow a model, would decide what is said."""
    generator = torch.Generator().manual_seed(seed)

    def noise(weight: Any) -> Any:
        return torch.randn(weight.shape, generator=generator)

    words = model.get_input_embeddings().weight
    scaled = getattr(model.config, "scale_embedding", False)
    with torch.no_grad():
        # scaled again by the root of the width, they would drown what the layers add
        words.copy_(noise(words) * (0.4 if scaled else 1.0) * (0.3 if loud else 1.0))
        for name, weight in model.named_parameters():
            if "relative_attention_bias" in name:
                weight.copy_(noise(weight))
            elif name.endswith((".q.weight", ".q_proj.weight")):
                weight.mul_(0.3 if name.endswith(".q.weight") else 0.6)
            elif name.endswith((".wo.weight", ".o.weight", "fc2.weight", "out_proj.weight")):
                weight.mul_(1.5 if loud else 0.3)
        if untied:
            others = torch.randperm(len(words), generator=generator)
            model.lm_head.weight = torch.nn.Parameter(
                words[others] * 0.5 + noise(words) * (0.5 if loud else 0.1)
            )
        elif hasattr(model, "decoder"):
            model.decoder.final_layer_norm.weight.mul_(3)
        if (bias := getattr(model, "final_logits_bias", None)) is not None:
            bias.copy_(noise(bias) * 0.3)
        if type(model).__name__ == "MarianMTModel":
            words[-1] = 0
