"""CTranslate2's model.bin, walked from its first byte to its last: names, shapes, places. No weight is read.

Knows the format of model_spec.py. What the variables mean is known to those who ask: `sizes` and `inspection`.
"""

import math
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

# The numbers of ctranslate2's DataType and the bytes of one value: float32, int8, int16, int32, float16, bfloat16.
WIDTHS = {0: 4, 1: 1, 2: 2, 3: 4, 4: 2, 5: 2}
_INTEGERS = {1: "b", 2: "h", 3: "i"}

# What CTranslate2 4 writes, and the layouts alike before it.
_VERSIONS = range(4, 7)

_MOST_VARIABLES = 1_000_000  # the largest models have some thousands
_MOST_DIMENSIONS = 8


@dataclass(frozen=True, slots=True)
class Variable:
    """`value` is the value of a single integer, None of anything else."""

    name: str
    shape: tuple[int, ...]
    value: int | None = None


def variables(file: BinaryIO) -> Iterator[Variable]:
    """Every variable of an open model.bin, each of which lies inside the file. Raises ValueError at the first thing
    that cannot be."""
    end = _end(file)
    version = _unpack(file, "I")
    if version not in _VERSIONS:
        raise ValueError(
            f"it is of the binary version {version}, and {_VERSIONS[0]} to {_VERSIONS[-1]} are known"
        )
    _text(file, end)
    _unpack(file, "I")  # the specification's revision
    names: set[str] = set()
    for _ in range(_count(file, end, "variables")):
        variable = _variable(file, end)
        if variable.name in names:
            raise ValueError(f"it holds {variable.name!r} twice")
        names.add(variable.name)
        yield variable


def check(file: BinaryIO) -> None:
    """Walks an open model.bin to its last byte: that every alias has its variable too, and that the file ends where
    it says. Raises ValueError."""
    names = {variable.name for variable in variables(file)}
    end = _end(file)
    for _ in range(_count(file, end, "aliases")):
        _text(file, end)
        target = _text(file, end)
        if target not in names:
            raise ValueError(f"an alias points to {target!r}, which is not there")
    if file.tell() != end:
        raise ValueError(f"it goes on for {end - file.tell():,} bytes after its end")


def _end(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


def _variable(file: BinaryIO, end: int) -> Variable:
    name = _text(file, end)
    dimensions = _unpack(file, "B")
    if dimensions > _MOST_DIMENSIONS:
        raise ValueError(f"{name!r} has {dimensions} dimensions")
    shape = tuple(_unpack(file, "I") for _ in range(dimensions))
    kind, size = _unpack(file, "B"), _unpack(file, "I")
    if kind not in WIDTHS:
        raise ValueError(f"{name!r} is of an unknown type ({kind})")
    if size != math.prod(shape) * WIDTHS[kind]:
        raise ValueError(f"{name!r} has {size:,} bytes, and its shape {list(shape)} another number")
    if size > end - file.tell():
        raise ValueError(f"it ends too early: {name!r} reaches beyond it")
    if not shape and kind in _INTEGERS:
        return Variable(name, shape, _unpack(file, _INTEGERS[kind]))
    file.seek(size, os.SEEK_CUR)
    return Variable(name, shape)


def _count(file: BinaryIO, end: int, what: str) -> int:
    count = _unpack(file, "I")
    if count > min(_MOST_VARIABLES, end - file.tell()):  # each takes some bytes
        raise ValueError(f"it claims to hold {count:,} {what}")
    return count


def _unpack(file: BinaryIO, kind: str) -> int:
    data = file.read(struct.calcsize(f"<{kind}"))
    if len(data) < struct.calcsize(f"<{kind}"):
        raise ValueError("it ends too early")
    return int(struct.unpack(f"<{kind}", data)[0])


def _text(file: BinaryIO, end: int) -> str:
    """Length, letters, and a zero byte that counts."""
    length = _unpack(file, "H")
    if not 0 < length <= end - file.tell():
        raise ValueError("it ends too early, or a name in it is longer than itself")
    text = file.read(length)
    if text[-1] or 0 in text[:-1]:
        raise ValueError(f"a name in it is none: {text[:40]!r}")
    return text[:-1].decode()  # UnicodeDecodeError is a ValueError
