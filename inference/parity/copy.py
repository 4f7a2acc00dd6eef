"""The gate of the second engine: its folder has the source's own weights, so that little can be wrong, and that is
looked at: each tensor byte for byte, the words, the end tokens, and a decoder's first tokens.

Knows safetensors and transformers. Limits are none: all has to be equal.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from inference.convert import source as sources
from inference.families.family import Kind
from inference.library.manifest import entry_of
from inference.parity import Check, Report
from inference.parity.words import TEXT, read_otherwise

SAID = 8  # tokens: enough to see that it runs, and runs from its own folder
READ = 24  # tokens of the text


def check(*, source: Path, made: Path, variant: str, kind: Kind, end_token_ids: Sequence[int]) -> Report:
    started = time.monotonic()
    tokenizer = sources.load_tokenizer(source)
    config = sources.configuration(source)
    checks = [
        Check("files of weights that differ", len(_differing(source, made)), "at most", 0),
        Check("texts read otherwise", len(read_otherwise(made, tokenizer)), "at most", 0),
    ]
    if kind in ("chat", "seq2seq"):
        declared = sources.end_token_ids(source, config, tokenizer=tokenizer)
        wrong = set(declared) ^ set(end_token_ids)
        checks.append(Check("end tokens that differ", len(wrong), "at most", 0))
    if kind == "chat":
        checks += _first_tokens(source, made, tokenizer)
    title = f"transformers {metadata.version('transformers')}, float32, CPU"
    return Report(variant, title, tuple(checks), round(time.monotonic() - started, 1))


def _differing(source: Path, made: Path) -> list[str]:
    names = {path.name for folder in (source, made) for path in folder.glob("*.safetensors")}
    return [name for name in sorted(names) if not _same(source / name, made / name)]


def _same(one: Path, other: Path) -> bool:
    return one.is_file() and other.is_file() and entry_of(one) == entry_of(other)


def _first_tokens(source: Path, made: Path, tokenizer: Any) -> Iterator[Check]:
    """The second engine's own loop over the made folder, against transformers' loop over the source."""
    ids = tokenizer(TEXT, add_special_tokens=False)["input_ids"][:READ]
    theirs = _generated(source, ids)
    ours = _decoded(made, ids)
    agreed = sum(a == b for a, b in zip(ours, theirs, strict=True)) / SAID
    yield Check("greedy tokens", agreed, "at least", 1.0, note=f"{SAID} tokens")


def _generated(source: Path, ids: list[int]) -> list[int]:
    import torch
    from transformers import AutoModelForCausalLM, GenerationConfig

    with sources.quietly(), torch.inference_mode():
        model = AutoModelForCausalLM.from_pretrained(
            source, dtype=torch.float32, trust_remote_code=False, local_files_only=True, use_safetensors=True
        ).eval()
        model.generation_config = GenerationConfig(do_sample=False, max_new_tokens=SAID)
        model.config.eos_token_id = None
        said = model.generate(torch.tensor([ids]))[0, len(ids) :]
    return [int(token) for token in said]


def _decoded(made: Path, ids: list[int]) -> list[int]:
    from inference.fallback.torch_model import Decoder, pick

    with sources.quietly():
        decoder = Decoder.load(made, device="cpu", compute_type="float32")
        passage = decoder.begin(ids)
        said: list[int] = []
        while len(said) < SAID:
            said.append(pick(decoder.forward(passage)))
            passage.append(said[-1])
    return said
