"""The open database: one way to write, one way to read, the same for SQLite and PostgreSQL.

Knows URLs, connections and transactions; nothing of what is kept.

2026-11: on SQLite what is acknowledged is committed with synchronous=FULL (P1: it is on the disk before the platform
hears of it). Pieces and leases, `write(durable=False)`, are committed with NORMAL: a fsync took 3 ms on the build
machine, the rest of a piece's commit 1 ms, and only a power cut (not a crash of ours) can take back the last of them;
the next durable commit carries them along, and a viewer who is ahead of the clock reads everything anew. All writers
of a process share one connection (a pool of one is the lock), so they queue in order and never meet SQLITE_BUSY;
other processes (`frontdesk keys`) are waited for by busy_timeout.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import asyncpg
from sqlalchemy import ColumnElement, Double, Table, bindparam, cast, event, func, or_
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects import sqlite as sqlite_dialect
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from bot.store import sqlite
from bot.store.errors import StoreFull, WrongDatabaseUrl, translated

WAIT = 10.0  # seconds for a connection of the pool, or for another process's lock on the file
CONNECT = 5.0  # seconds; a database that takes longer to answer is away
COMMAND = 30.0  # seconds; our statements take milliseconds: this only notices a server that fell silent
FULL = "FULL"
READERS = 4  # of SQLite, a thread each
CONNECTIONS = 10  # of PostgreSQL kept open, and as many more in a rush
LONGEST_PAUSE = 600.0  # seconds; what waits for longer does so by a clock that jumped back


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """Both ends of an open database. All errors that mean "not now" leave as StoreUnavailable."""

    writer: AsyncEngine
    quick: AsyncEngine  # the writer's connections, committing without waiting for the disk
    reader: AsyncEngine
    postgres: bool
    full: asyncio.Event = field(default_factory=asyncio.Event)  # set by a write that found no room

    @asynccontextmanager
    async def write(self, *, durable: bool = True) -> AsyncIterator[AsyncConnection]:
        """One transaction: committed when the block ends, rolled back when it raises. Never nest two.

        What is not `durable` may be lost with the power, never with the process.
        """
        try:
            with translated():
                async with (self.writer if durable else self.quick).begin() as connection:
                    yield connection
        except StoreFull:
            self.full.set()
            raise

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """One snapshot: every statement in the block sees the same moment."""
        with translated():
            async with self.reader.begin() as connection:
                yield connection


def now(*, postgres: bool) -> ColumnElement[float]:
    """The time as leases measure it: the server's clock where several bots share one, else ours, when executed."""
    if postgres:
        return cast(func.extract("epoch", func.clock_timestamp()), Double())
    return bindparam("now", callable_=time.time, type_=Double(), unique=True)


def due(
    until: ColumnElement[float], moment: ColumnElement[float], *, longest: float = 0.0
) -> ColumnElement[bool]:
    """Whether what waits until then need wait no longer. `longest`: it may have been told to wait so many seconds."""
    return or_(until.is_(None), until < moment, until > moment + max(LONGEST_PAUSE, longest))


def insert(table: Table, *, postgres: bool) -> sqlite_dialect.Insert | postgresql.Insert:
    """An INSERT that knows ON CONFLICT, spelled the same on both."""
    return postgresql.insert(table) if postgres else sqlite_dialect.insert(table)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    """Open the database of `url`, connecting only when it is first used. Raises WrongDatabaseUrl."""
    database = await asyncio.to_thread(_made, url)  # imports drivers, looks at files
    try:
        yield database
    finally:
        await asyncio.shield(_closed(database))


def _made(url: str) -> Database:
    scheme = url.split(":", 1)[0]
    if scheme in ("postgres", "postgresql", "postgresql+asyncpg"):
        return _postgres(url)
    if scheme in ("sqlite", "sqlite+aiosqlite"):
        path = sqlite_path(url)
        _make_private(path)
        return _sqlite(path)
    raise WrongDatabaseUrl("DATABASE_URL must start with postgresql:// or sqlite:///")


