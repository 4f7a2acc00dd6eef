"""The command line: quick to answer, honest about mistakes, and each room's commands come only when called."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot import cli

pytestmark = pytest.mark.usefixtures("clean_environment")

CHEAP = ("torch", "ctranslate2", "celery", "sqlalchemy", "aiohttp", "telegram", "slack_bolt", "numpy")


@pytest.fixture
def run() -> CliRunner:
    return CliRunner()


def test_help_lists_every_command_and_imports_nothing_heavy() -> None:
    script = (
        "import sys; sys.argv = ['frontdesk', '--help']; from bot.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        f"print('HEAVY', [name for name in {CHEAP!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    for command in (
        "up",
        "bot",
        "chat",
        "doctor",
        "settings",
        "keys",
        "worker",
        "models",
        "train",
        "moderation",
    ):
        assert f" {command} " in done.stdout
    assert "HEAVY []" in done.stdout


def test_the_module_is_the_same_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bot", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("frontdesk ")


def test_a_command_of_another_room_is_joined(run: CliRunner) -> None:
    done = run.invoke(cli.app, ["moderation", "policy"])
    assert done.exit_code == 0
    assert "rules" in done.stdout
    assert run.invoke(cli.app, ["worker", "--help"]).exit_code == 0


def test_a_broken_room_is_said_and_the_others_stay_open(
    run: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = EntryPoint("broken", "no_such_package.cli:app", cli.GROUP)
    real = cli.joined
    monkeypatch.setattr(cli, "joined", lambda: {**real(), "broken": broken})
    done = run.invoke(cli.app, ["broken"])
    assert (done.exit_code, done.stderr) == (
        1,
        "`frontdesk broken` cannot be used here: no_such_package is missing or broken.\n",
    )
    assert "broken" in run.invoke(cli.app, ["--help"]).stdout
    assert run.invoke(cli.app, ["moderation", "policy"]).exit_code == 0


def test_an_unknown_command_is_refused(run: CliRunner) -> None:
    done = run.invoke(cli.app, ["nope"])
    assert done.exit_code == 2
    assert "nope" in done.stderr


def test_every_wrong_setting_is_named_without_its_value(
    run: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRONTDESK_PORT", "hunter2")
    monkeypatch.setenv("FRONTDESK_API_KEYS", "hunter3")
    for command in ("up", "bot"):
        done = run.invoke(cli.app, [command])
        assert done.exit_code == cli.MISCONFIGURED
        assert "FRONTDESK_PORT" in done.stderr
        assert "FRONTDESK_API_KEYS" in done.stderr
        assert "hunter" not in done.output


def test_the_bot_alone_asks_for_its_redis(run: CliRunner) -> None:
    done = run.invoke(cli.app, ["bot"])
    assert (done.exit_code, "REDIS_URL" in done.stderr) == (1, True)


def test_settings_prints_the_readmes_table(run: CliRunner) -> None:
    assert "| `FRONTDESK_PORT` | `8080` |" in run.invoke(cli.app, ["settings"]).stdout


def test_the_doctor_fails_when_something_is_wrong(run: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRONTDESK_MODEL", "no-such-model")
    monkeypatch.setenv("SLACK_BOT_TOKEN", "hunter2hunter2")
    done = run.invoke(cli.app, ["doctor"])
    assert done.exit_code == 1
    assert "fail  model: There is no model named 'no-such-model'" in done.stdout
    assert "->" in done.stdout
    assert "hunter2" not in done.output


@pytest.mark.parametrize("channel", ["slack", "telegram"])
def test_a_channel_that_is_not_set_up_has_a_doctor_who_says_so(run: CliRunner, channel: str) -> None:
    done = run.invoke(cli.app, ["doctor", channel])
    assert (done.exit_code, f"{channel.title()}: not set up" in done.stdout) == (0, True)


def test_a_key_is_printed_once_listed_without_its_secret_and_revoked(run: CliRunner, tmp_path: Path) -> None:
    made = run.invoke(
        cli.app, ["keys", "create", "--name", "ci [/b]", "--screen", "shadow", "--scope", "admin"]
    )
    assert made.exit_code == 0, made.output
    token = made.stdout.strip()
    assert token.startswith("fd-")
    listed = run.invoke(cli.app, ["keys", "list"])
    assert "ci [/b]" in listed.stdout  # a name is no markup
    assert "shadow" in listed.stdout
    assert token not in listed.output
    assert run.invoke(cli.app, ["keys", "revoke", "1"]).stdout == "key 1 is revoked\n"
    unknown = run.invoke(cli.app, ["keys", "revoke", "7"])
    assert (unknown.exit_code, "no key 7" in unknown.stderr) == (1, True)


def test_keys_say_in_a_sentence_when_the_database_is_away(
    run: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://frontdesk:hunter2hunter2@127.0.0.1:1/frontdesk")
    done = run.invoke(cli.app, ["keys", "list"])
    assert (done.exit_code, "Check DATABASE_URL" in done.stderr) == (1, True)
    assert "Traceback" not in done.output
    assert "hunter2" not in done.output


def test_chat_says_where_it_looked_when_nobody_answers(run: CliRunner) -> None:
    done = run.invoke(cli.app, ["chat", "hello", "--url", "http://127.0.0.1:1"])
    assert done.exit_code == 1
    assert "No Frontdesk answers at http://127.0.0.1:1" in done.stderr


def test_the_environment_of_the_tests_holds_no_key() -> None:
    assert "FRONTDESK_KEY" not in os.environ
