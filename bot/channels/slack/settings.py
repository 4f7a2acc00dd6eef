"""The Slack channel's own variables, read once when the channel opens.

Knows what each takes and which of them belong together. Leaves to Slack whether a token is good: see `doctor`.
"""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from bot.channels.base import ChannelOptions
from bot.peer import is_own_address
from bot.variables import ChannelSettings, Misconfigured, Words, YesOrNo

API_URL = "https://slack.com/api/"
KEYS = "FRONTDESK_ENCRYPTION_KEYS"  # the house's variable behind ChannelOptions.keys

INCOMPLETE = (
    "SLACK_BOT_TOKEN: one workspace needs it, and SLACK_APP_TOKEN (Socket Mode) or SLACK_SIGNING_SECRET (HTTP); "
    "many workspaces need SLACK_CLIENT_ID and SLACK_CLIENT_SECRET in its place"
)
DEAF = (
    "SLACK_APP_TOKEN: nothing of what people write would arrive; set it (Socket Mode: xapp-…, Basic Information > "
    "App-Level Tokens), or SLACK_SIGNING_SECRET (HTTP)"
)
HALF = "SLACK_CLIENT_ID: it and SLACK_CLIENT_SECRET come together (Basic Information > App Credentials)"
BOTH = (
    "SLACK_BOT_TOKEN: it is for one workspace, SLACK_CLIENT_ID and SLACK_CLIENT_SECRET are for many; set one or "
    "the other"
)


