"""The database may go away, be locked or be named wrongly: each has one name, and no secret in it."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from bot.store import Store, StoreUnavailable, WrongDatabaseUrl
from bot.store import database as database_module
from bot.store.database import postgres_dsn, sqlite_path


def test_each_way_to_write_a_postgres_url_is_taken_and_its_options_kept() -> None:
    for scheme in ("postgres", "postgresql", "postgresql+asyncpg"):
        url = f"{scheme}://u:p%40ss@db:5433/front?sslmode=require&application_name=desk&connect_timeout=2"
        dsn, timeout = postgres_dsn(url)
        assert dsn == "postgresql://u:p%40ss@db:5433/front?sslmode=require&application_name=desk"
        assert timeout == 2.0
    assert postgres_dsn("postgresql+asyncpg://h/d?ssl=require")[0] == "postgresql://h/d?sslmode=require"
    assert postgres_dsn("postgresql:///d?host=/run/pg")[0] == "postgresql:///d?host=%2Frun%2Fpg"


def test_an_sqlite_url_names_a_file() -> None:
    assert sqlite_path("sqlite:////var/desk.sqlite3") == Path("/var/desk.sqlite3")
    assert sqlite_path("sqlite:///desk.sqlite3") == Path("desk.sqlite3")
    for url in ("sqlite://", "sqlite:///", "sqlite:///:memory:"):
        with pytest.raises(WrongDatabaseUrl, match="names a file"):
            sqlite_path(url)


@pytest.mark.parametrize(
    "url", ["mysql://u:hunter2@h/d", "postgresql://u:hunter2@h:port/d", "postgresql://u:hunter2@[h/d"]
)
async def test_a_wrong_url_is_not_repeated(url: str) -> None:
    with pytest.raises(WrongDatabaseUrl) as refused:
        async with Store.open(url):
            pass
    assert "hunter2" not in str(refused.value)


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(StoreUnavailable) as away:
        async with Store.open("postgresql://u:hunter2@127.0.0.1:1/d"):
            pass
    assert "hunter2" not in repr(away.value)


async def test_a_wrong_password_is_unavailable_and_not_repeated(postgres_url: str) -> None:
    before, _, after = postgres_url.partition("@")
    url = before.rsplit(":", 1)[0] + ":hunter2@" + after
    with pytest.raises(StoreUnavailable, match="password authentication failed") as away:
        async with Store.open(url):
            pass
    assert "hunter2" not in repr(away.value)


async def test_after_the_server_comes_back_the_store_goes_on(postgres: Any, postgres_url: str) -> None:
    async with Store.open(postgres_url) as store:
        await store.create_key("before")
        await asyncio.to_thread(postgres.stop)
        try:
            for _ in range(2):
                with pytest.raises(StoreUnavailable):
                    await store.ping()
                with pytest.raises(StoreUnavailable):
                    await store.create_key("meanwhile")
        finally:
            await asyncio.to_thread(postgres.start)
        await store.create_key("after")
        assert [key.name for key in await store.keys()] == ["before", "after"]


async def test_a_connection_that_is_cut_in_a_transaction_is_unavailable(
    postgres: Any, postgres_url: str
) -> None:
    async def cut(store: Store) -> None:
        async with store._database.write() as connection:
            pid = (await connection.execute(text("SELECT pg_backend_pid()"))).scalar()
            await asyncio.to_thread(postgres.run, f"SELECT pg_terminate_backend({pid})")
            await connection.execute(text("SELECT 1"))

    async with Store.open(postgres_url) as store:
        with pytest.raises(StoreUnavailable):
            await cut(store)
        await store.ping()


async def test_a_file_that_another_process_keeps_locked_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "WAIT", 0.1)
    path = tmp_path / "desk.sqlite3"
    async with Store.open(f"sqlite:///{path}") as store:
        other = await asyncio.to_thread(sqlite3.connect, path, isolation_level=None, check_same_thread=False)
        await asyncio.to_thread(other.execute, "BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked"):
            await store.create_key("meanwhile")
        await store.ping()
        await asyncio.to_thread(other.execute, "ROLLBACK")
        await store.create_key("after")
        await asyncio.to_thread(other.close)


async def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "desk.sqlite3"
    path.write_text("not a database, but long enough to be taken for one" * 20)
    with pytest.raises(StoreUnavailable, match="not a database"):
        async with Store.open(f"sqlite:///{path}"):
            pass


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # a server's disk is not ours to fill
async def test_a_full_disk_is_unavailable_and_nothing_is_half_written(house: Any) -> None:
    store = house.store
    async with store._database.writer.connect() as connection:
        pages = (await connection.execute(text("PRAGMA page_count"))).scalar()
        await connection.execute(text(f"PRAGMA max_page_count={pages}"))
        await connection.rollback()
    with pytest.raises(StoreUnavailable, match="full"):
        await house.say("x" * 100_000, key="k")
    async with store._database.writer.connect() as connection:
        await connection.execute(text("PRAGMA max_page_count=100000"))
        await connection.rollback()
    await store.ping()
    assert not (await house.say("x" * 100_000, key="k")).duplicate


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_health_hears_of_a_database_that_takes_nothing_until_it_does_again(house: Any) -> None:
    store = house.store

    async def only_for_reading(value: str) -> None:
        async with store._database.writer.connect() as connection:
            raw = await connection.get_raw_connection()
            await raw.driver_connection.run(f"PRAGMA query_only={value}", ())

    await only_for_reading("ON")
    await store.ping()  # nobody has written yet
    with pytest.raises(StoreUnavailable, match="readonly"):
        await house.say("hello", key="k")
    with pytest.raises(StoreUnavailable, match="readonly"):
        await store.ping()
    await only_for_reading("OFF")
    await store.ping()
    await house.say("hello", key="k")


async def test_only_the_owner_may_read_the_file(tmp_path: Path) -> None:
    path = tmp_path / "made" / "here" / "desk.sqlite3"
    async with Store.open(f"sqlite:///{path}") as store:
        await store.create_key("ci")
    assert path.stat().st_mode & 0o777 == 0o600


async def test_our_own_mistakes_are_not_taken_for_an_outage(store: Store) -> None:
    with pytest.raises(DBAPIError) as wrong:
        async with store._database.read() as connection:
            await connection.execute(text("SELECT nothing FROM nowhere"))
    assert not isinstance(wrong.value, StoreUnavailable)


async def test_writers_that_are_cancelled_leave_the_way_free(house: Any, store: Store) -> None:
    """Whatever the moment of the cancellation, the next writer finds a connection and no open transaction."""
    chance = random.Random(7)
    for turn in range(12):
        tasks = [asyncio.ensure_future(house.say(f"{turn} {n}", place=f"p{n}")) for n in range(6)]
        await asyncio.sleep(chance.random() * 0.02)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    accepted = await house.say("still there", place="last")
    assert [said.text for said in (await house.seen(accepted.place_id)).messages.values()] == ["still there"]


async def test_many_writers_and_readers_at_once_all_come_through(house: Any, store: Store) -> None:
    accepted = await asyncio.gather(*(house.say(f"{n}", place=f"p{n % 5}") for n in range(60)))
    seen = await asyncio.gather(*(house.seen(place) for place in {a.place_id for a in accepted}))
    assert sorted(int(text) for picture in seen for _, text, _ in picture.texts()) == list(range(60))
