"""The Telegram channel's variables: what each takes, which belong together, and that no mistake repeats a value."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from bot.channels.base import ChannelOptions
from bot.channels.telegram.settings import TelegramSettings
from bot.variables import Misconfigured

TOKEN = "123456789:tests-AAbbCCddEEffGGhhIIjjKKllMMnn"
POLLING = {"TELEGRAM_BOT_TOKEN": TOKEN}
WEBHOOK = {**POLLING, "TELEGRAM_WEBHOOK_SECRET": "tests-a-long-word"}


def read(variables: dict[str, str], public_url: str = "") -> TelegramSettings:
    return TelegramSettings.read(
        ChannelOptions(
            variables={name: SecretStr(value) for name, value in variables.items()}, public_url=public_url
        )
    )


def test_nothing_set_is_off() -> None:
    settings = read({"TELEGRAM_BOT_TOKEN": ""})
    assert (settings.on, settings.webhook, settings.token) == (False, False, "")


def test_a_token_alone_is_all_that_long_polling_needs() -> None:
    settings = read(POLLING)
    assert (settings.on, settings.webhook, settings.token) == (True, False, TOKEN)
    assert settings.base_url == "https://api.telegram.org/bot"
    assert settings.base_file_url == "https://api.telegram.org/file/bot"


def test_defaults_let_everybody_in_and_choose_what_is_safest() -> None:
    settings = read(POLLING)
    assert (settings.people, settings.groups) == (frozenset(), frozenset())
    assert (settings.streaming, settings.group_streaming, settings.rich) == ("edit", "post", False)
    assert settings.hosted


def test_values_are_read() -> None:
    settings = read(
        {
            **POLLING,
            "TELEGRAM_PEOPLE": "7, 4294967296,",
            "TELEGRAM_GROUPS": "-1001234567890,-5",
            "TELEGRAM_STREAMING": "draft",
            "TELEGRAM_GROUP_STREAMING": "edit",
            "TELEGRAM_RICH": "Yes",
            "TELEGRAM_API_URL": "http://127.0.0.1:8081/",
        }
    )
    assert settings.people == {7, 4294967296}
    assert settings.groups == {-1001234567890, -5}
    assert (settings.streaming, settings.group_streaming, settings.rich) == ("draft", "edit", True)
    assert settings.base_url == "http://127.0.0.1:8081/bot"
    assert not settings.hosted


@pytest.mark.parametrize(
    ("variable", "wrong"),
    [
        ("TELEGRAM_BOT_TOKEN", "private"),
        ("TELEGRAM_BOT_TOKEN", "bot123456789:private-bCCddEEffGGhhIIjjKKllMMnn"),
        ("TELEGRAM_BOT_TOKEN", "123456789:private-bCCddEEffGGhhIIjjKKllMMnn/test"),
        ("TELEGRAM_WEBHOOK_SECRET", "private with spaces in it"),
        ("TELEGRAM_WEBHOOK_SECRET", "private"),
        ("TELEGRAM_WEBHOOK_SECRET", "private" * 40),
        ("TELEGRAM_API_URL", "private.example"),
        ("TELEGRAM_API_URL", "https://private.example/bot"),
        ("TELEGRAM_API_URL", "https://private.example/?a=b"),
        ("TELEGRAM_API_URL", "https://me:private@example.com"),
        ("TELEGRAM_PEOPLE", "@private"),
        ("TELEGRAM_PEOPLE", "7,-1001234567890"),
        ("TELEGRAM_GROUPS", "private"),
        ("TELEGRAM_GROUPS", "-100,7"),
        ("TELEGRAM_GROUPS", "-9" * 20),
        ("TELEGRAM_STREAMING", "private"),
        ("TELEGRAM_GROUP_STREAMING", "draft"),
        ("TELEGRAM_RICH", "private"),
    ],
)
def test_a_mistake_names_its_variable_and_repeats_no_value(variable: str, wrong: str) -> None:
    with pytest.raises(Misconfigured) as mistake:
        read({**POLLING, variable: wrong})
    (line,) = str(mistake.value).splitlines()
    assert line.startswith(f"{variable}: ")
    assert "private" not in line.lower()
    assert wrong not in line or wrong == "draft"


def test_every_mistake_is_named_at_once() -> None:
    with pytest.raises(Misconfigured) as wrong:
        read({"TELEGRAM_BOT_TOKEN": "1", "TELEGRAM_GROUPS": "ours", "TELEGRAM_RICH": "rather"})
    assert [line.partition(":")[0] for line in str(wrong.value).splitlines()] == [
        "TELEGRAM_BOT_TOKEN",
        "TELEGRAM_GROUPS",
        "TELEGRAM_RICH",
    ]


def test_a_webhook_without_a_bot_is_a_mistake() -> None:
    with pytest.raises(Misconfigured, match=r"^TELEGRAM_BOT_TOKEN: "):
        read({"TELEGRAM_WEBHOOK_SECRET": "tests-a-long-word"}, "https://chat.example")


@pytest.mark.parametrize(
    ("public_url", "said"),
    [
        ("", "set it"),
        ("http://chat.example", "https://"),
        ("http://127.0.0.1:8080", "https://"),
        ("https://chat.example:8080", "443, 80, 88, 8443"),
    ],
)
def test_a_webhook_needs_an_address_that_telegram_can_send_to(public_url: str, said: str) -> None:
    with pytest.raises(Misconfigured, match=r"^FRONTDESK_PUBLIC_URL: ") as wrong:
        read(WEBHOOK, public_url)
    assert said in str(wrong.value)
    assert read(POLLING, public_url).on


@pytest.mark.parametrize("public_url", ["https://chat.example", "https://chat.example:8443/"])
def test_with_such_an_address_it_is_on(public_url: str) -> None:
    assert read(WEBHOOK, public_url).webhook


def test_a_server_of_ones_own_may_send_to_any_address() -> None:
    own = {**WEBHOOK, "TELEGRAM_API_URL": "http://127.0.0.1:8081"}
    assert read(own, "http://127.0.0.1:8080").webhook
    with pytest.raises(Misconfigured, match="set it"):
        read(own)


def test_secrets_are_known_and_not_shown() -> None:
    settings = read(WEBHOOK, "https://chat.example")
    assert set(settings.secrets()) == {TOKEN, TOKEN.partition(":")[2], "tests-a-long-word"}
    assert read({}).secrets() == ()
    assert "tests" not in repr(settings)


def test_every_variable_is_explained() -> None:
    for name, field in TelegramSettings.model_fields.items():
        assert TelegramSettings.variable(name).startswith("TELEGRAM_")
        assert field.description
