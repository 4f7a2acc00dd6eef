"""`frontdesk moderation queue, show, approve, reject, export`: what operators read, and what is written down."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bot import cli
from bot.settings import Settings
from bot.store import Judged, Store

pytestmark = pytest.mark.usefixtures("clean_environment")

VIOLENT = {
    "check": "classifier",
    "category": "violence",
    "action": "block",
    "score": 0.97,
    "threshold": 0.9,
    "span": None,
}
RULE = {
    **VIOLENT,
    "check": "no-spam",
    "category": "spam",
    "action": "review",
    "score": None,
    "threshold": None,
}
BOMB = {
    **RULE,
    "check": "weapon-instructions",
    "category": "illicit/violent",
    "action": "block",
    "span": [0, 5],
}


def one(said: str, /, *findings: dict[str, Any], **changes: Any) -> Judged:
    action = findings[0]["action"] if findings else "allow"
    values: dict[str, Any] = {"direction": "input", "action": action, "policy": "p1", "waits": bool(findings)}
    values |= {"text": said, "text_hash": said, "findings": findings, "language": "en", "model": "mini-1"}
    return Judged(**values | {"scores": {"violence": 0.97, "hate": 0.12}} | changes)


@pytest.fixture
def filled() -> Callable[..., None]:
    """Puts verdicts into the house's database."""

    def fill(*judged: Judged) -> None:
        url = Settings.read().database()

        async def add() -> None:
            async with Store.open(url) as store:
                await store.add_verdicts(judged, channel="api", caller="my app")

        asyncio.run(add())

    return fill


def run(*words: str) -> Any:
    return CliRunner().invoke(cli.app, ["moderation", *words])


def test_the_group_has_both_rooms_commands() -> None:
    told = run("--help").stdout
    for command in ("check", "policy", "queue", "show", "approve", "reject", "export"):
        assert f" {command} " in told
    assert "FALSE ALARM" in told
    assert "RIGHTLY STOPPED" in told


def test_an_empty_queue_says_so_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("queue").stdout == "Nothing waits for a decision.\n"
    monkeypatch.setenv("FRONTDESK_VERDICT_DAYS", "0")
    assert "FRONTDESK_VERDICT_DAYS is 0" in run("queue").stdout


def test_the_queue_shows_the_worst_first_in_one_line_each(filled: Callable[..., None]) -> None:
    filled(one("buy now\nand here", RULE), one("I will [red]hurt[/red] you\x1b[2J", VIOLENT), one("fine"))
    told = run("queue").stdout
    lines = [line for line in told.splitlines() if "my app" in line]
    assert [line.split()[:4] for line in lines] == [
        ["2", "block", "violence", "0.97"],
        ["1", "review", "spam", "person"],
    ]
    assert (
        "I will [red]hurt[/red] you\ufffd[2J" in lines[0]
    )  # text is neither markup nor an order to the terminal
    assert "buy now and here" in lines[1]
    assert "2 wait." in told
    assert "false alarm" in told
    assert "rightly stopped" in told
    few = run("queue", "--limit", "1").stdout
    assert "2 wait, 1 of them are shown" in few or "2 wait, 1 of them is shown" in few


def test_the_queue_and_a_verdict_are_told_to_programs(filled: Callable[..., None]) -> None:
    filled(one("one", VIOLENT), one("two", RULE))
    waiting = json.loads(run("queue", "--json").stdout)
    assert [(each["id"], each["text"]) for each in waiting] == [(1, "one"), (2, "two")]
    shown = json.loads(run("show", "1", "--json").stdout)
    assert (shown["findings"], shown["before"], shown["review"]) == ([VIOLENT], "", "pending")


def test_a_verdict_is_shown_whole(filled: Callable[..., None]) -> None:
    filled(one("I will hurt you", VIOLENT))
    told = run("show", "1").stdout
    for words in (
        "verdict 1",
        "block",
        "waits for a decision",
        "api, key “my app”: what a person wrote",
        "policy      p1",
        "mini-1, language en",
        "violence 0.97, hate 0.12",
        "0.90",
        "I will hurt you",
        "approve ID",
    ):
        assert words in told
    unknown = run("show", "7")
    assert (unknown.exit_code, "There is no verdict 7" in unknown.stderr) == (1, True)


