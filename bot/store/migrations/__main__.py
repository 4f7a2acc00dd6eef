"""Writes the next migration from what changed in the tables: `python -m bot.store.migrations "what changes"`.

Works against a new SQLite file that it brings to the last migration first. Read what it wrote before keeping it.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from alembic import command
from sqlalchemy import Connection

from bot.store.database import opened
from bot.store.schema import Steps, migrate


def _write(connection: Connection, message: str) -> None:
    config = Steps.read().config
    config.attributes["connection"] = connection
    newest = Steps.read().script.get_current_head() or "0000"
    command.revision(config, message, autogenerate=True, rev_id=f"{int(newest[:4]) + 1:04d}")


async def main(message: str) -> None:
    """Write one file under `versions/`."""
    with tempfile.TemporaryDirectory() as folder:
        async with opened(f"sqlite:///{Path(folder) / 'next.sqlite3'}") as database:
            if Steps.read().script.get_current_head():
                await migrate(database)
            async with database.writer.connect() as connection:
                await connection.run_sync(_write, message)
                await connection.rollback()


if __name__ == "__main__":
    asyncio.run(main(" ".join(sys.argv[1:]) or "change"))
