"""Logs are JSON lines with a correlation id, and hold no secret, however it gets into them."""

from __future__ import annotations

import json
import logging
import stat
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.logs import heard, logging_to
from worker.redaction import HIDDEN, LONGEST_VALUE, hidden

log = structlog.get_logger("bot.test")
SLACK = "xoxb-1234567890-abcdefghij"
TELEGRAM = "123456789:AAbbCCddEEffGGhhIIjjKKllMMnnOOppQQr"


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def written(tmp_path: Path, *secrets: str, level: str = "info") -> Any:
    return logging_to(file=tmp_path / "log", stderr="none", secrets=secrets, level=level)


def test_a_line_is_json_with_time_level_logger_and_correlation(tmp_path: Path) -> None:
    with written(tmp_path), structlog.contextvars.bound_contextvars(correlation="c-1"):
        log.info("answered", tokens=7)
    (line,) = lines(tmp_path / "log")
    assert line.pop("timestamp").endswith("+00:00")
    assert line == {
        "event": "answered",
        "tokens": 7,
        "level": "info",
        "logger": "bot.test",
        "correlation": "c-1",
    }


def test_a_librarys_line_carries_the_correlation_too(tmp_path: Path) -> None:
    with written(tmp_path), structlog.contextvars.bound_contextvars(correlation="c-1"):
        logging.getLogger("aiohttp.server").error("broken %s", "pipe")
    (line,) = lines(tmp_path / "log")
    assert (line["event"], line["correlation"], line["logger"]) == ("broken pipe", "c-1", "aiohttp.server")


def test_lines_below_the_level_are_not_written(tmp_path: Path) -> None:
    with written(tmp_path, level="warning"):
        log.info("chatter")
        log.warning("trouble")
    assert [line["event"] for line in lines(tmp_path / "log")] == ["trouble"]


def test_known_secrets_are_hidden_in_messages_values_names_and_tracebacks(tmp_path: Path) -> None:
    secret = "correct horse battery"
    with written(tmp_path, secret):
        log.info(f"it is {secret}", where={"deep": [secret]}, object=Path(secret))
        logging.getLogger("library").warning("got %s", secret)
        try:
            int(secret)
        except ValueError:
            log.exception("failed")
    text = (tmp_path / "log").read_text()
    assert secret not in text
    assert text.count(HIDDEN) >= 5
    assert "Traceback" in text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"token {SLACK} refused", f"token {HIDDEN} refused"),
        (
            f"https://api.telegram.org/bot{TELEGRAM}/getMe",
            f"https://api.telegram.org/bot{HIDDEN}/getMe",
        ),
        ("Authorization: Bearer abcdefgh12345678", f"Authorization: Bearer {HIDDEN}"),
        ("postgresql://frontdesk:pa55word@db/frontdesk", f"postgresql://{HIDDEN}@db/frontdesk"),
        ("redis://:pa55word@cache:6379/0", f"redis://{HIDDEN}@cache:6379/0"),
        ("fd-0123456789abcdefghijkl", HIDDEN),
        ("at 12:30:45 in conversation web:demo", "at 12:30:45 in conversation web:demo"),
    ],
)
def test_what_looks_like_a_secret_is_hidden_without_being_told(text: str, left: str) -> None:
    assert hidden(())(None, "info", {"event": text}) == {"event": left}


def test_values_named_like_a_secret_are_hidden_and_counts_of_tokens_are_not() -> None:
    event = {"bot_token": "abc", "headers": {"Authorization": "abc", "Accept": "json"}, "prompt_tokens": 3}
    assert hidden(())(None, "info", event) == {
        "bot_token": HIDDEN,
        "headers": {"Authorization": HIDDEN, "Accept": "json"},
        "prompt_tokens": 3,
    }


UNTOLD = {
    "Slack's bot": SLACK,
    "Slack's app": "xapp-1-A0123-4567-abcdef0123456789",
    "Slack's rotated": "xoxe.xoxp-1-Mi0yLTEyMzQ1Njc4",
    "Telegram's": TELEGRAM,
    "ours": "fd-0123456789abcdefghijklmnop",
    "OpenAI's": "sk-proj-0123456789abcdefghijkl",
    "the hub's": "hf_abcdefghijklmnopqrstuv",
    "GitHub's": "ghp_abcdefghijklmnopqrstuv012345",
    "a web token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
}


class Holder:
    """A library's object that shows what it holds."""

    def __init__(self, secret: str) -> None:
        self.secret = secret

    def __repr__(self) -> str:
        return f"<Holder {self.secret}>"


def fails_twice(secret: str) -> None:
    try:
        {}[secret]
    except KeyError as error:
        raise RuntimeError(Holder(secret), secret.encode()) from error


@pytest.mark.parametrize("secret", UNTOLD.values(), ids=UNTOLD)
def test_what_nobody_told_of_is_hidden_wherever_it_stands(tmp_path: Path, secret: str) -> None:
    deep: Any = secret
    for level in range(8):
        deep = {f"level {level}": [deep]}
    with written(tmp_path):
        log.info(f"got {secret}, and {secret}!")
        log.info("values", text=secret, raw=secret.encode(), deep=deep, held=Holder(secret), keys={secret: 1})
        log.info(
            "addresses", url=f"https://api.example/{secret}/getMe?a=1", other=f"https://x/?t={secret}&b=2"
        )
        log.info("headers", sent=[("X-Key", secret), (b"x-key", secret.encode())], as_set={secret})
        logging.getLogger("library").warning("it said %r", {"answer": secret})
        try:
            fails_twice(secret)
        except RuntimeError:
            log.exception("failed")
            logging.getLogger("library").exception("failed with %s", secret)
        several = ExceptionGroup("several", [ValueError(secret), KeyError(secret)])
        log.error("failed together", exc_info=several)
    text = (tmp_path / "log").read_text()
    assert secret not in text
    assert len(lines(tmp_path / "log")) == 8
    assert text.count("Traceback") >= 2


