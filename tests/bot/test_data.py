"""`frontdesk data` as its operator uses it, over each database: find, give out, delete, back up, restore."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from bot.data import app
from bot.store import Store
from bot.store.database import opened


def call(*words: str, answer: str = "") -> Result:
    return CliRunner().invoke(app, list(words), input=answer)


async def _talk(url: str) -> None:
    async with Store.open(url) as store:
        for channel, key, name, words in (
            ("web", "7", "", "hello from the page"),
            ("telegram", "99", "Miriam Blum", "hello from the phone"),
        ):
            await store.accept(
                channel=channel,
                key=f"{channel}-1",
                place_key=key,
                site="",
                person_key=key,
                person_name=name,
                language="en",
                text=words,
                correlation=channel,
                command=False,
            )


@pytest.fixture
def kept(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database in which two people have spoken, as the environment names it."""
    asyncio.run(_talk(database_url))
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("FRONTDESK_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("REDIS_URL", raising=False)
    return database_url


def said(person: str) -> list[str]:
    exported = json.loads(call("export", "--person", person).stdout)
    return [message["content"][0]["text"] for message in exported["messages"]]


def test_people_are_found_by_name_and_key(kept: str) -> None:
    everybody = json.loads(call("people", "--json").stdout)
    assert sorted(one["identities"][0] for one in everybody) == ["telegram/99", "web/7"]
    (found,) = json.loads(call("people", "blum", "--json").stdout)
    assert (found["name"], found["messages"]) == ("Miriam Blum", 1)
    assert "telegram/99" in call("people", "99").stdout
    assert call("people", "%").stdout == "Nobody is known by that.\n"


def test_what_is_kept_of_a_person_is_given_out_for_their_eyes(kept: str, tmp_path: Path) -> None:
    assert said("telegram/99") == ["hello from the phone"]
    file = tmp_path / "miriam.json"
    file.touch(mode=0o644)
    told = call("export", "--person", "telegram/99", str(file))
    assert told.exit_code == 0
    assert json.loads(file.read_text())["person"][0]["name"] == "Miriam Blum"
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o644)
    assert call("export", "--person", "web/7", str(file)).exit_code == 0
    assert "hello from the page" in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600


def test_erasing_asks_first_and_deletes_only_that_person(kept: str) -> None:
    refused = call("erase", "--person", "telegram/99", answer="n\n")
    assert refused.exit_code == 1
    assert said("telegram/99") == ["hello from the phone"]
    assert call("erase", "--person", "telegram/99", "--yes").exit_code == 0
    assert (said("telegram/99"), said("web/7")) == ([], ["hello from the page"])


