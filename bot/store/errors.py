"""What can go wrong in the store, named for the one who catches it, and the seam where drivers' errors become ours.

    StoreError
    ├── StoreUnavailable   the database is away, locked, full or damaged: nothing was done, try again later
    │   └── StoreFull      it can be read, and takes nothing: no room on its disk, or closed to writing
    ├── LeaseLost          another process answers this message now: stop, and show nothing more
    ├── AnswerStopped      someone said stop: show nothing more, and end the answer
    ├── StoreMismatch      the database was made by a newer Frontdesk
    └── WrongDatabaseUrl   DATABASE_URL cannot be used; the message says why and never repeats the URL

A statement that is wrong in itself (our mistake) stays what the driver called it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, NotSupportedError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bot.messages import Unavailable


class StoreError(Exception):
    """Anything the store says no with."""


class StoreUnavailable(StoreError, Unavailable):
    """The database cannot be used now. The transaction under way was not committed, as far as anyone can tell."""


class StoreFull(StoreUnavailable):
    """The database can be read and takes nothing: its disk is full, failing, or closed to writing."""


class LeaseLost(StoreError):
    """The lease is not this process's any more."""


class AnswerStopped(StoreError):
    """Someone stopped the answer that this lease is for."""


class StoreMismatch(StoreError):
    """The database's schema is one this version does not know."""


class WrongDatabaseUrl(StoreError):
    """The URL of the database is of no use; says why without repeating it."""


def sentence(error: StoreError) -> str:
    """The error for an operator at the terminal: what is wrong, and what to look at."""
    if isinstance(error, StoreUnavailable):
        return f"The database cannot be used ({error}). Check DATABASE_URL, and that its server runs."
    return str(error)


SQLITE_ERROR = (
    1  # "SQL error or missing table": a wrong statement, where every other code is the file's trouble
)

# PostgreSQL's classes of SQLSTATE that mean "not now": connection, authorization, no such database, rollback
# (deadlock), resources, operator's intervention (shutdown), system errors, read-only server, damaged files.
AWAY = ("08", "28", "3D", "40", "53", "57", "58", "25", "55", "XX")
# Of these the ones that say so of writing alone: SQLite's codes, and PostgreSQL's for a full disk, a read-only server.
FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, "53100", "25006")
OURS = (IntegrityError, ProgrammingError, DataError, NotSupportedError)
RAW = (PoolTimeout, OSError, asyncpg.PostgresError, asyncpg.InterfaceError)  # OSError holds TimeoutError


@contextmanager
def translated() -> Iterator[None]:
    """Everything that a database does by being away, locked or full leaves this block as StoreUnavailable."""
    try:
        yield
    except DBAPIError as error:
        if not _is_away(error):
            raise
        kind = StoreFull if _is_full(error) else StoreUnavailable
        raise kind(_cause(error.orig or error)) from None
    except RAW as error:
        raise StoreUnavailable(_cause(error)) from None


def _is_away(error: DBAPIError) -> bool:
    if error.connection_invalidated:
        return True
    if isinstance(error.orig, sqlite3.Error):
        code = getattr(error.orig, "sqlite_errorcode", SQLITE_ERROR)
        return not isinstance(error, IntegrityError) and code & 0xFF != SQLITE_ERROR
    state = getattr(error.orig, "sqlstate", None)
    if state:
        return str(state).startswith(AWAY)
    return not isinstance(error, OURS)


def _is_full(error: DBAPIError) -> bool:
    if isinstance(error.orig, sqlite3.Error):
        return getattr(error.orig, "sqlite_errorcode", SQLITE_ERROR) & 0xFF in FULL
    return getattr(error.orig, "sqlstate", None) in FULL


def _cause(error: BaseException) -> str:
    """A few words for the log. Drivers' messages name hosts and users, never passwords; parameters are hidden."""
    return f"{type(error).__name__}: {error}".splitlines()[0][:300]
