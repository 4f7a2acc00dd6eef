"""An SQLite connection whose statements cross to its thread once, not four times.

aiosqlite hands cursor, execute, fetchall and close to the thread one by one; each crossing costs a tenth of a
millisecond on an idle machine and several on a busy one, more than the statement itself. Here a statement with its
rows is one crossing, BEGIN travels with the first statement, and a rollback of nothing stays at home.
Knows aiosqlite and how SQLAlchemy's adapter calls it; nothing of ours.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

import aiosqlite


class Cursor:
    """What SQLAlchemy's adapter expects of an aiosqlite cursor, answered from one crossing."""

    arraysize = 1

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rows: list[Any] = []
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None

    async def __aenter__(self) -> Cursor:
        return self

    async def execute(self, sql: str, parameters: Iterable[Any] = ()) -> Cursor:
        """Run one statement; its rows wait here."""
        done = await self._connection.run(sql, tuple(parameters))
        if done is not None:
            self.description, self.rowcount, self.lastrowid, self._rows = done
        return self

    async def executemany(self, sql: str, sets: Iterable[Iterable[Any]]) -> Cursor:
        """Run one statement for each set of parameters."""
        for parameters in sets:
            await self.execute(sql, parameters)
        return self

    async def fetchall(self) -> Sequence[Any]:
        """All rows, once."""
        rows, self._rows = self._rows, []
        return rows

    async def close(self) -> None:
        """Nothing is left open in the thread."""


class Connection(aiosqlite.Connection):
    """One transaction at a time, begun by a statement that starts with BEGIN."""

    _begin: str | None = None  # said, not yet sent
    _open = False  # sent: from then on only a commit or a rollback closes it

    def cursor(self) -> Any:
        """A cursor; costs nothing."""
        return Cursor(self)

    async def run(
        self, sql: str, parameters: tuple[Any, ...]
    ) -> tuple[Any, int, int | None, list[Any]] | None:
        """Run a statement in the thread, after the BEGIN that waits for it; None for a BEGIN, which waits."""
        if sql.startswith("BEGIN"):
            self._begin = sql
            return None
        begin, self._begin = self._begin, None
        self._open = self._open or begin is not None
        return await self._execute(_run, self._conn, begin, sql, parameters)  # type: ignore[no-any-return, no-untyped-call]

    async def commit(self) -> None:
        """Commit, if anything was done."""
        self._begin = None
        if self._open:
            await super().commit()
            self._open = False

    async def rollback(self) -> None:
        """Take back, if anything was done."""
        self._begin = None
        if self._open:
            await super().rollback()
            self._open = False


def _run(
    connection: sqlite3.Connection, begin: str | None, sql: str, parameters: tuple[Any, ...]
) -> tuple[Any, int, int | None, list[Any]]:
    if begin is not None:
        connection.execute(begin)
    cursor = connection.execute(sql, parameters)
    rows = cursor.fetchall() if cursor.description else []
    done = (cursor.description, cursor.rowcount, cursor.lastrowid, rows)
    cursor.close()
    return done


def connect(path: str, *, timeout: float) -> Connection:
    """A connection to be awaited; `timeout` is how many seconds it waits for another process's lock."""

    def opened() -> sqlite3.Connection:
        # isolation_level None: sqlite3 would begin by itself, deferred, and upgrade into a deadlock
        return sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)

    connection = Connection(opened, iter_chunk_size=64)
    connection._thread.daemon = True  # noqa: SLF001  # as SQLAlchemy does: a killed loop must not hang the process
    return connection
