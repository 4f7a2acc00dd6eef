"""Encoders with a task head, and encoders that embed: which CTranslate2 runs right, and the head that it leaves behind.

CTranslate2 runs the encoder alone. What stands on it is written beside it as head.npz when a model is converted, and
applied in NumPy (`inference.heads`). The stock loaders' pooler is left out: it is a layer of the head, and where a
checkpoint has none, transformers would fill it with random numbers.

What `frontdesk train classifier` writes is a source like any other: a bare encoder, and its heads in the same file,
head.npz. Its architecture has a name of its own (`trained_here`), so that nobody takes it for transformers' classifier.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference.families.family import Config, Family, Kind, Route
from inference.library import read_json

if TYPE_CHECKING:
    from inference.heads import Head, Layer, Outcome
    from inference.parity import Report

# What CTranslate2's feed-forward layer can compute, by transformers' names.
ACTIVATIONS = {
    *("gelu", "gelu_fast", "gelu_new", "gelu_python", "gelu_pytorch_tanh", "quick_gelu"),
    *("relu", "silu", "swish"),
}

# What sentence-transformers calls the layers behind its pooling.
_DENSE = {
    "torch.nn.modules.linear.Identity": "",
    "torch.nn.modules.activation.Tanh": "tanh",
    "torch.nn.modules.activation.ReLU": "relu",
    "torch.nn.modules.activation.GELU": "gelu",
}

# Of what sentence-transformers can pool by, what we can, and the words of its older and its newer files.
_POOLINGS = {"cls": "cls_token", "mean": "mean_tokens", "max": "max_tokens"}

# Tokenizers that do not know their limit write 10**30 into model_max_length.
_BELIEVABLE = 10_000_000

_TRAINED = "ForFrontdeskClassification"  # ends the architecture's name of what was trained here


@dataclass(frozen=True, slots=True)
class _Build:
    """One architecture of BERT's kind: its configuration's class, and which layers its task head has, in order, with
    what follows each."""

    title: str
    config: str
    stem: str  # of its classes' names
    layers: tuple[tuple[str, str], ...]
    offset: bool = False  # positions begin behind the padding token's id


_CLS = (("classifier.dense", "tanh"), ("classifier.out_proj", ""))
_BUILDS = (
    _Build("BERT", "BertConfig", "Bert", (("bert.pooler.dense", "tanh"), ("classifier", ""))),
    _Build("DistilBERT", "DistilBertConfig", "DistilBert", (("pre_classifier", "relu"), ("classifier", ""))),
    _Build("RoBERTa", "RobertaConfig", "Roberta", _CLS, offset=True),
    _Build("XLM-RoBERTa", "XLMRobertaConfig", "XLMRoberta", _CLS, offset=True),
    _Build("CamemBERT", "CamembertConfig", "Camembert", _CLS, offset=True),
)


def _families() -> tuple[Family, ...]:
    made = []
    for build in _BUILDS:
        heads = f"{build.stem}ForSequenceClassification", f"{build.stem}{_TRAINED}"
        made += [_family(build, "classifier", *heads), _family(build, "embedder", f"{build.stem}Model")]
    return tuple(made)


def trained_here(bare: str) -> str | None:
    """What a classifier is called that was trained here on the encoder of this class; None where heads cannot stand on
    such an encoder."""
    stem = bare.removesuffix("Model")
    return f"{stem}{_TRAINED}" if stem in {build.stem for build in _BUILDS} else None


def _family(build: _Build, kind: Any, *architectures: str) -> Family:
    note = (
        "head applied in NumPy"
        if kind == "classifier"
        else "pooled as sentence-transformers says, else the mean"
    )
    return Family(
        name=build.title,
        architectures=architectures,
        kind=kind,
        note=note,
        decide=_decide(build),
        patched=_patched(build),
        finish=_finish(build, kind),
        parity=_parity(kind),
    )


# -- which engine ----------------------------------------------------------------------------------------------


def _decide(build: _Build) -> Callable[[Config], Route]:
    def decide(config: Config) -> Route:
        positions = config.get("position_embedding_type") or "absolute"
        if positions != "absolute":
            return Route(
                "refused",
                f"It counts positions in its own way ({positions}), which CTranslate2 and transformers 5 do not.",
            )
        if config.get("is_decoder") or config.get("add_cross_attention"):
            return Route(
                "transformers", "It reads from left to right only, which CTranslate2's encoders do not."
            )
        activation = config.get("hidden_act") or config.get("activation") or "gelu"
        if activation not in ACTIVATIONS:
            return Route("transformers", f"CTranslate2 does not compute the activation {activation}.")
        return Route("ctranslate2", context_length=positions_of(build, config))

    return decide


def positions_of(build: _Build, config: Config) -> int | None:
    """Tokens that it has positions for: of RoBERTa's 514 two are never used, for they stand before the first."""
    held = config.get("max_position_embeddings")
    if not isinstance(held, int):
        return None
    padding = config.get("pad_token_id")
    return held - (1 if padding is None else int(padding)) - 1 if build.offset else held


