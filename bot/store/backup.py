"""The whole database into a file, while it is in use, and back: SQLite by its own online backup, PostgreSQL by pg_dump.

Knows both databases' tools. Leaves to the operator's command what is said of it. Everything here blocks.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from bot.store.database import postgres_dsn, sqlite_path
from bot.store.errors import StoreError
from bot.store.schema import Steps

WAIT = 30.0  # seconds for a lock that somebody holds


class BackupFailed(StoreError):
    """It was not backed up, or not restored; the message says why, and nothing was changed."""


def backup(url: str, file: Path) -> None:
    """Write the database of `url` into a new file, for its owner's eyes. Raises BackupFailed."""
    if file.exists():
        raise BackupFailed(f"{file} exists already: name another file")
    with _new(file) as part:
        if _is_sqlite(url):
            _copy(_existing(sqlite_path(url)), part)
            _make_one_file(part)
            _check(part)
        else:
            address, password = _without_password(url)
            _run(
                *("pg_dump", "--format=custom", "--no-owner", "--file", str(part), address), password=password
            )


def restore(url: str, file: Path) -> None:
    """Put what a backup holds into the place of what the database of `url` holds. Raises BackupFailed."""
    if not file.is_file():
        raise BackupFailed(f"there is no file {file}")
    if _is_sqlite(url):
        _check(file)
        path = sqlite_path(url)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        _copy(file, path)
    else:
        _check_dump(file)
        address, password = _without_password(url)
        _run(
            *("pg_restore", "--clean", "--if-exists", "--no-owner", "--single-transaction"),
            *("--exit-on-error", "--dbname", address, str(file)),
            password=password,
        )


def _is_sqlite(url: str) -> bool:
    return url.startswith("sqlite")


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise BackupFailed(f"there is no database at {path} yet")
    return path


@contextmanager
def _new(file: Path) -> Iterator[Path]:
    """A file beside, which takes the name when it is whole."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)  # mode 0600
    except OSError as error:
        raise BackupFailed(f"{file} cannot be written: {error.strerror}") from None
    os.close(handle)
    part = Path(name)
    try:
        yield part
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.rename(file)
    except OSError as error:
        raise BackupFailed(f"{file} cannot be written: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> None:
    """SQLite's own way, in one step, which waits for no writer and keeps none waiting: one in portions begins anew
    whenever somebody writes in between."""
    try:
        with (
            closing(sqlite3.connect(source, timeout=WAIT)) as whence,
            closing(sqlite3.connect(target, timeout=WAIT)) as whither,
        ):
            whence.backup(whither)
    except sqlite3.Error as error:
        raise BackupFailed(f"{target} could not be written: {error}") from None


def _make_one_file(file: Path) -> None:
    """Without a write-ahead log, which would lie beside it, and need a folder that can be written to be read."""
    try:
        with closing(sqlite3.connect(file, timeout=WAIT)) as connection:
            connection.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        raise BackupFailed(f"{file} could not be written: {error}") from None


def _check(file: Path) -> None:
    """That it is a sound database of ours, of this version or an older one. Raises BackupFailed."""
    try:
        address = f"{file.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=WAIT)) as connection:
            (sound,) = connection.execute("PRAGMA integrity_check").fetchone()
            (version,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except (sqlite3.Error, TypeError):
        raise BackupFailed(f"{file} is no backup of a Frontdesk database") from None
    if sound != "ok":
        raise BackupFailed(f"{file} is damaged: {sound}")
    _check_version(version, file)


def _check_dump(file: Path) -> None:
    """The same of what pg_dump wrote. Raises BackupFailed."""
    with file.open("rb") as dump:
        if dump.read(5) != b"PGDMP":
            raise BackupFailed(f"{file} is no backup of a PostgreSQL database")
    written = _run("pg_restore", "--data-only", "--table=alembic_version", "--file=-", str(file))
    version = re.search(r"^COPY .*\n(\w+)\n", written, re.MULTILINE)
    if version is None:
        raise BackupFailed(f"{file} is no backup of a Frontdesk database")
    _check_version(version[1], file)


def _check_version(version: str, file: Path) -> None:
    known = {step.revision for step in Steps.read().script.walk_revisions()}
    if version not in known:
        raise BackupFailed(f"{file} was made by a newer Frontdesk: install that version")


def _run(program: str, *arguments: str, password: str = "") -> str:
    """One of PostgreSQL's programs, which learns the password from its environment, not from its command line. Returns
    what it wrote."""
    found = shutil.which(program)
    if found is None:
        raise BackupFailed(f"{program} is not installed: apt-get install postgresql-client")
    done = subprocess.run(  # noqa: S603 - PostgreSQL's own program, no shell
        [found, *arguments],
        env={**os.environ, **({"PGPASSWORD": password} if password else {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise BackupFailed(f"{program}: {said[-1] if said else f'status {done.returncode}'}")
    return done.stdout


def _without_password(url: str) -> tuple[str, str]:
    """The address as libpq takes it, and the password apart."""
    parts = urlsplit(postgres_dsn(url)[0])
    options = dict(parse_qsl(parts.query))
    password = unquote(parts.password or "") or options.pop("password", "")
    user, at, host = parts.netloc.rpartition("@")
    netloc = f"{user.partition(':')[0]}{at}{host}"
    return urlunsplit(parts._replace(netloc=netloc, query=urlencode(options))), password
