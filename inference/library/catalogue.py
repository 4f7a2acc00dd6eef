"""Which models exist, and what each folder says about itself: names, files, context length, end tokens.

Knows folders and their small JSON files only. Loading weights is the engine's work, reading conversations the chat's.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from inference.library import lineup, manifest
from inference.library.manifest import Manifest
from inference.library.reference import (
    ALIASES,
    CANARY,
    DEFAULT,
    NAME,
    STARTER,
    VARIANTS,
    VERSION,
    ModelDamaged,
    ModelIncomplete,
    ModelNotFound,
    NoReference,
    Reference,
    is_path,
)

__all__ = ["BUNDLED", "STARTER", "Library", "ModelDamaged", "ModelFolder", "ModelIncomplete", "ModelNotFound"]

BUNDLED = Path(__file__).parents[1] / STARTER

NEEDED = ("model.bin", "config.json", "vocabulary.json", "tokenizer.json", "tokenizer_config.json")
_SETTINGS = ("config.json", "tokenizer_config.json", "generation_config.json")

# Tokenizers that do not know their limit write 10**30 into model_max_length.
_LONGEST_BELIEVABLE = 10_000_000


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A complete model folder. `context_length` is in tokens, prompt and answer together.

    `name` is the canonical reference of a variant (NAME@version:variant), and a plain folder's name. A chat model
    without a chat template is complete, but good for raw completion only: Chat.load refuses it.
    """

    name: str
    path: Path
    context_length: int
    description: str = ""
    licence: str = ""
    kind: str = "chat"
    engine: str = "ctranslate2"
    version: str = ""
    variant: str = ""
    has_chat_template: bool = True
    manifest: Manifest | None = field(default=None, compare=False, repr=False)

    @property
    def title(self) -> str:
        """NAME without version and variant."""
        known = self.manifest
        return known.name if known is not None and self.name == str(known.reference) else self.name

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(path.stat().st_size for _, path in manifest.files_in(self.path) if path.exists())