@pytest.mark.parametrize(
    "said",
    [
        "wss://wss-primary.slack.com/link/?ticket=SECRET&app_id=1",
        "https://hub.example/resolve?access_token=SECRET",
        '{"ok": true, "access_token": "SECRET", "team": 1}',
        '{"body": "{\\"client_secret\\": \\"SECRET\\"}"}',
        "{'password': 'SECRET'}",
        "{b'X-Api-Key': b'SECRET'}",
        "Settings(api_key='SECRET', port=1)",
        "POSTGRES_PASSWORD=SECRET",
        "Authorization: Basic SECRET",
        "authorization: bearer SECRET",
        "redis://:SECRET@cache:6379/0",
        "-----BEGIN PRIVATE KEY-----\nSECRET\n-----END PRIVATE KEY-----",
        {"a": {"b": {"c": {"d": {"e": {"refresh_token": "SECRET"}}}}}},
        {
            "headers": {
                "X-Telegram-Bot-Api-Secret-Token": "SECRET",
                "Set-Cookie": "SECRET",
                "Api-Key": "SECRET",
            }
        },
        {"clientSecret": "SECRET", b"token": "SECRET"},
    ],
    ids=str,
)
def test_a_secret_without_a_shape_is_known_by_what_it_is_called(said: Any) -> None:
    word = "cb1a3Rr0tHorse9"
    event = {"event": "it", "value": _with(said, word)}
    assert word not in json.dumps(hidden(())(None, "info", event))


def _with(value: Any, word: str) -> Any:
    """The same with a word in the place of SECRET."""
    if isinstance(value, dict):
        return {key: _with(inner, word) for key, inner in value.items()}
    return value.replace("SECRET", word)


@pytest.mark.parametrize(
    "said",
    [
        "no token was given",
        "tokens: 12, secrets of the house",
        "the password is wrong",
        "a special token comes before the answer",
        "prompt_tokens=1200 completion_tokens=340",
    ],
)
def test_what_only_speaks_of_secrets_stays(said: str) -> None:
    assert hidden(())(None, "info", {"event": said}) == {"event": said}


@settings(deadline=None)  # a busy machine is no failure
@given(secret=st.text(min_size=6).filter(lambda text: text not in HIDDEN), around=st.text())
def test_no_secret_survives_whatever_it_is_made_of(secret: str, around: str) -> None:
    event = hidden([secret])(None, "info", {"event": f"{around}{secret}{around}", "value": [secret]})
    assert secret not in event["event"].replace(HIDDEN, "\0")
    assert event["value"] == [HIDDEN]


def test_what_no_file_takes_is_written_escaped_and_shortened(tmp_path: Path) -> None:
    with written(tmp_path):
        log.info("odd \ud800", text="x" * (LONGEST_VALUE + 1), big=b"\x00")
    (line,) = lines(tmp_path / "log")
    assert line["event"] == "odd \\ud800"
    assert line["text"].endswith(f"… ({LONGEST_VALUE + 1} characters)")


def test_a_childs_json_line_keeps_its_facts_and_its_level(tmp_path: Path) -> None:
    with written(tmp_path, "pa55word"):
        heard(
            "worker", '{"event":"loaded","level":"warning","timestamp":"T","child":"me","correlation":"c-2"}'
        )
        heard("redis", "Ready with pa55word", plain="info")
        heard("worker", "   ")
        heard("worker", '["no object"]')
    first, second, third = lines(tmp_path / "log")
    assert first == {
        "event": "loaded",
        "level": "warning",
        "timestamp": "T",
        "child": "worker",
        "correlation": "c-2",
        "logger": "worker",
    }
    assert (second["event"], second["level"], second["child"]) == (f"Ready with {HIDDEN}", "info", "redis")
    assert third["event"] == '["no object"]'


def test_a_terminal_sees_warnings_as_short_lines_without_control_characters(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with logging_to(file=tmp_path / "log", stderr="human", stderr_level="warning"):
        log.info("chatter")
        log.warning("redis is away\x1b[31m", seconds=2)
    shown = capsys.readouterr().err.strip()
    assert shown.count("\n") == 0
    assert "warning redis is away [31m  seconds=2" in shown
    assert [line["event"] for line in lines(tmp_path / "log")] == ["chatter", "redis is away\x1b[31m"]


def test_without_a_terminal_stderr_gets_json(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_to():
        log.info("answered")
    assert json.loads(capsys.readouterr().err)["event"] == "answered"


def test_the_file_is_for_us_alone_and_rotates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.logs.FILE_BYTES", 2_000)
    with written(tmp_path):
        for number in range(100):
            log.info("a line", number=number)
    assert stat.S_IMODE((tmp_path / "log").stat().st_mode) == 0o600
    assert len(list(tmp_path.glob("log.*"))) == 5


def test_afterwards_logging_is_as_it_was(tmp_path: Path) -> None:
    before = (logging.getLogger().level, list(logging.getLogger().handlers), structlog.get_config())
    with written(tmp_path):
        pass
    assert (logging.getLogger().level, list(logging.getLogger().handlers), structlog.get_config()) == before
