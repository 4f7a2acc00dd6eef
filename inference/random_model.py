"""Model folders of random weights: complete and runnable at once, for tests and benchmarks without a download.

Knows how such a folder is made. What it answers means nothing, but reads like text: words, commas, sentence ends.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

Array = npt.NDArray[np.float32]

STARTS = ("The", "Our", "We", "You", "They", "This", "Every", "Some", "Many", "Perhaps")
WORDS = (
    *(
        "the",
        "our",
        "a",
        "desk",
        "door",
        "guest",
        "letter",
        "answer",
        "question",
        "morning",
        "evening",
        "city",
    ),
    *(
        "garden",
        "river",
        "light",
        "time",
        "small",
        "old",
        "new",
        "kind",
        "quiet",
        "asks",
        "finds",
        "opens",
        "sends",
    ),
    *(
        "keeps",
        "reads",
        "waits",
        "and",
        "or",
        "with",
        "near",
        "before",
        "after",
        "here",
        "again",
        "now",
        "soon",
    ),
)
ENDS = (".", "?", "!")
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

# Added to the logits of tokens that are no words: far below all others, and still a number in half precision.
_NEVER = -10_000.0

# How much the random layers change what follows a word. Less and the prompt hardly matters, more and grammar is lost.
_NOISE = 0.7

# The largest logit: sampled at temperature 1, an answer still mostly keeps to its grammar.
_SURE = 5.0

# Words that may follow a word: enough that greedy decoding seldom comes round in a circle.
_FOLLOWERS = 5


@dataclass(frozen=True, slots=True)
class _Shape:
    layers: int
    width: int
    heads: int
    kv_heads: int
    feed_forward: int
    vocabulary: int  # filler tokens make up the rest; 0: no filler
    context: int
    int8: bool = True  # else float32


SHAPES = {
    "tiny": _Shape(2, 64, 4, 2, 128, 0, 512, int8=False),
    # SmolLM2-135M's: many small steps, where whatever is not arithmetic shows.
    "0.1b": _Shape(30, 576, 9, 3, 1536, 49_152, 8_192),
    # Qwen2.5-0.5B's: the smallest model that people really use.
    "0.5b": _Shape(24, 896, 14, 2, 4864, 151_936, 32_768),
    # Qwen2.5-1.5B's and Llama-3.1-8B's, for a GPU.
    "1.5b": _Shape(28, 1536, 12, 2, 8960, 151_936, 32_768),
    "8b": _Shape(32, 4096, 32, 8, 14_336, 128_256, 32_768),
}


def make(folder: Path, *, shape: str = "tiny", seed: int = 0, quantization: str = "") -> Path:
    """Write a converted CTranslate2 model of random weights into `folder` (made if need be), and return it.

    "tiny" takes milliseconds and loads in as many; "0.5b" takes half a minute, 0.7 GB of disk and 2 GB of memory,
    "8b" some minutes, 9 GB of disk and about 10 GB of memory. The same seed makes the same weights, whatever they are
    rounded to: `quantization` is one of CTranslate2's types, the shape's own when empty. It never ends its answer by
    itself. Raises KeyError for an unknown shape.
    """
    chosen = SHAPES[shape]
    if quantization:
        chosen = replace(chosen, int8=False)  # whole at first: CTranslate2 rounds
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer(vocabulary=chosen.vocabulary)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "chat_template.jinja").write_text(TEMPLATE, encoding="utf-8")
    ends = [tokenizer.token_to_id(token) for token in ("<|im_end|>", "<|endoftext|>")]
    _write(folder / "generation_config.json", {"eos_token_id": ends})
    _write(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "eos_token": "<|im_end|>",
            "pad_token": "<|endoftext|>",
            "model_max_length": chosen.context,
            "clean_up_tokenization_spaces": False,
        },
    )
    card = {
        "context_length": chosen.context,
        "description": "Random weights: for tests and benchmarks only.",
    }
    _write(folder / "frontdesk.json", card)
    _save(folder, chosen, tokenizer, rng=np.random.default_rng(seed), quantization=quantization)
    return folder


def _write(file: Path, value: dict[str, Any]) -> None:
    file.write_text(json.dumps(value, indent=2), encoding="utf-8")


def _tokenizer(*, vocabulary: int) -> Tokenizer:
    """Byte-level BPE: every byte is a token, and so is each word with its space, merged letter by letter."""
    tokens = dict.fromkeys(sorted(pre_tokenizers.ByteLevel.alphabet()))
    merges: dict[tuple[str, str], None] = {}
    for word in (*WORDS, *STARTS):
        grown = "Ġ"
        for letter in word:
            merges[grown, letter] = None
            grown += letter
            tokens[grown] = None
    names = [*tokens, *SPECIAL]
    names += [f"<filler_{number}>" for number in range(len(names), vocabulary)]
    tokenizer = Tokenizer(models.BPE(vocab={name: i for i, name in enumerate(names)}, merges=[*merges]))
    tokenizer.add_special_tokens([*SPECIAL])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r" ?\p{L}+| ?[^\s\p{L}]|\s+(?!\S)|\s+"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _save(
    folder: Path, shape: _Shape, tokenizer: Tokenizer, *, rng: np.random.Generator, quantization: str
) -> None:
    # imported here, since it brings PyTorch along where that is installed
    from ctranslate2.specs import common_spec, transformer_spec

    spec = transformer_spec.TransformerDecoderModelSpec.from_config(
        shape.layers,
        shape.heads,
        num_heads_kv=shape.kv_heads,
        activation=common_spec.Activation.SWISH,
        ffn_glu=True,
        rms_norm=True,
        rotary_dim=0,
        rotary_interleave=False,
        rotary_base=10_000,
    )
    decoder = spec.decoder
    decoder.scale_embeddings = False
    size = tokenizer.get_vocab_size()
    _fill_head(decoder, shape, tokenizer, rng=rng)
    for layer in decoder.layer:
        _fill(layer, shape, rng=rng)
    spec.register_vocabulary([tokenizer.id_to_token(i) for i in range(size)])
    spec.config.bos_token = spec.config.unk_token = "<|endoftext|>"  # noqa: S105 (a token of text)
    spec.config.eos_token = "<|im_end|>"  # noqa: S105
    spec.config.layer_norm_epsilon = 1e-6
    spec.validate()
    if quantization:
        spec.optimize(quantization=quantization)
    spec.save(str(folder))


def _random(rng: np.random.Generator, rows: int, columns: int, *, scale: float = 1.0) -> Array:
    values = rng.standard_normal((rows, columns), dtype=np.float32)
    values *= np.float32(scale)
    return values


def _set(part: Any, weight: Array, *, int8: bool) -> None:
    """Rounded at once, as CTranslate2 would at the end: so few matrices of a large model are ever in float32."""
    if int8:
        scale = np.float32(127) / np.abs(weight).max(axis=1)
        weight *= scale[:, None]
        part.weight, part.weight_scale = np.rint(weight, out=weight).astype(np.int8), scale
    else:
        part.weight = weight


def _fill_head(decoder: Any, shape: _Shape, tokenizer: Tokenizer, *, rng: np.random.Generator) -> None:
    """What comes before the layers and after them."""
    embeddings = _random(rng, tokenizer.get_vocab_size(), shape.width)
    weight, decoder.projection.bias = _head(tokenizer, embeddings, rng=rng)
    _set(decoder.projection, weight, int8=shape.int8)
    _set(decoder.embeddings, embeddings, int8=shape.int8)
    decoder.layer_norm.gamma = np.ones(shape.width, np.float32)


def _fill(layer: Any, shape: _Shape, *, rng: np.random.Generator) -> None:
    """One layer whose output is small beside what goes in: all layers together add noise of length `_NOISE`."""
    width = shape.width
    out = _NOISE / (2 * shape.layers) ** 0.5
    qkv = width + 2 * shape.kv_heads * (width // shape.heads)
    attention, ffn = layer.self_attention, layer.ffn
    attention.layer_norm.gamma = ffn.layer_norm.gamma = np.ones(width, np.float32)

    def fill(part: Any, rows: int, columns: int, *, scale: float) -> None:
        _set(part, _random(rng, rows, columns, scale=scale), int8=shape.int8)

    # queries and keys are long, so that attention picks some words instead of blending all into the same
    fill(attention.linear[0], qkv, width, scale=2 / width**0.5)
    fill(attention.linear[1], width, width, scale=out / width**0.5)
    fill(ffn.linear_0, shape.feed_forward, width, scale=1 / width**0.5)
    fill(ffn.linear_0_noact, shape.feed_forward, width, scale=1 / width**0.5)
    fill(ffn.linear_1, width, shape.feed_forward, scale=2 * out / shape.feed_forward**0.5)


def _head(tokenizer: Tokenizer, embeddings: Array, *, rng: np.random.Generator) -> tuple[Array, Array]:
    """Output weights under which each word is followed by one of a few; the random layers choose between those.

    The words' embeddings are made orthogonal (in place), since in a small width chance alone would join any two.
    """
    vocabulary = tokenizer.get_vocab()
    starts, words = ([vocabulary[f"Ġ{word}"] for word in kind] for kind in (STARTS, WORDS))
    ends, opening = [vocabulary[end] for end in ENDS], vocabulary["Ċ"]
    said = [*starts, *words, *ends, opening]
    size, width = embeddings.shape
    embeddings[said] = np.linalg.qr(embeddings[said].T)[0].T * width**0.5
    strength = np.float32(_SURE / width)  # times the same embedding, normalised: about _SURE
    weight = _random(rng, size, width, scale=1 / width)
    for word in starts + words:
        others = [other for other in words if other != word]
        weight[rng.choice(others, _FOLLOWERS, replace=False)] += embeddings[word] * strength
    for word in words:
        weight[rng.choice(ends)] += embeddings[word] * strength
    weight[starts] += (embeddings[[opening, *ends]] * strength).sum(axis=0)
    bias = np.full(size, _NEVER, np.float32)
    bias[said[:-1]] = 0
    return weight, bias