class Library:
    """The models of one house: the variants and plain folders below `root`, and the bundled starter.

    A bare word is a name and nothing else; what holds a slash, or begins with a dot or a tilde, is a path. So a name
    can never reach outside `root`, and a folder in the working directory never shadows a model of the library.
    """

    def __init__(self, *, root: Path | None) -> None:
        self._root = root

    def find(self, reference: str) -> ModelFolder:
        """The complete folder behind NAME, NAME:variant, NAME@version, NAME@version:variant, `default`, `canary` or a
        path. Sizes are compared with the manifest, digests are not. Raises ModelNotFound or ModelIncomplete."""
        if is_path(reference):
            return self._at_path(reference)
        if reference in ALIASES:
            return self._behind(reference)
        try:
            wanted = Reference.parse(reference)
        except NoReference as error:
            raise ModelNotFound(f"{error} {self._known()}") from error
        if wanted.plain and (plain := self.plain_folder(wanted.name)) is not None:
            return read_folder(plain, name=wanted.name)
        if wanted.canonical and (folder := self._folder(wanted)).is_dir():
            return self._variant(folder, wanted)
        return self._preferred(wanted)

    def list(self) -> "list[ModelFolder]":
        """Every complete model, the starter first; folders still being written are left out."""
        return [model for name in self.names() for model in self.variants(name)]

    def names(self) -> Sequence[str]:
        """Every name that there may be a model behind, the starter first."""
        return [STARTER, *(name for name in _folders(self._root) if name != STARTER and NAME.fullmatch(name))]

    def variants(self, name: str) -> Sequence[ModelFolder]:
        """What is complete of one name: the newest version first, the preferred variant first; of a plain folder the
        one that it is."""
        found = []
        if (plain := self.plain_folder(name)) is not None:
            found.append(_if_complete(read_folder, plain, name=name))
        found += [_if_complete(self._variant, self._folder(each), each) for each in self.references(name)]
        return _newest_first([model for model in found if model is not None])

    def references(self, name: str) -> Sequence[Reference]:
        """Every variant of a name that has a folder, complete or not."""
        if self._root is None or name == STARTER or not NAME.fullmatch(name):
            return []
        return [
            Reference(name, version, variant)
            for version in _folders(self._root / name)
            if VERSION.fullmatch(version)
            for variant in VARIANTS
            if (self._root / name / version / variant).is_dir()
        ]

    def plain_folder(self, name: str) -> Path | None:
        """The folder of a model that was put there by hand: its files lie directly inside."""
        if name == STARTER:
            return BUNDLED
        folder = self._root / name if self._root is not None else None
        return folder if folder is not None and (folder / "model.bin").exists() else None

    def _preferred(self, wanted: Reference) -> ModelFolder:
        """Of all that the words may mean: the newest version's preferred variant."""
        there = [reference for reference in self.references(wanted.name) if wanted.covers(reference)]
        complete = [model for model in self.variants(wanted.name) if model.version and _means(wanted, model)]
        if complete:
            return complete[0]
        if there:
            return self._variant(self._folder(there[0]), there[0])  # raises, and says what is wrong with it
        folder = self._root / wanted.name if self._root is not None else None
        others = ", ".join(str(reference) for reference in self.references(wanted.name))
        if others:
            raise ModelNotFound(f"There is no {wanted}. Of that name there are: {others}.")
        if wanted.plain and folder is not None and folder.is_dir():
            return read_folder(folder, name=wanted.name)  # raises, and says what it lacks
        raise ModelNotFound(f"There is no model named {str(wanted)!r}. {self._known()}")

    def _behind(self, alias: str) -> ModelFolder:
        found = lineup.read(self._root).get(alias)
        if found is None and alias == DEFAULT:
            return self.find(STARTER)
        if found is None and alias == CANARY:
            raise ModelNotFound(
                f"There is no canary. `frontdesk models promote NAME --{CANARY} 0.1` gives a model a tenth of the "
                "conversations."
            )
        if found is None:
            raise ModelNotFound(
                f"No model is the {alias}. `frontdesk models promote NAME --as {alias}` makes one it."
            )
        try:
            return self.find(found.target)
        except ModelIncomplete:
            raise
        except ModelNotFound as error:
            raise ModelNotFound(f"The alias {alias} points to {found.target}. {error}") from error

    def _at_path(self, path: str) -> ModelFolder:
        folder = Path(path).expanduser().absolute()
        if not folder.is_dir():
            raise ModelNotFound(
                f"There is no folder {folder}. Give the path of a converted CTranslate2 model. {self._known()}"
            )
        inside = self._inside(folder.resolve())
        return self._variant(folder, inside) if inside else read_folder(folder, name=folder.resolve().name)

    def _inside(self, folder: Path) -> Reference | None:
        """What a folder is called that is a variant of this library."""
        if self._root is None:
            return None
        return next(
            (
                each
                for each in self.references(folder.parent.parent.name)
                if self._folder(each).resolve() == folder
            ),
            None,
        )

    def _folder(self, reference: Reference) -> Path:
        """Where a variant lies. A name, a version and a variant are one path component each."""
        root = self._root if self._root is not None else Path("/nonexistent")
        return root / reference.name / reference.version / reference.variant

    def _variant(self, folder: Path, reference: Reference) -> ModelFolder:
        found = manifest.read(folder)
        if found is None:
            raise ModelIncomplete(f"{folder} has no {manifest.FILE}. Convert the model again.")
        if found.reference != reference:
            raise ModelDamaged(
                f"{folder} holds {found.reference}, as its manifest says. It was moved by hand: move it back."
            )
        found.check(folder)
        return read_folder(folder, name=str(reference))

    def _known(self) -> str:
        names = ", ".join(dict.fromkeys(model.title for model in self.list())) or "none"
        where = "Give a path instead."
        if self._root:
            where = (
                f"Convert one (frontdesk models convert), put its folder into {self._root}, or give a path."
            )
        return f"Models here: {names}. {where}"


def read_folder(folder: Path, *, name: str) -> ModelFolder:
    """What the folder says about itself. Raises ModelIncomplete naming every missing file at once."""
    found = manifest.read(folder)
    missing = _missing(folder, found)
    if missing:
        raise ModelIncomplete(
            f"The model folder {folder} lacks {', '.join(missing)}. "
            "Convert the model again, or copy the missing files from where it came."
        )
    for file in _SETTINGS:
        read_json(folder / file)  # raises where it cannot be read, before anything is loaded
    card = read_json(folder / "frontdesk.json")
    model = ModelFolder(
        name=name,
        path=folder,
        context_length=context_length(folder),
        description=str(card.get("description", "")),
        licence=str(card.get("licence", "")),
    )
    return model if found is None else _with(model, found)


