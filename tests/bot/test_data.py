"""`frontdesk data` as its operator uses it, over each database: find, give out, delete, back up, restore."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from bot.data import app
from bot.store import Store


def call(*words: str, answer: str = "") -> Result:
    return CliRunner().invoke(app, list(words), input=answer)


async def _talk(url: str) -> None:
    async with Store.open(url) as store:
        for channel, key, name, text in (
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
                text=text,
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
    told = call("export", "--person", "telegram/99", str(file))
    assert told.exit_code == 0
    assert json.loads(file.read_text())["person"][0]["name"] == "Miriam Blum"
    assert file.stat().st_mode & 0o777 == 0o600


def test_erasing_asks_first_and_deletes_only_that_person(kept: str) -> None:
    refused = call("erase", "--person", "telegram/99", answer="n\n")
    assert refused.exit_code == 1
    assert said("telegram/99") == ["hello from the phone"]
    assert call("erase", "--person", "telegram/99", "--yes").exit_code == 0
    assert (said("telegram/99"), said("web/7")) == ([], ["hello from the page"])


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


@pytest.mark.parametrize("content", [b"", b"nonsense", b"SQLite format 3\0" + b"x" * 200])
def test_what_is_no_backup_changes_nothing(kept: str, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    told = call("restore", str(file), "--yes")
    assert told.exit_code == 1
    assert "is no backup" in told.stderr
    assert said("web/7") == ["hello from the page"]
    assert call("restore", str(tmp_path / "nowhere"), "--yes").exit_code == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_backup_of_a_newer_frontdesk_is_refused(kept: str, tmp_path: Path) -> None:
    file = tmp_path / "newer"
    assert call("backup", str(file)).exit_code == 0
    with sqlite3.connect(file) as newer:
        newer.execute("UPDATE alembic_version SET version_num = '9999'")
    newer.close()
    told = call("restore", str(file), "--yes")
    assert "newer Frontdesk" in told.stderr
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
