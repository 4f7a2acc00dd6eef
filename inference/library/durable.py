"""Changes on disk that are whole after a kill or a power cut at any instant: one lock, one rename each.

Knows files and folders. What they mean is told by those who change them: the shelf and the aliases.
"""

import contextlib
import ctypes
import errno
import fcntl
import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

LOCK = ".lock"
TEMPORARY = ".tmp"

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


class ChangeRefused(Exception):
    """The library is left as it is; the message says why, and what to do instead.

    ChangeRefused
    ├── NotWritable
    ├── InUse           an alias points there
    ├── NotInstalled    what was made must not be in the library
    ├── NotPromoted     what was named must not serve
    └── NothingBefore   there is no step to go back
    """


class NotWritable(ChangeRefused):
    """The folder of models cannot be changed by this user."""


@contextlib.contextmanager
def locked(root: Path) -> Iterator[None]:
    """Alone among all processes that change the library's names. Waits; whoever is killed lets go."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = (root / LOCK).open("ab")
    except OSError as error:
        raise NotWritable(f"{root} cannot be written: {error}.") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def hold(path: Path) -> int | None:
    """Take a file for as long as this process lives or until the descriptor is closed; None where another has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def write(path: Path, text: str, *, room: Path | None = None) -> None:
    """The old text or the new one, whenever the power goes. A killed writer leaves its temporary file, in `room` (on
    the same disk) or beside the path."""
    temporary = (room or path.parent) / f".{path.name}.{secrets.token_hex(4)}{TEMPORARY}"
    try:
        with temporary.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def rename(old: Path, new: Path) -> None:
    """To a name that is free, and known to the disk when this returns."""
    old.rename(new)
    sync_folder(new.parent)
    sync_folder(old.parent)


def exchange(one: Path, other: Path) -> None:
    """Two folders' names, exchanged at one instant where the system can, else one after the other."""
    if not _exchanged_at_once(one, other):
        aside = one.with_name(f"{one.name}.{secrets.token_hex(4)}")
        other.rename(aside)
        one.rename(other)
        aside.rename(one)
    sync_folder(one.parent)
    sync_folder(other.parent)


def sync_folder(folder: Path) -> None:
    """What was renamed inside is known to the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Every file and folder below is on the disk."""
    for inside, _, names in os.walk(folder):
        for name in names:
            descriptor = os.open(Path(inside) / name, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        sync_folder(Path(inside))


def _exchanged_at_once(one: Path, other: Path) -> bool:
    if sys.platform != "linux":
        return False
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    if not renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE):
        return True
    if ctypes.get_errno() in (errno.EINVAL, errno.ENOSYS):  # a file system that cannot
        return False
    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(one))
