"""Settings are read once, every mistake is named at once, and no value is ever repeated."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from bot.settings import (
    Settings,
    SettingsError,
    secrets_in,
    table,
    without_secrets,
)

pytestmark = pytest.mark.usefixtures("clean_environment")

VARIABLES = sorted(Settings.variable(name) for name in Settings.model_fields)


def test_without_any_variable_the_defaults_run_on_this_computer_alone() -> None:
    settings = Settings.read()
    assert (settings.host, settings.port, settings.model) == ("127.0.0.1", 8080, "default")
    assert settings.redis_url is None
    assert settings.database() == f"sqlite:///{Path.cwd() / 'data' / 'frontdesk.sqlite3'}"


def test_a_command_line_option_wins_over_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRONTDESK_PORT", "1111")
    assert Settings.read(port=2222).port == 2222
    assert Settings.read(port=None).port == 1111


def test_a_variable_wins_over_the_env_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("FRONTDESK_PORT=1111\nFRONTDESK_MODEL=filed\n")
    monkeypatch.setenv("FRONTDESK_PORT", "2222")
    assert (Settings.read().port, Settings.read().model) == (2222, "filed")


@pytest.mark.parametrize("variable", VARIABLES)
def test_an_empty_variable_is_as_good_as_none(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    default = Settings.read()
    monkeypatch.setenv(variable, "")
    assert Settings.read() == default


def test_all_mistakes_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {
        "FRONTDESK_PORT": "eighty",
        "FRONTDESK_API_KEYS": "short",
        "DATABASE_URL": "mysql://root@db",
        "REDIS_URL": "http://cache",
        "FRONTDESK_PUBLIC_URL": "chat.example.com",
        "FRONTDESK_LOG_LEVEL": "loud",
        "FRONTDESK_QUEUE_LIMIT": "0",
    }
    for variable, value in wrong.items():
        monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as caught:
        Settings.read()
    lines = str(caught.value).split("\n")
    assert sorted(line.split(":")[0] for line in lines) == sorted(wrong)


@pytest.mark.parametrize(
    "url", ["https://chat.example.com/chat", "https://a@chat.example.com", "ftp://chat.example.com"]
)
def test_a_public_address_that_browsers_could_not_use_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="FRONTDESK_PUBLIC_URL: it must be an address without a path"):
        Settings.read(public_url=url)


SECRET = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=6, max_size=60).filter(
    lambda text: text.strip() == text and not text.isalpha()
)


@pytest.mark.parametrize("variable", VARIABLES)
@effort(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=SECRET)
@example(value="hunter2-hunter2")
@example(value="postgresql-but-not://me:hunter2@db")
def test_no_value_is_repeated_in_an_error(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    said = _said()
    assert value not in said or not (variable in said or variable in HIDDEN)


HIDDEN = ("FRONTDESK_API_KEYS", "DATABASE_URL", "REDIS_URL")


def _said() -> str:
    """The error that reading raises, or what the settings show of themselves."""
    try:
        return repr(Settings.read())
    except SettingsError as error:
        return str(error)


def test_an_env_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"FRONTDESK_MODEL=\xff\xfe")
    with pytest.raises(SettingsError, match=r"^\.env: is not UTF-8 text$"):
        Settings.read()


def test_keys_are_split_at_commas_and_must_be_long_and_sendable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRONTDESK_API_KEYS", " first-operator-key , second-operator-key,")
    keys = [key.get_secret_value() for key in Settings.read().api_keys]
    assert keys == ["first-operator-key", "second-operator-key"]
    monkeypatch.setenv("FRONTDESK_API_KEYS", "schlüssel-schlüssel")
    with pytest.raises(SettingsError, match="ASCII"):
        Settings.read()


def test_secrets_are_told_to_those_who_hide_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRONTDESK_API_KEYS", "an-operators-key")
    monkeypatch.setenv("DATABASE_URL", "postgresql://frontdesk:p%40ss@db/frontdesk")
    assert set(Settings.read().secrets()) == {
        "an-operators-key",
        "postgresql://frontdesk:p%40ss@db/frontdesk",
        "p%40ss",
        "p@ss",
    }


def test_a_child_sees_no_secret_of_an_environment() -> None:
    environment = {
        "SLACK_BOT_TOKEN": "xoxb-1",
        "TELEGRAM_BOT_TOKEN": "1:a",
        "DATABASE_URL": "postgresql://",
        "FRONTDESK_API_KEYS": "k",
        "FRONTDESK_DEVICE": "cpu",
        "PATH": "/bin",
    }
    assert without_secrets(environment) == {"FRONTDESK_DEVICE": "cpu", "PATH": "/bin"}
    assert set(secrets_in(environment)) == {"xoxb-1", "1:a", "k"}


@pytest.mark.parametrize(
    ("host", "public", "url"),
    [
        ("127.0.0.1", "", "http://127.0.0.1:80"),
        ("0.0.0.0", "", "http://127.0.0.1:80"),
        ("::1", "", "http://[::1]:80"),
        ("10.0.0.5", "https://chat.example.com/", "https://chat.example.com"),
    ],
)
def test_a_browser_is_told_an_address_that_it_can_reach(host: str, public: str, url: str) -> None:
    assert Settings.read(host=host, public_url=public).browser_url(80) == url


def test_the_table_has_every_variable_once_with_what_it_means() -> None:
    rows = [row.split("|") for row in table().split("\n")[2:]]
    variables = [row[1].strip(" `") for row in rows]
    assert len(variables) == len(set(variables))
    assert {*VARIABLES, "FRONTDESK_DEVICE", "FRONTDESK_COMPUTE_TYPE"} <= set(variables)
    assert all(len(row[3].strip()) > 10 and row[3].strip() != "None" for row in rows)


def test_the_readme_carries_the_table() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    _, _, rest = readme.partition("<!-- settings: printed by `frontdesk settings` -->\n")
    assert rest.partition("<!-- /settings -->")[0].strip() == table(), "run: frontdesk settings"


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("", {}),
        ("90", {"*": 90}),
        ("web=30, slack=365,*=90", {"web": 30, "slack": 365, "*": 90}),
        (" telegram = 7 ", {"telegram": 7}),
    ],
)
def test_conversations_are_kept_for_days_by_channel(given: str, read: dict[str, int]) -> None:
    assert Settings.read(message_days=given).message_days == read


@pytest.mark.parametrize("given", ["soon", "web=", "web=0", "web=-3", "webb=30", "=", "web:30"])
def test_days_that_make_no_sense_are_named(given: str) -> None:
    with pytest.raises(SettingsError, match="FRONTDESK_MESSAGE_DAYS"):
        Settings.read(message_days=given)
