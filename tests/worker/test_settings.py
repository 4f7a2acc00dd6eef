"""The worker's door: every mistake named at once, no value repeated; and its log, which repeats no secret either."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Generator

import pytest
import structlog
from typer.testing import CliRunner

from worker import logs
from worker.cli import app
from worker.redaction import passwords
from worker.settings import SettingsError, WorkerSettings


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("empty"))  # no .env
    for field in WorkerSettings.model_fields.values():
        monkeypatch.delenv(str(field.validation_alias), raising=False)


def test_every_mistake_is_named_at_once_and_no_value_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "http://user:hunter2@host")
    monkeypatch.setenv("FRONTDESK_DEVICE", "tpu-9")
    monkeypatch.setenv("FRONTDESK_INTER_THREADS", "many")
    with pytest.raises(SettingsError) as wrong:
        WorkerSettings.read(queues="answers,poems")
    message = str(wrong.value)
    assert all(
        name in message
        for name in ("REDIS_URL", "FRONTDESK_DEVICE", "FRONTDESK_INTER_THREADS", "FRONTDESK_QUEUES")
    )
    assert not any(value in message for value in ("hunter2", "tpu-9", "many", "poems"))


@pytest.mark.parametrize("variable", ["FRONTDESK_DEVICE", "FRONTDESK_DEVICES"])
def test_a_tpu_is_refused_with_the_reason(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://host")
    monkeypatch.setenv(variable, "TPU")
    with pytest.raises(SettingsError) as wrong:
        WorkerSettings.read()
    assert str(wrong.value).startswith(f"{variable}: it cannot be a TPU. CTranslate2")
    assert "none for a TPU" in str(wrong.value)


def test_options_win_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://host")
    monkeypatch.setenv("FRONTDESK_MODEL", "starter")
    monkeypatch.setenv("FRONTDESK_QUEUES", " bulk,")
    settings = WorkerSettings.read(model="other", device=None)
    assert (settings.model, settings.device, settings.queues) == ("other", "auto", ("bulk",))


def test_work_of_hours_has_a_worker_of_its_own() -> None:
    with pytest.raises(SettingsError, match="answers or bulk"):
        WorkerSettings.read(redis_url="redis://localhost", queues="answers,bulk")


def test_the_command_says_what_is_missing_without_a_traceback() -> None:
    result = CliRunner().invoke(app, [])
    assert result.exit_code == 2
    assert "REDIS_URL" in result.output


def test_an_unknown_model_is_a_sentence() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "worker", "--redis", "redis://127.0.0.1:1", "--model", "nobody"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert result.returncode == 1
    assert "There is no model named 'nobody'" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_command_line_s_help_loads_neither_celery_nor_ctranslate2() -> None:
    program = "import sys, worker.cli; print([m for m in ('celery', 'ctranslate2') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_the_bot_s_end_loads_neither_celery_nor_ctranslate2() -> None:
    program = "import sys, worker.client; print([m for m in ('celery', 'ctranslate2') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_a_password_is_masked() -> None:
    assert logs.masked("redis://:hunter2@host:6379/0") == "redis://:***@host:6379/0"
    assert logs.masked("rediss://me:hunter2@host/1?password=hunter2") == "rediss://me:***@host/1"
    assert logs.masked("unix:///data/redis.sock") == "unix:///data/redis.sock"


@pytest.fixture
def _logging_as_it_was() -> Generator[None, None, None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


@pytest.mark.usefixtures("_logging_as_it_was")
def test_the_log_holds_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    hub = "hf_abcdefghijklmnopqrstuv"  # nobody tells of it
    logs.set_up("info", secrets=passwords("rediss://me:hunter2hunter2@host/1"))
    structlog.get_logger("worker.test").info("asked", hub=hub, deep={"url": ["hunter2hunter2"]})
    logging.getLogger("kombu.connection").error("no way to %s", "redis://:another-word@host:6379/0")
    failure = ConnectionError(f"hunter2hunter2 and {hub}")
    structlog.get_logger("worker.test").error("failed", exc_info=failure)
    text = capsys.readouterr().err
    assert len(text.splitlines()) == 3
    assert not any(secret in text for secret in (hub, "hunter2hunter2", "another-word"))


@pytest.mark.usefixtures("_logging_as_it_was")
def test_the_log_is_json_lines_with_the_correlation(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("info")
    with structlog.contextvars.bound_contextvars(correlation="c-1"):
        structlog.get_logger("worker.test").info("done", tokens=3)
        logging.getLogger("elsewhere").warning("said %s", "so")
    ours, theirs = map(json.loads, capsys.readouterr().err.splitlines())
    assert (ours["event"], ours["correlation"], ours["tokens"], ours["level"]) == ("done", "c-1", 3, "info")
    assert (theirs["event"], theirs["correlation"]) == ("said so", "c-1")
