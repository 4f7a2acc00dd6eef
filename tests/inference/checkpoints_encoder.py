"""Tiny checkpoints of encoders, with a task head or bare, as transformers and sentence-transformers write them.

Weights are scaled as in `checkpoints`: nothing can hide behind small numbers. Each tokenizer is the family's own class.
"""

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import save_file

from tests.inference import families as tokenizers_of
from tests.inference.checkpoints import scale

WIDTH, HEADS, LAYERS, FFN, POSITIONS = 32, 4, 2, 48, 66
LABELS = ("billing", "delivery", "person")

LETTERS = [chr(code) for code in range(33, 127) if not chr(code).isupper()]
FOREIGN = ["ü", "ö", "ß", "é", "我", "的", "订", "к", "а"]
WORDS = ["hello", "there", "parcel", "invoice", "person", "where", "ordered", "wrong", "work"]


def wordpiece() -> Any:
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    single = [*LETTERS, *FOREIGN]
    names = [
        *marks,
        *single,
        *(f"##{letter}" for letter in single if letter.isalnum()),
        *WORDS,
        "##ed",
        "##s",
    ]
    return transformers.BertTokenizer(vocab={name: i for i, name in enumerate(dict.fromkeys(names))})


def distilbert() -> Any:
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    names = [*marks, *LETTERS, *(f"##{letter}" for letter in LETTERS), *WORDS]
    vocabulary = {name: i for i, name in enumerate(dict.fromkeys(names))}
    return transformers.DistilBertTokenizer(vocab=vocabulary, do_lower_case=False)


def byte_level() -> Any:
    words, merges = tokenizers_of._byte_level_words()
    names = ["<s>", "<pad>", "</s>", "<unk>", *words, "<mask>"]
    vocabulary = {name: i for i, name in enumerate(dict.fromkeys(names))}
    return transformers.RobertaTokenizer(vocab=vocabulary, merges=merges)


def pieces(*marks: str) -> list[tuple[str, float]]:
    letters = [*LETTERS, *(chr(code) for code in range(65, 91)), *FOREIGN, "▁"]
    words = [*WORDS, *(f"▁{word}" for word in WORDS), "▁I", "▁the", "ed", "s"]
    listed = [(mark, 0.0) for mark in marks]
    listed += [(letter, -9.0 - 0.01 * i) for i, letter in enumerate(dict.fromkeys(letters))]
    return listed + [(word, -3.0 - 0.01 * i) for i, word in enumerate(words) if word not in letters]


def xlm_roberta() -> Any:
    return transformers.XLMRobertaTokenizer(vocab=[*pieces("<s>", "<pad>", "</s>", "<unk>"), ("<mask>", 0.0)])


def camembert() -> Any:
    marks = ("<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>", "<unk>NOTUSED", "<s>", "</s>")
    return transformers.CamembertTokenizer(vocab=[*pieces(*marks), ("<mask>", 0.0)])


@dataclass(frozen=True)
class Recipe:
    """How to make one."""

    stem: str  # of the classes of transformers
    config: str
    tokenizer: Callable[[], Any]
    told: dict[str, Any] = field(default_factory=dict)


BERT = {
    "hidden_size": WIDTH,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "intermediate_size": FFN,
    "max_position_embeddings": POSITIONS,
}
DISTIL = {
    "dim": WIDTH,
    "n_layers": LAYERS,
    "n_heads": HEADS,
    "hidden_dim": FFN,
    "max_position_embeddings": POSITIONS,
}

RECIPES = {
    "bert": Recipe("Bert", "BertConfig", wordpiece, {**BERT, "layer_norm_eps": 1e-3}),
    "distilbert": Recipe("DistilBert", "DistilBertConfig", distilbert, DISTIL),
    "roberta": Recipe("Roberta", "RobertaConfig", byte_level, {**BERT, "type_vocab_size": 1}),
    "xlm_roberta": Recipe(
        "XLMRoberta", "XLMRobertaConfig", xlm_roberta, {**BERT, "type_vocab_size": 1, "layer_norm_eps": 1e-5}
    ),
    "camembert": Recipe("Camembert", "CamembertConfig", camembert, {**BERT, "type_vocab_size": 1}),
}


def make(
    name: str,
    folder: Path,
    *,
    task: str = "ForSequenceClassification",
    labels: tuple[str, ...] = LABELS,
    seed: int = 1,
    tokenizer: Any = None,
    **overrides: Any,
) -> Path:
    """Writes the checkpoint `name` with a few settings of its own, and returns its folder. task "Model" is bare."""
    recipe = RECIPES[name]
    tokenizer = tokenizer or recipe.tokenizer()
    tokenizer.model_max_length = 10**30
    told = {
        "vocab_size": max(tokenizer.get_vocab().values()) + 3,
        "pad_token_id": tokenizer.pad_token_id,
        "id2label": dict(enumerate(labels)),
        "label2id": {label: i for i, label in enumerate(labels)},
        **recipe.told,
        **overrides,
    }
    config = getattr(transformers, recipe.config)(**told)
    torch.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # transformers' own, about odd settings
        model = getattr(transformers, f"{recipe.stem}{task}")(config).eval()
    scale(model, seed=seed)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def as_sentence_transformers(
    folder: Path,
    *,
    pooling: dict[str, Any],
    dense: str = "",
    normalised: bool = False,
    settings: dict[str, Any] | None = None,
) -> Path:
    """The files that sentence-transformers puts beside a bare encoder."""
    steps = ["Transformer", "Pooling", *(["Dense"] if dense else []), *(["Normalize"] if normalised else [])]
    paths = ["", *(f"{at}_{step}" for at, step in enumerate(steps) if at)]
    listed = [
        {"idx": at, "name": str(at), "path": path, "type": f"sentence_transformers.models.{step}"}
        for at, (step, path) in enumerate(zip(steps, paths, strict=True))
    ]
    (folder / "modules.json").write_text(json.dumps(listed))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    if settings:
        (folder / "sentence_bert_config.json").write_text(json.dumps(settings))
    if dense:
        layer = folder / "2_Dense"
        layer.mkdir()
        (layer / "config.json").write_text(json.dumps({"activation_function": dense}))
        random = torch.Generator().manual_seed(5)
        weight, bias = torch.randn(20, WIDTH, generator=random), torch.randn(20, generator=random)
        save_file({"linear.weight": weight / WIDTH**0.5, "linear.bias": bias}, layer / "model.safetensors")
    return folder


def mean_pooling() -> dict[str, Any]:
    """As all-MiniLM-L6-v2 has it."""
    return {
        "word_embedding_dimension": WIDTH,
        "pooling_mode_cls_token": False,
        "pooling_mode_mean_tokens": True,
        "pooling_mode_max_tokens": False,
        "pooling_mode_mean_sqrt_len_tokens": False,
    }
