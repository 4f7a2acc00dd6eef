"""The Slack channel's variables: what each takes, which belong together, and that no mistake repeats a value."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from bot.channels.base import ChannelOptions
from bot.channels.slack.settings import SlackSettings
from bot.variables import Misconfigured

BOT = {"SLACK_BOT_TOKEN": "xoxb-1-tests"}
SOCKET = {**BOT, "SLACK_APP_TOKEN": "xapp-1-A1-1-tests"}
HTTP = {**BOT, "SLACK_SIGNING_SECRET": "signing-tests"}
CLIENT = {"SLACK_CLIENT_ID": "1.2", "SLACK_CLIENT_SECRET": "client-tests"}
OAUTH = {**CLIENT, "SLACK_SIGNING_SECRET": "signing-tests"}


def of(variables: dict[str, str]) -> SlackSettings:
    return SlackSettings.of({name: SecretStr(value) for name, value in variables.items()})


def options(variables: dict[str, str], **more: object) -> ChannelOptions:
    return ChannelOptions(
        variables={name: SecretStr(value) for name, value in variables.items()},
        **more,  # type: ignore[arg-type]
    )


def test_nothing_set_is_off() -> None:
    assert not of({}).on


@pytest.mark.parametrize(
    ("variables", "socket", "http", "oauth"),
    [
        (SOCKET, True, False, False),
        (HTTP, False, True, False),
        (SOCKET | HTTP, True, True, False),
        (OAUTH, False, True, True),
        ({**CLIENT, "SLACK_APP_TOKEN": "xapp-1-tests"}, True, False, True),
    ],
)
def test_there_is_a_way_to_act_and_one_to_hear(
    variables: dict[str, str], socket: bool, http: bool, oauth: bool
) -> None:
    settings = of(variables)
    assert settings.on
    assert (settings.socket, settings.http, settings.oauth) == (socket, http, oauth)


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        (BOT, "SLACK_APP_TOKEN"),
        ({"SLACK_APP_TOKEN": "xapp-1"}, "SLACK_BOT_TOKEN"),
        ({"SLACK_SIGNING_SECRET": "s"}, "SLACK_BOT_TOKEN"),
        ({"SLACK_CLIENT_ID": "1.2"}, "SLACK_CLIENT_SECRET"),
        ({"SLACK_CLIENT_SECRET": "s"}, "SLACK_CLIENT_ID"),
        (SOCKET | CLIENT, "SLACK_BOT_TOKEN"),
        ({**SOCKET, "SLACK_BOT_TOKEN": "xoxp-1-private"}, "SLACK_BOT_TOKEN"),
        ({**BOT, "SLACK_APP_TOKEN": "xoxb-1-private"}, "SLACK_APP_TOKEN"),
        ({**BOT, "SLACK_SIGNING_SECRET": "xoxb-1-private"}, "SLACK_SIGNING_SECRET"),
        ({**OAUTH, "SLACK_CLIENT_ID": "private"}, "SLACK_CLIENT_ID"),
        ({**SOCKET, "SLACK_CONFIG_TOKEN": "xoxb-private"}, "SLACK_CONFIG_TOKEN"),
        ({**SOCKET, "SLACK_API_URL": "private.example/api/"}, "SLACK_API_URL"),
        ({**SOCKET, "SLACK_API_URL": "https://private.example/"}, "SLACK_API_URL"),
        ({**SOCKET, "SLACK_CHANNELS": "#private"}, "SLACK_CHANNELS"),
        ({**SOCKET, "SLACK_PEOPLE": "U1,private"}, "SLACK_PEOPLE"),
        ({**SOCKET, "SLACK_MENTION_ONLY": "private"}, "SLACK_MENTION_ONLY"),
        ({**SOCKET, "SLACK_STREAMING": "private"}, "SLACK_STREAMING"),
    ],
)
def test_a_mistake_names_its_variable_and_repeats_no_value(variables: dict[str, str], named: str) -> None:
    with pytest.raises(Misconfigured) as wrong:
        of(variables)
    assert str(wrong.value).startswith(("SLACK_", named))
    assert named in str(wrong.value)
    assert "private" not in str(wrong.value)


def test_every_mistake_is_named_at_once() -> None:
    with pytest.raises(Misconfigured) as wrong:
        of({**SOCKET, "SLACK_CHANNELS": "general", "SLACK_STREAMING": "fast"})
    assert [line.partition(":")[0] for line in str(wrong.value).splitlines()] == [
        "SLACK_CHANNELS",
        "SLACK_STREAMING",
    ]


def test_values_are_read() -> None:
    settings = of(
        {
            **SOCKET,
            "SLACK_CHANNELS": "C1, G2,",
            "SLACK_PEOPLE": "U1",
            "SLACK_MENTION_ONLY": "True",
            "SLACK_STREAMING": "edit",
            "SLACK_API_URL": "http://127.0.0.1:9/api",
        }
    )
    assert settings.channels == {"C1", "G2"}
    assert settings.people == {"U1"}
    assert settings.mention_only
    assert settings.streaming == "edit"
    assert settings.api_url == "http://127.0.0.1:9/api/"


def test_defaults_let_everybody_in() -> None:
    settings = of(SOCKET)
    assert not settings.channels
    assert not settings.people
    assert not settings.mention_only
    assert settings.streaming == "auto"
    assert settings.api_url == "https://slack.com/api/"


def test_oauth_needs_an_address_and_a_key_and_says_both() -> None:
    with pytest.raises(Misconfigured) as wrong:
        SlackSettings.read(options(OAUTH))
    assert "FRONTDESK_PUBLIC_URL" in str(wrong.value)
    assert "FRONTDESK_ENCRYPTION_KEYS" in str(wrong.value)


def test_oauth_needs_an_address_that_brings_the_cookie_back() -> None:
    keys = [SecretStr(Fernet.generate_key().decode())]
    with pytest.raises(Misconfigured, match="https://"):
        SlackSettings.read(options(OAUTH, keys=keys, public_url="http://chat.example"))
    for url in ("https://chat.example", "http://127.0.0.1:8080", "http://localhost:8080"):
        assert SlackSettings.read(options(OAUTH, keys=keys, public_url=url)).oauth


def test_one_workspace_needs_neither() -> None:
    assert SlackSettings.read(options(SOCKET)).on


def test_secrets_are_known_and_not_shown() -> None:
    settings = of({**SOCKET, **HTTP, "SLACK_CONFIG_TOKEN": "xoxe.xoxp-1-tests"})
    assert set(settings.secrets()) == {
        "xoxb-1-tests",
        "xapp-1-A1-1-tests",
        "signing-tests",
        "xoxe.xoxp-1-tests",
    }
    assert "tests" not in repr(settings)


def test_every_variable_is_explained() -> None:
    for name, field in SlackSettings.model_fields.items():
        assert SlackSettings.variable(name).startswith("SLACK_")
        assert field.description
