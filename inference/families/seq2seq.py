"""Encoder-decoders: which of them CTranslate2 runs right, and what the stock converter gets wrong.

Reads configurations. Greedy answers hide some of it: T5 1.1, FLAN-T5 and mT5 come out with logits that are too small by
the root of their width, which no argmax notices and every temperature does.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference.families.encoder import ACTIVATIONS, refused
from inference.families.family import Config, Family, Route
from inference.library import read_json

if TYPE_CHECKING:
    from inference.parity import Report

# How an answer begins and ends. Older sources have it in config.json alone, where nobody looks for it later.
_ENDS = ("decoder_start_token_id", "forced_bos_token_id", "eos_token_id", "pad_token_id")

Ready = Callable[[Any], None]


def _decide(config: Config) -> Route:
    named = str(config.get("feed_forward_proj") or config.get("activation_function") or "relu")
    activation = named.removeprefix("gated-")
    if activation not in ACTIVATIONS:
        return Route("transformers", f"CTranslate2 does not compute the activation {activation}.")
    if config.get("encoder_attention_heads") != config.get("decoder_attention_heads"):
        return Route(
            "transformers", "CTranslate2's converter gives the decoder as many heads as the encoder has."
        )
    if config.get("share_encoder_decoder_embeddings") is False:
        return Route(
            "transformers", "It has a vocabulary for each side; CTranslate2's converter knows one for both."
        )
    return Route("ctranslate2", context_length=config.get("max_position_embeddings"))


def _scaled(model: Any) -> None:
    """Of the T5 family the first scales what comes before its last layer. The stock loader tells it by shared
    embeddings, which transformers 5 says of all of them."""
    scaled = getattr(
        model.config, "scale_decoder_outputs", type(model).__name__ == "UMT5ForConditionalGeneration"
    )
    model.config.tie_word_embeddings = scaled


def _post_norm(model: Any) -> None:
    model.config.normalize_before, model.config.normalize_embedding = False, True


def _pre_norm(model: Any) -> None:
    model.config.normalize_before, model.config.normalize_embedding = True, True


def _pre_norm_only(model: Any) -> None:
    model.config.normalize_before, model.config.normalize_embedding = True, False


def _patched(config: str, ready: Ready | None) -> Callable[[Config], AbstractContextManager[None]]:
    def patched(_: Config) -> AbstractContextManager[None]:
        from ctranslate2.converters import transformers as stock

        from inference.families import loaders

        # the table of loaders is private; there is no other way to the stock one
        base = type(stock._MODEL_LOADERS[config])  # noqa: SLF001
        return loaders.instead({config: loaders.mend(base, ready=ready)})

    return patched


def _finish(source: Path, made: Path) -> None:
    """Says in the made folder how an answer begins: some loaders leave the decoder's first token to each request."""
    if not (made / "tokenizer.json").is_file():
        raise refused(
            f"{source.name} has an older tokenizer alone (sentencepiece), which transformers cannot write as "
            "tokenizer.json and Frontdesk does not run. Take a copy of the model that has tokenizer.json, or for "
            "translation NLLB or mBART-50, which have it."
        )
    config, generation = read_json(source / "config.json"), read_json(source / "generation_config.json")
    told = {key: generation.get(key, config.get(key)) for key in _ENDS}
    told = {key: value for key, value in told.items() if value is not None}
    _write(made / "generation_config.json", {**generation, **told})
    converted = read_json(made / "config.json")
    if converted.get("decoder_start_token") is None:
        start = told.get("decoder_start_token_id")
        if start is None:
            raise refused(
                f"{source} does not say how its answers begin. Add decoder_start_token_id to its config.json."
            )
        tokens = json.loads(target_vocabulary(made).read_text(encoding="utf-8"))
        _write(made / "config.json", {**converted, "decoder_start_token": tokens[start]})


def target_vocabulary(made: Path) -> Path:
    shared = made / "shared_vocabulary.json"
    return shared if shared.is_file() else made / "target_vocabulary.json"


def _write(file: Path, value: dict[str, Any]) -> None:
    file.write_text(json.dumps(value, indent=2), encoding="utf-8")


def _parity(**asked: Any) -> Report:
    from inference.parity.seq2seq import compare

    return compare(**asked)


def _family(
    name: str,
    architecture: str,
    config: str,
    *,
    ready: Ready | None = None,
    stock: bool = False,
    note: str = "",
) -> Family:
    return Family(
        name=name,
        architectures=(architecture,),
        kind="seq2seq",
        note=note,
        decide=_decide,
        patched=None if stock else _patched(config, ready),
        finish=_finish,
        parity=_parity,
    )


FAMILIES: tuple[Family, ...] = (
    _family(
        "T5, FLAN-T5",
        "T5ForConditionalGeneration",
        "T5Config",
        ready=_scaled,
        note="scale of 1.1's logits put right",
    ),
    _family(
        "mT5", "MT5ForConditionalGeneration", "MT5Config", ready=_scaled, note="scale of its logits put right"
    ),
    _family("UMT5", "UMT5ForConditionalGeneration", "UMT5Config", ready=_scaled),
    _family(
        "BART",
        "BartForConditionalGeneration",
        "BartConfig",
        ready=_post_norm,
        note="old keys told to the loader",
    ),
    _family(
        "mBART",
        "MBartForConditionalGeneration",
        "MBartConfig",
        ready=_pre_norm,
        note="old keys told to the loader",
    ),
    _family(
        "M2M100, NLLB",
        "M2M100ForConditionalGeneration",
        "M2M100Config",
        note="where there is a tokenizer.json",
    ),
    _family(
        "Pegasus",
        "PegasusForConditionalGeneration",
        "PegasusConfig",
        ready=_pre_norm_only,
        note="old keys told to the loader",
    ),
    # its loader takes the padding token out, which ours would put back
    _family("Marian", "MarianMTModel", "MarianConfig", stock=True, note="where there is a tokenizer.json"),
)