# -- the converter ---------------------------------------------------------------------------------------------


def _patched(build: _Build) -> Callable[[Config], AbstractContextManager[None]]:
    def patched(_: Config) -> AbstractContextManager[None]:
        from ctranslate2.converters import transformers as stock

        from inference.families import loaders

        # the table of loaders is private; there is no other way to the stock one
        base = type(stock._MODEL_LOADERS[build.config])  # noqa: SLF001
        mends = [_without_pooler, *([_positions] if build.offset else [])]
        return loaders.instead({build.config: loaders.mend(base, *mends, ready=_absolute)})

    return patched


def _absolute(model: Any) -> None:
    """The stock loaders ask for a key that transformers 5 has dropped, with the only value it ever computes."""
    model.config.position_embedding_type = "absolute"


def _without_pooler(spec: Any, _: Any) -> None:
    for name in ("pooler_dense", "pooler_activation"):
        if hasattr(spec, name):
            delattr(spec, name)


def _positions(spec: Any, model: Any) -> None:
    """The stock loaders begin at the first where the padding token's id is 0; the model begins behind it even so."""
    table = model.base_model.embeddings.position_embeddings
    spec.encoder.position_encodings.encodings = table.weight[table.padding_idx + 1 :]


# -- the head --------------------------------------------------------------------------------------------------


def _finish(build: _Build, kind: Kind) -> Callable[[Path, Path], None]:
    def finish(source: Path, made: Path) -> None:
        """Writes head.npz."""
        from inference.convert import source as sources
        from inference.heads import FILE, Heads

        if kind == "classifier" and (source / FILE).is_file():
            return Heads.load(source).save(made)
        config = sources.configuration(source)
        head = _classifying(build, source) if kind == "classifier" else _embedding(source)
        Heads(
            {"default": head},
            width=int(config.get("hidden_size") or config["dim"]),
            max_tokens=max_tokens(source, positions=positions_of(build, config)),
            vocabulary=int(config["vocab_size"]),
            lower=bool(read_json(source / "sentence_bert_config.json").get("do_lower_case")),
        ).save(made)
        return None

    return finish


def max_tokens(source: Path, *, positions: int | None) -> int:
    """As many as everything that knows a limit allows."""
    told = (
        positions,
        read_json(source / "tokenizer_config.json").get("model_max_length"),
        read_json(source / "sentence_bert_config.json").get("max_seq_length"),
    )
    known = [int(limit) for limit in told if isinstance(limit, int | float) and 2 < limit < _BELIEVABLE]
    if not known:
        raise refused(
            f"{source} does not say how many tokens it reads. Add max_position_embeddings to its config."
        )
    return min(known)


def _classifying(build: _Build, source: Path) -> Head:
    """The task head of the checkpoint as transformers reads it."""
    from transformers import AutoModelForSequenceClassification

    from inference.heads import Head

    model, told = AutoModelForSequenceClassification.from_pretrained(
        source,
        dtype="float32",
        use_safetensors=True,
        trust_remote_code=False,
        local_files_only=True,
        output_loading_info=True,
    )
    if lost := sorted(told["missing_keys"]):  # transformers fills them with random numbers
        raise refused(
            f"{source.name} has no weights for {', '.join(lost[:5])}: it was not trained for this task."
        )
    layers = tuple(_layer(model.get_submodule(name), activation) for name, activation in build.layers)
    labels = tuple(str(model.config.id2label[at]) for at in range(model.config.num_labels))
    if len(set(labels)) < len(labels):
        raise refused(f"{source} gives two outputs one name: {', '.join(labels)}. Name them in id2label.")
    return Head("cls", layers, _outcome(model.config), labels)


