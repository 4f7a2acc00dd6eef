"""Nothing in a folder is trusted: what may be opened is looked at first, without opening it.

Knows files: names, links, sizes, headers. Raises UnsafeFolder with a sentence. Whether the model is any good, and
whether it is the one that its manifest describes, is asked by others.
"""

import ast
import json
import math
import os
import stat
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from inference import binary
from inference.library.manifest import files_in, is_hidden, safe_name
from inference.library.reference import UnsafeFolder

__all__ = ["UnsafeFolder", "inspect_model", "inspect_source"]

# Whoever loads one of these runs the program that is in it.
PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".dill")

_JSON = 16 * 2**20  # bytes; settings have kilobytes, an index of the largest models some megabytes
_VOCABULARY = 512 * 2**20  # bytes; 256,000 tokens and their merges make 35 MB
_VOCABULARIES = ("tokenizer.json", "vocab.json", "vocabulary.json", "added_tokens.json")

_HEADER = 100_000_000  # bytes of a safetensors header; that library's own limit
_TYPES = {
    1: ("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0"),
    2: ("I16", "U16", "F16", "BF16"),
    4: ("I32", "U32", "F32"),
    8: ("I64", "U64", "F64", "C64"),
}
_WIDTHS = {name: width for width, names in _TYPES.items() for name in names}
_DIMENSIONS = 8

_ARRAY_MAGIC = b"\x93NUMPY"
_ARRAY_HEADER = 10_000  # bytes; NumPy's own limit for a header that it reads as Python's literals
_HEAD = 2**30  # bytes of a classifier's head, unpacked


def inspect_source(folder: Path) -> None:
    """A source as it came from a hub or from a person, before transformers reads it. Nobody reads what begins with a
    dot (.git, .cache). Raises UnsafeFolder."""
    for name, path in _inside(folder, hidden=False):
        _no_pickle(name, path)
        _one_file(name, path)


def inspect_model(folder: Path) -> None:
    """A converted model, before CTranslate2 or transformers opens it. Raises UnsafeFolder."""
    for name, path in _inside(folder, hidden=True):
        if name == "model.bin":
            _read(path, binary.check)
        else:
            _no_pickle(name, path)
            _one_file(name, path)


def _inside(folder: Path, *, hidden: bool) -> list[tuple[str, Path]]:
    """Every file below, once it is sure that each is one, inside, and has an honest name."""
    if not folder.is_dir():
        raise UnsafeFolder(f"There is no folder {folder}.")
    try:
        found = sorted((n, p) for n, p in files_in(folder) if hidden or not is_hidden(n))
        for name, path in found:
            if not safe_name(name):
                raise UnsafeFolder(
                    f"{folder} holds a file named {name!r}: no model needs such a name. Remove it."
                )
            _ordinary(folder, path)
    except (OSError, RuntimeError) as error:  # the latter: links in a circle
        raise UnsafeFolder(f"{folder} cannot be read: {error}.") from error
    return found


def _ordinary(folder: Path, path: Path) -> None:
    if path.is_symlink() and not path.resolve().is_relative_to(folder.resolve()):
        raise UnsafeFolder(
            f"{path} is a link that leads out of its folder. Copy the folder with what its links lead to (cp -rL), "
            "and give the copy."
        )
    if not stat.S_ISREG(path.stat().st_mode):
        raise UnsafeFolder(f"{path} is no ordinary file. Remove it.")


def _no_pickle(name: str, path: Path) -> None:
    if name.lower().endswith(PICKLES) or _read(path, _looks_pickled):
        raise UnsafeFolder(
            f"{path} is a pickle, or may be one: who loads it runs the program that is in it. Only safetensors are "
            "read; remove that file, or take a source that has safetensors."
        )


def _one_file(name: str, path: Path) -> None:
    base = path.name.lower()
    if base.endswith(".safetensors"):
        _read(path, _safetensors)
    elif base.endswith(".npz"):
        _read(path, _arrays)
    elif base.endswith(".npy"):
        _read(path, _array)
    elif base.endswith(".json"):
        _json(name, path)


def _read(path: Path, check: Callable[[BinaryIO], Any]) -> Any:
    try:
        with path.open("rb") as file:
            return check(file)
    except (
        Exception
    ) as error:  # what a reader raises over a file made to harm it stands in nobody's documentation
        raise UnsafeFolder(f"{path} is damaged or was made to harm: {error}. Get it again.") from error


def _looks_pickled(file: BinaryIO) -> bool:
    """By its first bytes: a pickle of protocol 2 or later, or the zip archive in which torch keeps one."""
    head = file.read(2)
    if len(head) == 2 and head[0] == 0x80 and 2 <= head[1] <= 5:
        # So may a safetensors file begin, whose header is then as long as that says.
        return not _is_safetensors(file)
    if head != b"PK":
        return False
    try:
        with zipfile.ZipFile(file) as archive:
            return any(name.lower().endswith(PICKLES) for name in archive.namelist())
    except zipfile.BadZipFile:
        return False


def _is_safetensors(file: BinaryIO) -> bool:
    return file.name.endswith(".safetensors")


