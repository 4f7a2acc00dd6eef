"""What one variant of a model is: where it came from, what it needs, every file with its digest, how it was proved.

Knows one folder and its manifest.json, and trusts neither. Where folders lie is the library's business.
"""

import hashlib
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from inference.library.reference import NAME, VARIANTS, VERSION, ModelDamaged, Reference

FORMAT = 1
FILE = "manifest.json"
KINDS = ("chat", "seq2seq", "classifier", "embedder")
ENGINES = ("ctranslate2", "transformers")

_LARGEST = 16 * 2**20  # bytes; a manifest has some kilobytes, with a parity report some hundreds
_DIGEST = 64  # hexadecimal digits of a sha256


@dataclass(frozen=True, slots=True)
class FileEntry:
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Source:
    """What a variant was made of: `id` is ORG/NAME or a folder's name, `digest` that of all its files."""

    id: str
    revision: str = ""
    path: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One variant. Field for field what manifest.json holds; `files` are all files of the folder but that one."""

    name: str
    version: str
    variant: str
    kind: str
    family: str
    architecture: str
    engine: str
    engine_reason: str = ""
    source: Source
    licence: str = ""
    context_length: int
    end_token_ids: tuple[int, ...] = ()
    end_tokens: tuple[str, ...] = ()
    has_chat_template: bool = False
    labels: tuple[str, ...] = ()
    files: Mapping[str, FileEntry]
    tools: Mapping[str, str] = field(default_factory=dict)
    parity: Mapping[str, Any] = field(default_factory=dict)
    speed: Mapping[str, Any] = field(default_factory=dict)
    accepted: str = ""
    notes: tuple[str, ...] = ()
    created: str
    format: int = FORMAT

    @property
    def reference(self) -> Reference:
        return Reference(self.name, self.version, self.variant)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(entry.size for entry in self.files.values())

    def with_speed(self, speed: Mapping[str, Any]) -> "Manifest":
        return replace(self, speed=speed)

    def to_json(self) -> str:
        return json.dumps(_finite(asdict(self)), indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes, *, where: str = FILE) -> "Manifest":
        """Raises ModelDamaged naming every field that is missing or wrong."""
        value = _object(text, where)
        if value.get("format") != FORMAT:
            raise ModelDamaged(
                f"{where} has the format {value.get('format')!r}, and this Frontdesk reads format {FORMAT}. "
                "Update Frontdesk, or convert the model again."
            )
        return cls(**_decoded(value, where))

    def check(self, folder: Path) -> None:
        """That every file is there in its size, and none besides: cheap, nothing is read. Raises ModelDamaged."""
        _compare(folder, self.files, lambda path, entry: path.stat().st_size == entry.size)

    def verify(self, folder: Path) -> None:
        """That every file is what it was when the manifest was written, byte for byte. Raises ModelDamaged."""
        _compare(folder, self.files, lambda path, entry: entry_of(path) == entry)


def read(folder: Path) -> Manifest | None:
    """The folder's own manifest; None where there is none. Raises ModelDamaged where it cannot be read."""
    path = folder / FILE
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ModelDamaged(f"{path} cannot be read: {error}.") from error
    return Manifest.from_json(text, where=str(path))


def verify(folder: Path) -> Manifest:
    """The folder's manifest, after every file was compared with it. Raises ModelDamaged."""
    manifest = read(folder)
    if manifest is None:
        raise ModelDamaged(f"{folder} has no {FILE}: there is nothing to verify it against.")
    manifest.verify(folder)
    return manifest


def entry_of(path: Path) -> FileEntry:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        return FileEntry(sha256=digest.hexdigest(), size=file.tell())


def digests(folder: Path) -> dict[str, FileEntry]:
    """Every file of a folder but manifest.json, by its relative name. Raises ModelDamaged where one is a link."""
    entries = {}
    for name, path in sorted(files_in(folder)):
        if not _is_file(path):
            raise ModelDamaged(f"{path} is no ordinary file. Copy the folder with its contents (cp -rL).")
        if name != FILE:
            entries[name] = entry_of(path)
    return entries


def source_digest(folder: Path) -> str:
    """What makes a source that source: sha256 over the sorted lines "name, NUL, sha256" of its files. What begins
    with a dot (.git, .cache) is left out."""
    entries = {name: path for name, path in files_in(folder) if not is_hidden(name)}
    total = hashlib.sha256()
    for name in sorted(entries):
        total.update(f"{name}\0{entry_of(entries[name]).sha256}\n".encode("utf-8", "surrogateescape"))
    return total.hexdigest()


def version_of(digest: str) -> str:
    """The version that a source's digest gives: the same source gives the same one, so variants of it join."""
    return digest[:8]


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def files_in(folder: Path) -> Iterator[tuple[str, Path]]:
    """Everything below that is no folder, links included, never followed: relative name with slashes, and path."""
    for inside, folders, names in os.walk(folder, onerror=_raise):
        at = Path(inside)
        for name in [*names, *(f for f in folders if (at / f).is_symlink())]:
            path = at / name
            yield path.relative_to(folder).as_posix(), path


