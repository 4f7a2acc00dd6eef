"""Brings a database to the schema of this version, once, however many replicas start at the same time.

Knows how Alembic is driven. What each step changes stands in `migrations/versions/`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text

from bot.store.database import Database
from bot.store.errors import StoreMismatch
from bot.store.tables import metadata

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK = 0x46726F6E74  # "Front": the advisory lock that replicas of this house queue at


@dataclass(frozen=True, slots=True)
class Steps:
    """The migrations, read from disk."""

    config: Config
    script: ScriptDirectory

    @classmethod
    def read(cls) -> Steps:
        """Read and import every migration: blocking, so not for the event loop."""
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        script = ScriptDirectory.from_config(config)
        list(script.walk_revisions())
        return cls(config, script)

    def apply(self, connection: Connection) -> None:
        """Run the steps that the database lacks, in the transaction that is open."""

        def missing(revision: Any, context: object) -> Any:
            return self.script._upgrade_revs("head", revision)  # noqa: SLF001  # what `alembic upgrade` calls

        with EnvironmentContext(self.config, self.script, fn=missing) as environment:
            environment.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
            environment.run_migrations()


async def migrate(database: Database) -> None:
    """Bring the schema up to date; replicas wait for one another. Raises StoreMismatch, StoreUnavailable.

    The lock is the transaction: BEGIN IMMEDIATE on SQLite, an advisory lock on PostgreSQL; DDL is part of it.
    """
    steps = await asyncio.to_thread(Steps.read)
    async with database.write() as connection:
        if database.postgres:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        else:
            await connection.execute(text("SELECT 1"))  # BEGIN goes out with the first statement
        try:
            await connection.run_sync(steps.apply)
        except CommandError as error:
            raise StoreMismatch(
                "the database was made by a newer Frontdesk: install that version, or restore a backup"
            ) from error
