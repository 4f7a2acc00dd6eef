"""A database is brought to this version's schema by itself, once, and is the schema that the tables describe."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection, inspect, text

from bot.store import Store, StoreMismatch
from bot.store.schema import Steps
from bot.store.tables import metadata


def _differences(connection: Connection) -> list[Any]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, metadata))


async def test_the_migrations_make_what_the_tables_describe(store: Store) -> None:
    async with store._database.write() as connection:
        assert await connection.run_sync(_differences) == []


async def test_replicas_that_start_together_migrate_once(database_url: str, nothing_blocks: None) -> None:
    async with AsyncExitStack() as stack:
        stores = await asyncio.gather(
            *(stack.enter_async_context(Store.open(database_url)) for _ in range(4))
        )
        for store in stores:
            await store.ping()


async def test_opening_again_keeps_what_is_there(database_url: str, nothing_blocks: None) -> None:
    async with Store.open(database_url) as store:
        _, key = await store.create_key("ci")
    async with Store.open(database_url) as store:
        assert await store.keys() == [key]


async def test_a_database_of_a_newer_version_is_left_alone(database_url: str, nothing_blocks: None) -> None:
    async with Store.open(database_url) as store, store._database.write() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreMismatch, match="newer Frontdesk"):
        async with Store.open(database_url):
            pass


async def test_every_step_can_be_taken_back(store: Store) -> None:
    def back(connection: Connection) -> None:
        context = MigrationContext.configure(connection)
        with Operations.context(context):
            for step in steps.script.walk_revisions():
                step.module.downgrade()

    steps = await asyncio.to_thread(Steps.read)
    async with store._database.write() as connection:
        await connection.run_sync(back)
        left = await connection.run_sync(_tables)
    assert left == {"alembic_version"}


def _tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())