def safe_name(name: object) -> bool:
    """Whether a relative name can only mean a file inside the folder, on every system."""
    if not isinstance(name, str) or not 0 < len(name) <= 1024 or "\\" in name or ":" in name:
        return False
    if not name.isprintable() or name.startswith("/"):
        return False
    return all(part not in ("", ".", "..") for part in name.split("/"))


def is_hidden(name: str) -> bool:
    """.git, .cache and all in them: part of no model."""
    return any(part.startswith(".") for part in name.split("/"))


def _raise(error: OSError) -> None:
    raise error


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _compare(folder: Path, wanted: Mapping[str, FileEntry], same: Callable[[Path, FileEntry], bool]) -> None:
    try:
        found = {name: path for name, path in files_in(folder) if name != FILE}
        missing = sorted(wanted.keys() - found.keys())
        extra = sorted(found.keys() - wanted.keys())
        both = sorted(wanted.keys() & found.keys())
        wrong = [name for name in both if not (_is_file(found[name]) and same(found[name], wanted[name]))]
    except OSError as error:
        raise ModelDamaged(f"{folder} cannot be read: {error}.") from error
    said = [
        f"{word} {', '.join(name if safe_name(name) else repr(name) for name in names)}"
        for word, names in (("missing:", missing), ("changed:", wrong), ("not in the manifest:", extra))
        if names
    ]
    if said:
        raise ModelDamaged(f"{folder} is not what its manifest says ({'; '.join(said)}). Convert it again.")


def _finite(value: Any) -> Any:
    """JSON knows neither infinity nor "not a number", which a report of a broken model may hold: null."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _object(text: str | bytes, where: str) -> dict[str, Any]:
    if len(text) > _LARGEST:
        raise ModelDamaged(f"{where} is larger than {_LARGEST // 2**20} MB: that is no manifest.")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelDamaged(f"{where} cannot be read: {error}.") from error
    if not isinstance(value, dict):
        raise ModelDamaged(f"{where} holds no JSON object.")
    return value


def _decoded(value: dict[str, Any], where: str) -> dict[str, Any]:
    wrong, decoded = [], {}
    for each in fields(Manifest):
        if each.name not in value:
            wrong.append(f"{each.name} is missing")
            continue
        try:
            decoded[each.name] = _FIELDS[each.name](value[each.name])
        except (TypeError, ValueError, KeyError):
            wrong.append(f"{each.name} is wrong ({_short(value[each.name])})")
    wrong += [f"{key[:40]!r} is unknown" for key in value if key not in _FIELDS]
    if wrong:
        raise ModelDamaged(f"{where} is no manifest: {', '.join(wrong)}.")
    return decoded


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _is(*types: type) -> Callable[[Any], Any]:
    def decode(value: Any) -> Any:
        if type(value) not in types:  # a bool is no integer here
            raise TypeError
        return value

    return decode


def _matching(matches: Callable[[str], object]) -> Callable[[Any], str]:
    def decode(value: Any) -> str:
        if not isinstance(value, str) or not matches(value):
            raise ValueError
        return value

    return decode


def _many(decode: Callable[[Any], Any]) -> Callable[[Any], tuple[Any, ...]]:
    return lambda values: tuple(decode(value) for value in _is(list, tuple)(values))


def _by_name(decode: Callable[[Any], Any]) -> Callable[[Any], dict[str, Any]]:
    return lambda values: {_text(key): decode(value) for key, value in _is(dict)(values).items()}


def _count(value: Any) -> int:
    if _is(int)(value) < 0:
        raise ValueError
    return int(value)


def _length(value: Any) -> int:
    if _is(int)(value) < 2:  # a question and an answer
        raise ValueError
    return int(value)


def _file_entry(value: Any) -> FileEntry:
    return FileEntry(sha256=_sha256(value["sha256"]), size=_count(value["size"]))


def _files(value: Any) -> dict[str, FileEntry]:
    names = _is(dict)(value)
    if not names or FILE in names or not all(safe_name(name) for name in names):
        raise ValueError
    return {name: _file_entry(entry) for name, entry in names.items()}


def _source(value: Any) -> Source:
    return Source(**{key: _text(value[key]) for key in ("id", "revision", "path", "digest")})


def _moment(text: str) -> bool:
    return datetime.fromisoformat(text).tzinfo is not None


_text = _is(str)
_sha256 = _matching(lambda text: len(text) == _DIGEST and set(text) <= set("0123456789abcdef"))

_FIELDS: Mapping[str, Callable[[Any], Any]] = {
    "name": _matching(NAME.fullmatch),
    "version": _matching(VERSION.fullmatch),
    "variant": _matching(VARIANTS.__contains__),
    "kind": _matching(KINDS.__contains__),
    "family": _text,
    "architecture": _text,
    "engine": _matching(ENGINES.__contains__),
    "engine_reason": _text,
    "source": _source,
    "licence": _text,
    "context_length": _length,
    "end_token_ids": _many(_count),
    "end_tokens": _many(_text),
    "has_chat_template": _is(bool),
    "labels": _many(_text),
    "files": _files,
    "tools": _by_name(_text),
    "parity": _is(dict),
    "speed": _is(dict),
    "accepted": _text,
    "notes": _many(_text),
    "created": _matching(_moment),
    "format": _is(int),
}