def test_decisions_are_made_once_and_say_what_they_mean(filled: Callable[..., None]) -> None:
    filled(one("kill the process", VIOLENT), one("I will hurt you", VIOLENT))
    done = run("approve", "1", "--by", "ann", "--note", "about a computer")
    assert (done.exit_code, done.stdout) == (
        0,
        "verdict 1 is approved: false alarm, the text was fine.\n",
    )
    assert "rightly stopped" in run("reject", "2", "--by", "ann").stdout
    again = run("approve", "1", "--by", "bob")
    assert again.exit_code == 0
    assert "was decided before: ann approved it on" in again.stdout
    assert "nothing is changed" in again.stdout
    other = run("reject", "1", "--by", "bob")
    assert (other.exit_code, "--overrule changes it" in other.stdout) == (1, True)
    assert run("reject", "1", "--by", "bob", "--overrule").stdout.startswith("verdict 1 is rejected")
    assert "Nothing waits" in run("queue").stdout
    assert "by bob on" in run("show", "1").stdout
    some = run("approve", "2", "9")
    assert (some.exit_code, "There is no verdict 9" in some.stderr) == (1, True)


def test_decisions_become_rows_to_train_with(filled: Callable[..., None], tmp_path: Path) -> None:
    filled(one("kill the process", VIOLENT), one("build a bomb", BOMB, VIOLENT), one("buy now", RULE))
    filled(one("gone", VIOLENT, text=None), one("waits", VIOLENT))
    run("approve", "1")
    run("reject", "2", "3", "4")
    done = run("export", "decided.jsonl")
    assert done.exit_code == 0
    assert done.stderr == (
        "2 rows in decided.jsonl: 1 false alarms, 1 rightly stopped.\n"
        "1 left out: their texts are no longer kept (FRONTDESK_VERDICT_DAYS).\n"
        "1 left out: what was found in them is no category of the classifier.\n"
    )
    file = tmp_path / "decided.jsonl"
    fine, wrong = (json.loads(line) for line in file.read_text().splitlines())
    assert fine["text"] == "kill the process"
    assert set(fine["labels"].values()) == {0}
    assert {"violence", "overall", "jailbreak"} <= fine["labels"].keys()
    assert wrong == {
        "text": "build a bomb",
        "labels": {"violence": 1, "illicit": 1, "overall": 1},
        "source": "review",
    }
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert run("export", "-").stdout == file.read_text()
    refused = run("export", "no/such/folder.jsonl")
    assert (refused.exit_code, "cannot be written" in refused.stderr) == (1, True)


def test_a_threat_with_an_address_in_it_is_a_row_like_any_other(filled: Callable[..., None]) -> None:
    hidden = {**RULE, "check": "pii/email", "category": "pii", "action": "redact", "span": [0, 5]}
    filled(one("[EMAIL_1] will pay", hidden, {**VIOLENT, "action": "review"}))
    run("reject", "1")
    row = json.loads(run("export", "-").stdout)
    assert row["labels"] == {"violence": 1, "overall": 1}


def test_the_exported_rows_are_read_by_the_training(filled: Callable[..., None]) -> None:
    rows = pytest.importorskip("inference.training.classify.rows")
    filled(one("kill the process", VIOLENT), one("build a bomb", BOMB))
    run("approve", "1")
    run("reject", "2")
    run("export", "decided.jsonl")
    columns = rows.Columns(labels=("labels",), slice="source")
    read = rows.read([Path("decided.jsonl")], columns).rows
    assert [(row.text, row.slice) for row in read] == [
        ("kill the process", "review"),
        ("build a bomb", "review"),
    ]
    assert read[0].labels["violence"] == 0.0
    assert read[1].labels["illicit"] == 1.0
