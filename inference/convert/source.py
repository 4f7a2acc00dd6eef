"""What a source of transformers says about itself: configuration, weights, context, end tokens, licence.

Knows one folder as a hub or `save_pretrained` writes it, and reads its small files only. Nothing in it is ever run.
"""

from __future__ import annotations

import json
import re
import struct
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference.library import read_json

# In safetensors' words, and in ours.
_TYPES = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}
_WIDTHS = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "I16": 2}

# By the families' own names; the first that is there.
_POSITIONS = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "n_ctx")

# Where a source says nothing (BLOOM, T5): what these families were trained with.
LEAST = {"chat": 2048, "seq2seq": 512, "classifier": 512, "embedder": 512}
_BELIEVABLE = 10_000_000  # tokenizers that do not know their limit write 10**30

_FRONT_MATTER = re.compile(r"\A---\s*\n(.*?)\n---", re.DOTALL)
_LICENCE_LINE = re.compile(r"^license:\s*[\"']?([\w.+ -]+?)[\"']?\s*$", re.MULTILINE)
_FIRST_LINES = {"Apache License": "apache-2.0", "MIT License": "mit", "BSD 3-Clause License": "bsd-3-clause"}


@dataclass(frozen=True, slots=True)
class Weights:
    """All tensors of a source: how many numbers, how many bytes, and the type that most of them have."""

    parameters: int
    size: int
    dtype: str


@contextmanager
def quietly() -> Iterator[None]:
    """transformers without progress bars, warnings and looks at the hub: everything is here."""
    import huggingface_hub
    import transformers

    log = transformers.utils.logging
    constants = huggingface_hub.constants
    bars, level, offline = log.is_progress_bar_enabled(), log.get_verbosity(), constants.HF_HUB_OFFLINE
    log.disable_progress_bar()
    log.set_verbosity_error()
    constants.HF_HUB_OFFLINE = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        constants.HF_HUB_OFFLINE = offline
        log.set_verbosity(level)
        if bars:
            log.enable_progress_bar()


def configuration(folder: Path) -> dict[str, Any]:
    """config.json as transformers reads it, with every default of its class; as it stands where transformers does not
    know its kind. A missing key is often no missing setting: Mistral without `sliding_window` has one of 4096."""
    from transformers import AutoConfig

    said = read_json(folder / "config.json")
    try:
        with quietly():
            config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except (ValueError, KeyError, OSError, ImportError):
        return said
    full: dict[str, Any] = json.loads(config.to_json_string(use_diff=False))
    for name in ("architectures", "auto_map", "quantization_config"):  # as they were written
        if name in said:
            full[name] = said[name]
    return full


def weights(folder: Path) -> Weights:
    """From the headers of the safetensors files; a float type counts by its bytes."""
    count, size, types = 0, 0, Counter[str]()
    for path in sorted(folder.glob("*.safetensors")):
        for tensor in _header(path).values():
            start, end = tensor["data_offsets"]
            size += end - start
            count += (end - start) // _WIDTHS.get(tensor["dtype"], 1)
            types[tensor["dtype"]] += end - start
    floats = [(amount, kind) for kind, amount in types.items() if kind in _TYPES]
    return Weights(count, size, _TYPES[max(floats)[1]] if floats else "")


def context_length(folder: Path, config: Mapping[str, Any], *, kind: str) -> tuple[int, str]:
    """How many tokens the source says it can read, and a sentence where it does not say."""
    for part in (config, config.get("text_config") or {}):
        for name in _POSITIONS:
            if _sensible(part.get(name)):
                return part[name], ""
    length = read_json(folder / "tokenizer_config.json").get("model_max_length")
    if isinstance(length, int) and _sensible(length):
        return length, ""
    return LEAST[kind], f"The source does not say how long a text may be; {LEAST[kind]} tokens are assumed."


def end_token_ids(folder: Path, config: Mapping[str, Any], *, tokenizer: Any) -> tuple[int, ...]:
    """Every token that ends an answer, as the source declares it: for generation, for the model, for its tokenizer."""
    declared = [
        read_json(folder / "generation_config.json").get("eos_token_id"),
        config.get("eos_token_id"),
        (config.get("text_config") or {}).get("eos_token_id"),
        tokenizer.eos_token_id,
    ]
    ids: list[int] = []
    for each in declared:
        ids += each if isinstance(each, list) else [] if each is None else [each]
    return tuple(i for i in dict.fromkeys(ids) if i >= 0)


def licence(folder: Path) -> str:
    """As the README's front matter names it, else by the first line of the licence's text; "" where neither says."""
    readme = folder / "README.md"
    if readme.is_file():
        front = _FRONT_MATTER.match(readme.read_text(encoding="utf-8", errors="replace"))
        if front and (named := _LICENCE_LINE.search(front[1])):
            return named[1]
    for name in ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE"):
        if (folder / name).is_file():
            text = (folder / name).read_text(encoding="utf-8", errors="replace").strip()
            first = text.splitlines()[0].strip() if text else ""
            return _FIRST_LINES.get(first, first[:80])
    return ""


def load_tokenizer(folder: Path) -> Any:
    """As transformers reads it, a slow one made fast; nothing that comes with the folder is run."""
    from transformers import AutoTokenizer

    with quietly():
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)


def _header(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        length = struct.unpack("<Q", file.read(8))[0]
        header: dict[str, Any] = json.loads(file.read(length))
    header.pop("__metadata__", None)
    return header


def _sensible(length: Any) -> bool:
    return isinstance(length, int) and not isinstance(length, bool) and 2 <= length <= _BELIEVABLE