async def _closed(database: Database) -> None:
    await database.reader.dispose()
    await database.writer.dispose()


def sqlite_path(url: str) -> Path:
    """The file that an SQLite URL names. Raises WrongDatabaseUrl, also for a database in memory."""
    head, found, path = url.partition(":///")
    path = path.partition("?")[0]
    if not found or head not in ("sqlite", "sqlite+aiosqlite") or path in ("", ":memory:"):
        raise WrongDatabaseUrl("an SQLite DATABASE_URL names a file: sqlite:////absolute/path.sqlite3")
    return Path(path)


def _make_private(path: Path) -> None:
    """The file holds what people say: only its owner may read it. SQLite gives its helper files the same mode."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise WrongDatabaseUrl(f"the database file cannot be opened: {error.strerror}") from None


def _sqlite(path: Path) -> Database:
    options: dict[str, Any] = {
        "async_creator": lambda *_, **__: sqlite.connect(str(path), timeout=WAIT),
        "poolclass": AsyncAdaptedQueuePool,
        "hide_parameters": True,
        "pool_timeout": WAIT,
        "max_overflow": 0,
        "pool_use_lifo": True,  # the connection used last has its cache and statements at hand
    }
    url = "sqlite+aiosqlite:///"
    writer = create_async_engine(url, pool_size=1, **options)
    reader = create_async_engine(url, pool_size=READERS, **options)
    _prepare(writer, begin="BEGIN IMMEDIATE", pragmas=("journal_mode=WAL", "secure_delete=ON"))
    _prepare(reader, begin="BEGIN", pragmas=("query_only=ON",))
    quick = writer.execution_options(synchronous="NORMAL")
    return Database(writer=writer, quick=quick, reader=reader, postgres=False)


def _prepare(engine: AsyncEngine, *, begin: str, pragmas: tuple[str, ...]) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def connected(connection: Any, record: object) -> None:
        connection.isolation_level = (
            None  # sqlite3 would begin by itself, deferred, and upgrade into a deadlock
        )
        cursor = connection.cursor()
        for pragma in ("foreign_keys=ON", f"synchronous={FULL}", *pragmas):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def began(connection: Any) -> None:
        wanted = connection.get_execution_options().get("synchronous", FULL)
        if connection.info.get("synchronous", FULL) != wanted:
            connection.exec_driver_sql(f"PRAGMA synchronous={wanted}")  # only possible between transactions
            connection.info["synchronous"] = wanted
        connection.exec_driver_sql(begin)


def _postgres(url: str) -> Database:
    dsn, connect_timeout = postgres_dsn(url)

    async def connect(*_: object, **__: object) -> asyncpg.Connection[Any]:
        # asyncpg reads the URL itself: every libpq option in it keeps its meaning
        return await asyncpg.connect(dsn, timeout=connect_timeout, command_timeout=COMMAND)

    writer = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        hide_parameters=True,
        pool_pre_ping=True,  # after the server's restart the pool mends itself
        pool_timeout=WAIT,
        pool_size=CONNECTIONS,
        max_overflow=CONNECTIONS,
    )
    reader = writer.execution_options(isolation_level="REPEATABLE READ")
    return Database(writer=writer, quick=writer, reader=reader, postgres=True)


def postgres_dsn(url: str) -> tuple[str, float]:
    """The URL as asyncpg reads it, and the seconds that connecting may take.

    Accepts postgres://, postgresql:// and postgresql+asyncpg://. Raises WrongDatabaseUrl.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port  # refuses a port that is no number
    except ValueError:
        raise WrongDatabaseUrl("DATABASE_URL has a wrong host or port") from None
    timeout = CONNECT
    query = []
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name == "connect_timeout":
            timeout = float(value) if value.isdecimal() else CONNECT
        elif name == "ssl":  # SQLAlchemy's spelling
            query.append(("sslmode", value))
        else:
            query.append((name, value))
    options = f"?{urlencode(query)}" if query else ""
    return f"postgresql://{parts.netloc}{parts.path}{options}", timeout