class SlackSettings(ChannelSettings):
    """Frozen values. Several workspaces: `oauth`; what people write comes by `socket`, by `http`, or by both."""

    bot_token: SecretStr | None = Field(
        None,
        validation_alias="SLACK_BOT_TOKEN",
        description="xoxb-…, of the one workspace that Frontdesk is installed in",
    )
    app_token: SecretStr | None = Field(
        None,
        validation_alias="SLACK_APP_TOKEN",
        description="xapp-… with the scope connections:write; turns Socket Mode on, which needs no public address",
    )
    signing_secret: SecretStr | None = Field(
        None,
        validation_alias="SLACK_SIGNING_SECRET",
        description="turns HTTP on: Slack sends to FRONTDESK_PUBLIC_URL/slack/events",
    )
    client_id: str = Field(
        "",
        validation_alias="SLACK_CLIENT_ID",
        description="for many workspaces, in place of SLACK_BOT_TOKEN: they install at "
        f"FRONTDESK_PUBLIC_URL/slack/install; needs {KEYS}",
    )
    client_secret: SecretStr | None = Field(
        None, validation_alias="SLACK_CLIENT_SECRET", description="belongs to SLACK_CLIENT_ID"
    )
    config_token: SecretStr | None = Field(
        None,
        validation_alias="SLACK_CONFIG_TOKEN",
        description="xoxe.xoxp-…, good for 12 hours; with it `frontdesk doctor slack` compares the whole app with the "
        "manifest; nothing else uses it",
    )
    api_url: str = Field(
        API_URL,
        validation_alias="SLACK_API_URL",
        description="another Slack, such as https://slack-gov.com/api/",
    )
    channels: Words = Field(
        frozenset(),
        validation_alias="SLACK_CHANNELS",
        description="ids (C…) of the channels where Frontdesk answers, separated by commas; empty: all that it "
        "is invited to",
    )
    people: Words = Field(
        frozenset(),
        validation_alias="SLACK_PEOPLE",
        description="ids (U…) of the people whom Frontdesk answers, separated by commas; empty: everybody",
    )
    mention_only: YesOrNo = Field(
        False,
        validation_alias="SLACK_MENTION_ONLY",
        description="true: in channels every message needs a mention, also in a thread where Frontdesk takes part",
    )
    streaming: Literal["auto", "native", "edit", "post"] = Field(
        "auto",
        validation_alias="SLACK_STREAMING",
        description="how answers grow: native streams, edit of a message, post of the whole; auto: the best that "
        "a workspace offers",
    )

    @classmethod
    def read(cls, options: ChannelOptions) -> Self:
        """The settings, with what OAuth needs of the house's. Raises Misconfigured naming every wrong variable."""
        settings = cls.of(options.variables)
        if settings.oauth and (missing := list(_missing(options))):
            raise Misconfigured("\n".join(missing))
        return settings

    @property
    def on(self) -> bool:
        """Whether there is a way to act; the validator sees to it that there is one to hear, too."""
        return self.bot_token is not None or self.oauth

    @property
    def oauth(self) -> bool:
        """Whether workspaces install Frontdesk by themselves."""
        return bool(self.client_id)

    @property
    def socket(self) -> bool:
        """Whether events come by Socket Mode."""
        return self.app_token is not None

    @property
    def http(self) -> bool:
        """Whether events come by signed HTTP requests."""
        return self.signing_secret is not None

    @property
    def client(self) -> tuple[str, str]:
        """What OAuth calls us by, and the secret that proves it."""
        return self.client_id, self.client_secret.get_secret_value() if self.client_secret else ""

    def secrets(self) -> tuple[str, ...]:
        """Every value that must never be shown, for those who hide them."""
        given = (self.bot_token, self.app_token, self.signing_secret, self.client_secret, self.config_token)
        return tuple(each.get_secret_value() for each in given if each is not None)

    @field_validator("bot_token")
    @classmethod
    def _of_a_bot(cls, token: SecretStr | None) -> SecretStr | None:
        if token and not re.match(r"(xoxe\.)?xoxb-", token.get_secret_value()):
            raise ValueError("it must be a bot token, which begins with xoxb- (OAuth & Permissions)")
        return token

    @field_validator("app_token")
    @classmethod
    def _of_an_app(cls, token: SecretStr | None) -> SecretStr | None:
        if token and not token.get_secret_value().startswith("xapp-"):
            raise ValueError("it must be an app-level token, which begins with xapp- (Basic Information)")
        return token

    @field_validator("config_token")
    @classmethod
    def _of_configuration(cls, token: SecretStr | None) -> SecretStr | None:
        if token and not token.get_secret_value().startswith("xoxe.xoxp-"):
            raise ValueError("it must be an app configuration token, which begins with xoxe.xoxp-")
        return token

    @field_validator("client_id")
    @classmethod
    def _of_numbers(cls, client: str) -> str:
        if not re.fullmatch(r"\d+\.\d+", client):
            raise ValueError(
                "it must be two numbers with a dot between (Basic Information > App Credentials)"
            )
        return client

    @field_validator("signing_secret", "client_secret")
    @classmethod
    def _no_token(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret and secret.get_secret_value().startswith(("xox", "xapp-")):
            raise ValueError("this is a token; the secret stands in Basic Information > App Credentials")
        return secret

    @field_validator("api_url")
    @classmethod
    def _ending_in_api(cls, url: str) -> str:
        url = url if url.endswith("/") else url + "/"
        if not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?/api/", url):
            raise ValueError(f"it must be an address that ends in /api/, such as {API_URL}")
        return url

    @field_validator("channels")
    @classmethod
    def _channel_ids(cls, ids: frozenset[str]) -> frozenset[str]:
        if not all(re.fullmatch(r"[CGD][A-Z0-9]+", each) for each in ids):
            raise ValueError("it takes ids such as C0123ABCD, separated by commas, not names")
        return ids

    @field_validator("people")
    @classmethod
    def _user_ids(cls, ids: frozenset[str]) -> frozenset[str]:
        if not all(re.fullmatch(r"[UW][A-Z0-9]+", each) for each in ids):
            raise ValueError("it takes ids such as U0123ABCD, separated by commas, not names")
        return ids

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if bool(self.client_id) != (self.client_secret is not None):
            raise ValueError(HALF)
        if self.bot_token and self.oauth:
            raise ValueError(BOTH)
        if self.on and not (self.socket or self.http):
            raise ValueError(DEAF)
        if not self.on and (self.socket or self.http):
            raise ValueError(INCOMPLETE)
        return self


def _missing(options: ChannelOptions) -> list[str]:
    """What OAuth needs beside Slack's own variables."""
    missing = []
    if not options.public_url:
        missing.append("FRONTDESK_PUBLIC_URL: Slack sends whoever installs Frontdesk back to it; set it")
    elif not (options.public_url.startswith("https://") or is_own_address(options.public_url)):
        missing.append(
            "FRONTDESK_PUBLIC_URL: it must begin with https:// for Slack to send people back to it"
        )
    if not options.keys:
        missing.append(f"{KEYS}: the tokens of the workspaces are encrypted with it; set it")
    return missing
