"""Files on their way from a source to a model folder: what the stock converter reads, and what goes along with weights.

Knows which files a model folder has. Writes into folders that are given, never into the source, and brings no code
along: *.py stays behind, and so does what points to it (auto_map).
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from inference import library
from inference.library.manifest import files_in, is_hidden
from inference.parity.words import read_otherwise

_WEIGHTS = ".safetensors"
_SETTINGS = (".json", ".model", ".txt", ".jinja", ".tiktoken", ".md")
_LAYER = re.compile(r"\d+_\w+")  # 1_Pooling: how sentence-transformers keeps a model's parts
_ABOUT = re.compile(r"(licen[cs]e|notice|copying|use_policy)[\w.-]*", re.IGNORECASE)

_WORDS = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
)
_SPECIAL = ("bos_token", "eos_token", "unk_token", "pad_token")
_WITH_CODE = ("config.json", "tokenizer_config.json", "processor_config.json")


def lay_out(source: Path, workshop: Path) -> None:
    """The source as the stock converter may read it: small files copied, so that they can be edited, weights linked."""
    for name, path in _wanted(source):
        at = workshop / name
        at.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(_WEIGHTS):
            at.symlink_to(path.resolve())
        else:
            shutil.copyfile(path, at)
    _without_code(workshop)


def copy_all(source: Path, made: Path) -> None:
    """The source as the second engine reads it: all that it needs, copied."""
    for name, path in _wanted(source):
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, made / name)
    _without_code(made)


def carry_words(source: Path, made: Path, *, tokenizer: Any) -> str:
    """The tokenizer, its settings and its template; a slow tokenizer made fast. A sentence where the files are not the
    source's own."""
    for name in _WORDS:
        if (source / name).is_file():
            shutil.copyfile(source / name, made / name)
    note = ""
    if not (made / "tokenizer.json").is_file():
        note = "tokenizer.json was made by transformers from the source's older tokenizer."
    elif read_otherwise(made, tokenizer):
        note = "tokenizer.json was written anew by transformers, which reads some texts otherwise than the source's."
    if note:
        tokenizer.save_pretrained(made)
    _name_special(made, tokenizer)
    _template(source, made)
    _without_code(made)
    return note


def carry_ends(source: Path, made: Path, ends: Sequence[int]) -> None:
    """generation_config.json with every end token: CTranslate2's own config.json has room for one."""
    said = library.read_json(source / "generation_config.json")
    if ends:
        said["eos_token_id"] = [*ends]
    if said:
        _write(made / "generation_config.json", said)


def carry_licence(source: Path, made: Path) -> None:
    for path in source.iterdir():
        if path.is_file() and _ABOUT.fullmatch(path.name):
            shutil.copyfile(path, made / path.name)


def _wanted(source: Path) -> Iterator[tuple[str, Path]]:
    for name, path in files_in(source):
        folder = name.rpartition("/")[0]
        if is_hidden(name) or (folder and not _LAYER.fullmatch(folder)):
            continue
        if name.endswith((_WEIGHTS, *_SETTINGS)) or _ABOUT.fullmatch(name):
            yield name, path


def _name_special(made: Path, tokenizer: Any) -> None:
    """Older sources name them in special_tokens_map.json or not at all, since their class knows; templates ask for them
    by tokenizer_config.json."""
    said = library.read_json(made / "tokenizer_config.json")
    for name in _SPECIAL:
        token = getattr(tokenizer, name, None)
        if said.get(name) is None and token is not None:
            said[name] = str(token)
    _write(made / "tokenizer_config.json", said)


def _template(source: Path, made: Path) -> None:
    """Processors keep it in a JSON file of its own."""
    if not library.has_chat_template(made):
        template = library.read_json(source / "chat_template.json").get("chat_template")
        if isinstance(template, str):
            (made / "chat_template.jinja").write_text(template, encoding="utf-8")


def _without_code(folder: Path) -> None:
    for name in _WITH_CODE:
        value = library.read_json(folder / name)
        if value.pop("auto_map", None) is not None:
            _write(folder / name, value)


def _write(file: Path, value: dict[str, Any]) -> None:
    file.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