def _safetensors(file: BinaryIO) -> None:
    end = os.fstat(file.fileno()).st_size
    first = file.read(8)
    if len(first) < 8:
        raise ValueError("it ends before its header")
    length = struct.unpack("<Q", first)[0]
    if length > _HEADER:
        raise ValueError(f"its header claims {length:,} bytes, and {_HEADER:,} are the most")
    if length > end - 8:
        raise ValueError("it ends inside its header")
    header = json.loads(file.read(length), object_pairs_hook=_once)
    if not isinstance(header, dict):
        raise ValueError("its header is no object")  # noqa: TRY004 (one kind of error for all that a file can be)
    header.pop("__metadata__", None)
    places = sorted(_place(name, tensor) for name, tensor in header.items())
    at = 0
    for start, stop in places:
        if start != at:
            raise ValueError("its tensors overlap, or leave holes")
        at = stop
    if 8 + length + at != end:
        raise ValueError(f"its tensors end at {8 + length + at:,} bytes, and the file at {end:,}")


def _place(name: str, tensor: Mapping[str, Any]) -> tuple[int, int]:
    shape, (start, stop) = tensor["shape"], tensor["data_offsets"]
    if len(shape) > _DIMENSIONS:
        raise ValueError(f"the tensor {name[:80]!r} has {len(shape)} dimensions")
    numbers = [*shape, start, stop]
    if not all(type(number) is int and 0 <= number < 2**63 for number in numbers):
        raise ValueError(f"the tensor {name[:80]!r} has no sensible shape or place")
    if tensor["dtype"] not in _WIDTHS:
        raise ValueError(f"the tensor {name[:80]!r} is of an unknown type")
    if stop - start != math.prod(shape) * _WIDTHS[tensor["dtype"]]:
        raise ValueError(f"the tensor {name[:80]!r} has another size than its shape")
    return start, stop


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in its header")
    return found


def _json(name: str, path: Path) -> None:
    limit = _VOCABULARY if path.name in _VOCABULARIES or path.name.endswith("_vocabulary.json") else _JSON
    size = path.stat().st_size
    if size > limit:
        raise UnsafeFolder(f"{path} has {size / 2**20:,.0f} MB: no model's {path.name} is that large.")
    if name.endswith(".index.json"):
        _read(path, _index)
    if path.name == "config.json":
        _read(path, _no_kernels)


def _no_kernels(file: BinaryIO) -> None:
    """transformers fetches and runs kernels that a configuration names (attn_implementation), where the package
    `kernels` is installed; trust_remote_code does not stop it."""
    try:
        said = json.load(file)
    except ValueError:
        return  # whoever needs it says that it is no JSON
    for key, value in settings(said):
        if key.endswith("_implementation") and isinstance(value, str) and "/" in value:
            raise ValueError(f"it asks for code from elsewhere, {key}: {value[:80]}")


def settings(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """All that a JSON value says, however deep, by the nearest name that speaks of an implementation."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from settings(inner, key if key.endswith("_implementation") else name)
    elif isinstance(value, list):
        for inner in value:
            yield from settings(inner, key)
    else:
        yield key, value


def _index(file: BinaryIO) -> None:
    """Which file holds which tensor: names that transformers will open."""
    value = json.load(file)
    for name in {str(each) for each in value["weight_map"].values()}:
        if not safe_name(name) or not name.endswith(".safetensors"):
            raise ValueError(f"it sends the reader to {name[:80]!r}, which is no safetensors file beside it")
        if not (Path(file.name).parent / name).is_file():
            raise ValueError(f"{name[:80]} is missing, which it names")


def _arrays(file: BinaryIO) -> None:
    with zipfile.ZipFile(file) as archive:
        if sum(member.file_size for member in archive.infolist()) > _HEAD:
            raise ValueError("it unpacks to more than any head has")
        for member in archive.infolist():
            if not safe_name(member.filename) or not member.filename.endswith(".npy"):
                raise ValueError(f"it holds {member.filename[:80]!r}, which is no array")
            with archive.open(member) as inside:
                _array(inside, size=member.file_size)


def _array(file: Any, size: int | None = None) -> None:
    """An array of numbers whose header tells the truth; an array of objects is a pickle."""
    end = os.fstat(file.fileno()).st_size if size is None else size
    if file.read(6) != _ARRAY_MAGIC:
        raise ValueError("it is no array")
    major = file.read(2)[:1]
    width, kind = (2, "<H") if major == b"\x01" else (4, "<I")
    length = struct.unpack(kind, _exactly(file, width))[0]
    if length > _ARRAY_HEADER:
        raise ValueError(f"an array's header claims {length:,} bytes")
    header = ast.literal_eval(_exactly(file, length).decode("latin-1").strip())
    described, shape = str(header["descr"]), header["shape"]
    if described[1:2] not in ("f", "i", "u", "b"):
        raise ValueError(f"an array holds {described[:20]!r}, which are no numbers but may be a pickle")
    if not all(type(number) is int and 0 <= number < 2**63 for number in shape):
        raise ValueError("an array has no sensible shape")
    if math.prod(shape) * int(described[2:]) != end - 8 - width - length:
        raise ValueError("an array has another size than its shape")


def _exactly(file: Any, count: int) -> bytes:
    data: bytes = file.read(count)
    if len(data) < count:
        raise ValueError("it ends too early")
    return data