def _outcome(config: Any) -> Outcome:
    """As transformers' pipeline reads it."""
    if config.problem_type == "regression":
        return "raw"
    return (
        "sigmoid"
        if config.problem_type == "multi_label_classification" or config.num_labels == 1
        else "softmax"
    )


def _layer(linear: Any, activation: str) -> Layer:
    from inference.heads import Layer

    weight = linear.weight.detach().float().numpy().copy()
    bias = weight[:, 0] * 0 if linear.bias is None else linear.bias.detach().float().numpy().copy()
    return Layer(weight, bias, activation)  # type: ignore[arg-type]


def _embedding(source: Path) -> Head:
    """What sentence-transformers' modules.json says is done with the states: pooled, through dense layers, brought to
    length 1. Without that file the mean, as sentence-transformers does too."""
    from inference.heads import Head

    listed = source / "modules.json"
    if not listed.is_file():
        return Head("mean")
    pooling, layers, normalised = "mean", [], False
    for module in json.loads(listed.read_text(encoding="utf-8")):
        kind, folder = str(module["type"]).rpartition(".")[2], _beside(source, str(module["path"]))
        if kind == "Pooling":
            pooling = pooling_of(read_json(folder / "config.json"))
        elif kind == "Dense" and not normalised:
            layers.append(_dense(folder))
        elif kind == "Normalize":
            normalised = True
        elif kind not in ("Transformer", "Dropout"):
            raise refused(f"{listed} asks for {module['type']}, which Frontdesk does not compute.")
    return Head(pooling, tuple(layers), normalised=normalised)  # type: ignore[arg-type]


def pooling_of(config: Config) -> str:
    """From 1_Pooling/config.json: one word in new files, one switch for each way in older ones."""
    if "pooling_mode" in config:
        asked = config["pooling_mode"]
        wanted = [asked] if isinstance(asked, str) else list(asked)
    else:
        on = [name.removeprefix("pooling_mode_") for name, value in config.items() if value is True]
        wanted = [word for name in on for word, old in _POOLINGS.items() if name == old]
        wanted += [name for name in on if name.endswith("tokens") and name not in _POOLINGS.values()]
        wanted += [name for name in on if name == "lasttoken"]
    if len(wanted) != 1 or wanted[0] not in _POOLINGS:
        raise refused(
            f"It pools by {', '.join(wanted) or 'nothing'}; Frontdesk pools by {', '.join(_POOLINGS)}."
        )
    return str(wanted[0])


def _dense(folder: Path) -> Layer:
    import numpy as np
    from safetensors.torch import load_file

    from inference.heads import Layer

    config = read_json(folder / "config.json")
    activation = _DENSE.get(str(config.get("activation_function")))
    if activation is None:
        raise refused(
            f"{folder} has the activation {config.get('activation_function')}, which we do not compute."
        )
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise refused(
            f"{folder} has no model.safetensors. Take a copy of the model whose parts are all safetensors."
        )
    tensors = load_file(weights)
    weight = tensors["linear.weight"].float().numpy()
    bias = (
        tensors["linear.bias"].float().numpy()
        if "linear.bias" in tensors
        else np.zeros(len(weight), np.float32)
    )
    return Layer(weight, bias, activation)  # type: ignore[arg-type]


def _beside(source: Path, name: str) -> Path:
    """A folder named by a file of the source: inside it, whatever the file says."""
    folder = (source / name).resolve()
    if not folder.is_relative_to(source.resolve()):
        raise refused(f"modules.json of {source} points outside the folder ({name!r}).")
    return folder


def _parity(kind: Kind) -> Callable[..., Report]:
    def parity(**asked: Any) -> Report:
        from inference.parity.encoder import compare

        return compare(kind=kind, **asked)

    return parity


def refused(sentence: str) -> Exception:
    """What `convert` raises; imported late, since that file imports the families."""
    from inference.convert.intake import ConversionRefused

    return ConversionRefused(sentence)


FAMILIES: tuple[Family, ...] = _families()
