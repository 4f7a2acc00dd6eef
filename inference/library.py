"""Which models exist, and what each folder says about itself: names, files, context length, end tokens.

Knows folders and their small JSON files only. Loading weights is the engine's work, reading conversations the chat's.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STARTER = "starter"
BUNDLED = Path(__file__).parent / STARTER

NEEDED = ("model.bin", "config.json", "vocabulary.json", "tokenizer.json", "tokenizer_config.json")
_SETTINGS = ("config.json", "tokenizer_config.json", "generation_config.json")

# One path component on every system, short enough for a metric label.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

# Tokenizers that do not know their limit write 10**30 into model_max_length.
_LONGEST_BELIEVABLE = 10_000_000


class ModelNotFound(LookupError):
    """There is no such model; the message says which there are and what to do.

    LookupError
    └── ModelNotFound
        └── ModelIncomplete
    """


class ModelIncomplete(ModelNotFound):
    """The folder is there, but a file or a fact is missing; the message names it."""


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A complete model folder. `context_length` is in tokens, prompt and answer together."""

    name: str
    path: Path
    context_length: int
    description: str = ""
    licence: str = ""


class Library:
    """The models of one house: the folders below `root`, and the bundled starter.

    A bare word is a name and nothing else; what holds a slash, or begins with a dot or a tilde, is a path. So a name
    can never reach outside `root`, and a folder in the working directory never shadows a model of the library.
    """

    def __init__(self, *, root: Path | None) -> None:
        self._root = root

    def find(self, name_or_path: str) -> ModelFolder:
        """The complete folder behind a library name or a path. Raises ModelNotFound or ModelIncomplete."""
        if _is_path(name_or_path):
            return self._at_path(name_or_path)
        if not _NAME.fullmatch(name_or_path):
            raise ModelNotFound(
                f"{name_or_path[:80]!r} is no model name: letters, digits, dots, dashes and underscores, 64 at most. "
                f"{self._known()}"
            )
        folder = self._folder(name_or_path)
        if folder is None or not folder.is_dir():
            raise ModelNotFound(f"There is no model named {name_or_path!r}. {self._known()}")
        return read_folder(folder, name=name_or_path)

    def list(self) -> "list[ModelFolder]":
        """Every complete model, the starter first; folders still being written are left out."""
        found = []
        for name in self._names():
            try:
                found.append(self.find(name))
            except ModelNotFound:
                continue
        return found

    def _at_path(self, path: str) -> ModelFolder:
        folder = Path(path).expanduser().absolute()
        if not folder.is_dir():
            raise ModelNotFound(
                f"There is no folder {folder}. Give the path of a converted CTranslate2 model. {self._known()}"
            )
        return read_folder(folder, name=folder.resolve().name)

    def _folder(self, name: str) -> Path | None:
        if name == STARTER:
            return BUNDLED
        return self._root / name if self._root is not None else None

    def _names(self) -> Sequence[str]:
        names = [STARTER]
        if self._root is not None and self._root.is_dir():
            inside = sorted(entry.name for entry in self._root.iterdir() if entry.is_dir())
            names += [name for name in inside if name != STARTER and _NAME.fullmatch(name)]
        return names

    def _known(self) -> str:
        names = ", ".join(model.name for model in self.list()) or "none"
        where = f"Put its folder into {self._root}, or give a path." if self._root else "Give a path instead."
        return f"Models here: {names}. {where}"


def read_folder(folder: Path, *, name: str) -> ModelFolder:
    """What the folder says about itself. Raises ModelIncomplete naming every missing file at once."""
    missing = [file for file in NEEDED if not (folder / file).is_file()]
    if "tokenizer_config.json" not in missing and not has_chat_template(folder):
        missing.append("chat_template.jinja")
    if missing:
        raise ModelIncomplete(
            f"The model folder {folder} lacks {', '.join(missing)}. "
            "Convert the model again, or copy the missing files from where it came."
        )
    for file in _SETTINGS:
        read_json(folder / file)  # raises where it cannot be read, before anything is loaded
    card = read_json(folder / "frontdesk.json")
    return ModelFolder(
        name=name,
        path=folder,
        context_length=context_length(folder),
        description=str(card.get("description", "")),
        licence=str(card.get("licence", "")),
    )


def read_json(path: Path) -> dict[str, Any]:
    """A small JSON object; empty where the file does not exist. Raises ModelIncomplete where it cannot be read."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ModelIncomplete(f"{path} cannot be read: {error}. Copy it again.") from error
    if not isinstance(value, dict):
        raise ModelIncomplete(f"{path} holds no JSON object. Copy it again.")
    return value


def has_chat_template(folder: Path) -> bool:
    if (folder / "chat_template.jinja").is_file():
        return True
    return bool(read_json(folder / "tokenizer_config.json").get("chat_template"))


def context_length(folder: Path) -> int:
    """Tokens that fit, prompt and answer together: from frontdesk.json, else the tokenizer's model_max_length.

    CTranslate2 checks nothing: beyond the model's positions it answers garbage. So an unknown limit is an error.
    """
    length = read_json(folder / "frontdesk.json").get("context_length")
    if length is None:
        length = read_json(folder / "tokenizer_config.json").get("model_max_length")
        if not isinstance(length, int) or length > _LONGEST_BELIEVABLE:
            length = None
    if not isinstance(length, int) or isinstance(length, bool) or length < 2:
        raise ModelIncomplete(
            f"{folder} does not say how long a conversation may be. "
            'Write it into frontdesk.json there, in tokens: {"context_length": 4096}'
        )
    return length


def end_token_ids(folder: Path, *, token_id: Callable[[str], int | None]) -> tuple[int, ...]:
    """Every token that ends an answer: generation_config.json's (one or several), the tokenizer's and the model's.

    `token_id` turns a token's text into its id, or None. Chat models often have several end tokens, while the
    converted config.json keeps one.
    """
    listed = read_json(folder / "generation_config.json").get("eos_token_id")
    ids = [listed] if isinstance(listed, int) else list(listed or ())
    named = read_json(folder / "tokenizer_config.json").get("eos_token")
    if isinstance(named, dict):  # transformers also writes tokens as {"content": "</s>", ...}
        named = named.get("content")
    for text in (named, read_json(folder / "config.json").get("eos_token")):
        if isinstance(text, str) and (found := token_id(text)) is not None:
            ids.append(found)
    return tuple(dict.fromkeys(ids))


def _is_path(text: str) -> bool:
    return "/" in text or "\\" in text or text.startswith((".", "~"))