def test_who_is_erased_is_erased_also_while_the_queue_is_away(
    kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    told = call("erase", "--person", "telegram/99", "--yes")
    assert (told.exit_code, told.stdout.startswith("Everything of telegram/99")) == (0, True)
    assert said("telegram/99") == []


@pytest.mark.parametrize("words", [("export",), ("erase", "--yes")])
@pytest.mark.parametrize("person", ["telegram/1", "nonsense", "/"])
def test_who_is_not_known_is_named(kept: str, words: tuple[str, ...], person: str) -> None:
    told = call(*words, "--person", person)
    assert (told.exit_code, told.stderr) == (1, f"Nobody is known as {person}: frontdesk data people\n")


def test_a_backup_brings_everything_back(kept: str, tmp_path: Path) -> None:
    file = tmp_path / "backups" / "monday"
    written = call("backup", str(file))
    assert written.exit_code == 0, written.output
    assert file.stat().st_mode & 0o777 == 0o600
    assert call("erase", "--person", "telegram/99", "--yes").exit_code == 0
    assert call("restore", str(file), "--yes").exit_code == 0
    assert said("telegram/99") == ["hello from the phone"]
    again = call("backup", str(file))
    assert again.exit_code == 1
    assert "exists already" in again.stderr


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_backup_is_whole_while_others_write(kept: str, tmp_path: Path) -> None:
    path = kept.removeprefix("sqlite:///")
    with sqlite3.connect(path, isolation_level=None) as writing:
        writing.execute("BEGIN IMMEDIATE")
        writing.execute("UPDATE person SET name = 'half'")
        assert call("backup", str(tmp_path / "b")).exit_code == 0
        writing.execute("ROLLBACK")
    with sqlite3.connect(tmp_path / "b") as copy:
        assert ("half",) not in copy.execute("SELECT name FROM person").fetchall()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_backup_is_one_file_that_may_lie_anywhere(kept: str, tmp_path: Path) -> None:
    file = tmp_path / "kept away" / "monday #1, 50%? off"
    assert call("backup", str(file)).exit_code == 0
    assert list(file.parent.iterdir()) == [file]
    assert call("restore", str(file), "--yes").exit_code == 0
    assert list(file.parent.iterdir()) == [file]
    assert said("telegram/99") == ["hello from the phone"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_backup_ends_however_often_others_write_meanwhile(
    kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = kept.removeprefix("sqlite:///")
    portions: list[int] = []
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as writing:
        writing.execute("CREATE TABLE much AS SELECT zeroblob(5000000) AS bytes")

        def write(_: int, left: int, __: int) -> None:
            portions.append(left)
            assert len(portions) < 100, "it begins anew with each portion"
            writing.execute("UPDATE person SET language = language || 'x'")

        class Watched(sqlite3.Connection):
            def backup(self, target: sqlite3.Connection, **options: Any) -> None:
                super().backup(target, progress=write, **options)

        connect = sqlite3.connect
        with monkeypatch.context() as patched:
            patched.setattr(sqlite3, "connect", lambda *a, **options: connect(*a, factory=Watched, **options))
            assert call("backup", str(tmp_path / "b")).exit_code == 0
    assert portions


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_backup_takes_a_url_as_the_house_does(
    kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = kept.replace("postgresql://", "postgresql+asyncpg://")
    monkeypatch.setenv("DATABASE_URL", f"{address}?ssl=disable&connect_timeout=5")
    written = call("backup", str(tmp_path / "b"))
    assert written.exit_code == 0, written.output


@pytest.mark.parametrize("content", [b"", b"nonsense", b"SQLite format 3\0" + b"x" * 200])
def test_what_is_no_backup_changes_nothing(kept: str, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    told = call("restore", str(file), "--yes")
    assert told.exit_code == 1
    assert "is no backup" in told.stderr
    assert said("web/7") == ["hello from the page"]
    assert call("restore", str(tmp_path / "nowhere"), "--yes").exit_code == 1


async def _run(url: str, *statements: str) -> None:
    async with opened(url) as database, database.write() as connection:
        for statement in statements:
            await connection.execute(text(statement))


@pytest.mark.parametrize(
    ("version", "why"),
    [
        ("UPDATE alembic_version SET version_num = '{}'", "newer Frontdesk"),
        ("DROP TABLE alembic_version", "no backup"),
    ],
)
def test_a_backup_of_a_newer_frontdesk_or_of_something_else_is_refused(
    kept: str, tmp_path: Path, version: str, why: str
) -> None:
    file = tmp_path / "newer"
    asyncio.run(
        _run(kept, "CREATE TABLE kept_version AS SELECT * FROM alembic_version", version.format("9999"))
    )
    if kept.startswith("sqlite"):
        sqlite = sqlite3.connect(kept.removeprefix("sqlite:///"))
        with closing(sqlite), closing(sqlite3.connect(file)) as copy:
            sqlite.backup(copy)
    else:
        assert call("backup", str(file)).exit_code == 0
    asyncio.run(
        _run(
            kept,
            "DROP TABLE IF EXISTS alembic_version",
            "CREATE TABLE alembic_version AS SELECT * FROM kept_version",
        )
    )
    told = call("restore", str(file), "--yes")
    assert (told.exit_code, why in told.stderr) == (1, True)
    assert said("web/7") == ["hello from the page"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_the_password_is_in_no_command_line(
    kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bot.store import backup

    ran: list[Any] = []
    run = backup.subprocess.run
    monkeypatch.setattr(
        backup.subprocess, "run", lambda command, **more: ran.append(command) or run(command, **more)
    )
    assert call("backup", str(tmp_path / "b")).exit_code == 0
    password = kept.split(":")[2].split("@")[0]
    assert ran
    assert password not in " ".join(ran[0])


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_without_postgresqls_programs_it_says_what_to_install(
    kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    told = call("backup", str(tmp_path / "b"))
    assert (told.exit_code, "postgresql-client" in told.stderr) == (1, True)
