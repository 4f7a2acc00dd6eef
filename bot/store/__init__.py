"""What is kept: people, places, messages, answers, keys, in SQLite or PostgreSQL, through one `Store`.

2026-11: SQLModel names the tables; statements are SQLAlchemy's core, because a piece is committed on the way to the
reader's eye and a session's bookkeeping costs more than the statement. Alembic runs inside `Store.open`, in the
transaction that is also the lock. Events are read off the rows, not kept in a table of their own: deleting the rows
deletes the events, and nothing is written twice.
"""

from bot.store.errors import (
    AnswerStopped,
    LeaseLost,
    StoreError,
    StoreMismatch,
    StoreUnavailable,
    WrongDatabaseUrl,
)
from bot.store.store import Store
from bot.store.values import (
    Accepted,
    Begun,
    BegunPiece,
    Decided,
    Decision,
    HistoryMessage,
    Judged,
    KeptVerdict,
    Key,
    Lease,
    LeasedPlace,
    Mode,
    Screen,
)

__all__ = [
    "Accepted",
    "AnswerStopped",
    "Begun",
    "BegunPiece",
    "Decided",
    "Decision",
    "HistoryMessage",
    "Judged",
    "KeptVerdict",
    "Key",
    "Lease",
    "LeaseLost",
    "LeasedPlace",
    "Mode",
    "Screen",
    "Store",
    "StoreError",
    "StoreMismatch",
    "StoreUnavailable",
    "WrongDatabaseUrl",
]