def _with(model: ModelFolder, found: Manifest) -> ModelFolder:
    return replace(
        model,
        licence=found.licence or model.licence,
        kind=found.kind,
        engine=found.engine,
        version=found.version,
        variant=found.variant,
        has_chat_template=found.has_chat_template,
        manifest=found,
    )


def _missing(folder: Path, found: Manifest | None) -> list[str]:
    """What the folder's kind and engine need, and it has not. A file named "a or b" is there when one of them is."""
    missing = [
        file for file in _needed(found) if not any((folder / one).is_file() for one in file.split(" or "))
    ]
    if found is not None and found.engine == "transformers" and not any(folder.glob("*.safetensors")):
        missing.append("its weights (*.safetensors)")
    wants_template = found is None or found.has_chat_template
    if wants_template and "tokenizer_config.json" not in missing and not has_chat_template(folder):
        missing.append("chat_template.jinja")
    return missing


def _needed(found: Manifest | None) -> Sequence[str]:
    if found is None or (found.engine == "ctranslate2" and found.kind in ("chat", "embedder")):
        return NEEDED
    if found.engine == "transformers":
        return ("config.json", "tokenizer.json", "tokenizer_config.json")
    if found.kind == "classifier":
        return (*NEEDED, "head.npz")
    shared = [file for file in NEEDED if file != "vocabulary.json"]
    return (
        *shared,
        "shared_vocabulary.json or source_vocabulary.json",
        "shared_vocabulary.json or target_vocabulary.json",
    )


def read_json(path: Path) -> dict[str, Any]:
    """A small JSON object; empty where the file does not exist. Raises ModelIncomplete where it cannot be read."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise ModelIncomplete(f"{path} cannot be read: {error}. Copy it again.") from error
    if not isinstance(value, dict):
        raise ModelIncomplete(f"{path} holds no JSON object. Copy it again.")
    return value


def has_chat_template(folder: Path) -> bool:
    if (folder / "chat_template.jinja").is_file():
        return True
    return bool(read_json(folder / "tokenizer_config.json").get("chat_template"))


def context_length(folder: Path) -> int:
    """Tokens that fit, prompt and answer together: from the manifest, else frontdesk.json, else the tokenizer's
    model_max_length.

    CTranslate2 checks nothing: beyond the model's positions it answers garbage. So an unknown limit is an error.
    """
    if (found := manifest.read(folder)) is not None:
        return found.context_length
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
    """Every token that ends an answer: the manifest's, else generation_config.json's (one or several), the tokenizer's
    and the model's.

    `token_id` turns a token's text into its id, or None. Chat models often have several end tokens, while the
    converted config.json keeps one.
    """
    known = manifest.read(folder)
    if known is not None and known.end_token_ids:
        return known.end_token_ids
    listed = read_json(folder / "generation_config.json").get("eos_token_id")
    ids = [listed] if isinstance(listed, int) else list(listed or ())
    named = read_json(folder / "tokenizer_config.json").get("eos_token")
    if isinstance(named, dict):  # transformers also writes tokens as {"content": "</s>", ...}
        named = named.get("content")
    for text in (named, read_json(folder / "config.json").get("eos_token")):
        if isinstance(text, str) and (found := token_id(text)) is not None:
            ids.append(found)
    return tuple(dict.fromkeys(ids))


def _folders(folder: Path | None) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir() if entry.is_dir()) if folder else []
    except (FileNotFoundError, NotADirectoryError):  # never there, or removed just now
        return []


def _if_complete(read: Callable[..., ModelFolder], *args: Any, **named: Any) -> ModelFolder | None:
    try:
        return read(*args, **named)
    except ModelNotFound:
        return None


def _means(wanted: Reference, model: ModelFolder) -> bool:
    return wanted.covers(Reference.parse(model.name))


def _newest_first(models: Sequence[ModelFolder]) -> Sequence[ModelFolder]:
    """A version is as old as its first variant: one that joins later does not make it new."""
    made: dict[str, datetime] = {}
    for model in models:
        if model.manifest is not None:
            moment = datetime.fromisoformat(model.manifest.created)
            made[model.version] = min(moment, made.get(model.version, moment))

    def order(model: ModelFolder) -> tuple[float, str, int]:
        if model.variant not in VARIANTS:
            return (float("-inf"), "", 0)  # a plain folder, before all
        return (-made[model.version].timestamp(), model.version, VARIANTS.index(model.variant))

    return sorted(models, key=order)
