"""The Telegram channel's own variables, read once when the channel opens.

Knows what each takes and which of them belong together. Leaves to Telegram whether the token is good: see `doctor`.
"""

from __future__ import annotations

import re
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from bot.channels.base import ChannelOptions
from bot.variables import ChannelSettings, Misconfigured, YesOrNo, parts

API_URL = "https://api.telegram.org"
WEBHOOK_PATH = "/telegram/updates"
WEBHOOK_PORTS = (443, 80, 88, 8443)  # Telegram sends to no other

PUBLIC = "FRONTDESK_PUBLIC_URL"  # the house's variable behind ChannelOptions.public_url
ALONE = "TELEGRAM_BOT_TOKEN: TELEGRAM_WEBHOOK_SECRET is of no use without it; set it, @BotFather tells it"


class TelegramSettings(ChannelSettings):
    """Frozen values. What people write is fetched by long polling, or sent to us when `webhook`."""

    bot_token: SecretStr | None = Field(
        None,
        validation_alias="TELEGRAM_BOT_TOKEN",
        description="123456789:…, of the bot that @BotFather made; turns Telegram on",
    )
    webhook_secret: SecretStr | None = Field(
        None,
        validation_alias="TELEGRAM_WEBHOOK_SECRET",
        description="a long random word of yours; turns the webhook on: Telegram sends to "
        f"FRONTDESK_PUBLIC_URL{WEBHOOK_PATH}; empty: Frontdesk fetches, which needs no public address",
    )
    api_url: str = Field(
        API_URL,
        validation_alias="TELEGRAM_API_URL",
        description="another Bot API server, such as http://127.0.0.1:8081",
    )
    people: frozenset[int] = Field(
        frozenset(),
        validation_alias="TELEGRAM_PEOPLE",
        description="ids of the people whom Frontdesk answers, separated by commas; empty: everybody",
    )
    groups: frozenset[int] = Field(
        frozenset(),
        validation_alias="TELEGRAM_GROUPS",
        description="ids (-100…) of the groups where Frontdesk answers, separated by commas; empty: all that it is "
        "added to",
    )
    streaming: Literal["edit", "draft", "post"] = Field(
        "edit",
        validation_alias="TELEGRAM_STREAMING",
        description="how answers grow in private chats: edit of a message, draft that becomes one, post of the whole",
    )
    group_streaming: Literal["post", "edit"] = Field(
        "post",
        validation_alias="TELEGRAM_GROUP_STREAMING",
        description="the same in groups, where Telegram allows 20 messages and edits a minute",
    )
    rich: YesOrNo = Field(
        False,
        validation_alias="TELEGRAM_RICH",
        description="true: tables and formulas as rich messages, which only newer apps show",
    )

    @classmethod
    def read(cls, options: ChannelOptions) -> Self:
        """The settings, with what the webhook needs of the house's. Raises Misconfigured naming every wrong
        variable."""
        settings = cls.of(options.variables)
        if settings.webhook and (wrong := _unreachable(settings, options.public_url)):
            raise Misconfigured(f"{PUBLIC}: {wrong}")
        return settings

    @property
    def on(self) -> bool:
        """Whether there is a bot to be."""
        return self.bot_token is not None

    @property
    def webhook(self) -> bool:
        """Whether Telegram sends to us; else we fetch."""
        return self.webhook_secret is not None

    @property
    def token(self) -> str:
        """The bot's token, empty when there is none."""
        return self.bot_token.get_secret_value() if self.bot_token else ""

    @property
    def hosted(self) -> bool:
        """Whether Telegram's own Bot API server is asked."""
        return self.api_url == API_URL

    @property
    def base_url(self) -> str:
        """What the token and a method follow."""
        return f"{self.api_url}/bot"

    @property
    def base_file_url(self) -> str:
        """What the token and a file's path follow."""
        return f"{self.api_url}/file/bot"

    def secrets(self) -> tuple[str, ...]:
        """Every value that must never be shown, for those who hide them; of the token also the half that matters, as
        an address may write its colon in another way."""
        given = [
            each.get_secret_value() for each in (self.bot_token, self.webhook_secret) if each is not None
        ]
        return (*given, self.token.partition(":")[2]) if self.token else tuple(given)

    @field_validator("bot_token")
    @classmethod
    def _of_a_bot(cls, token: SecretStr | None) -> SecretStr | None:
        if token and not re.fullmatch(r"[0-9]+:[A-Za-z0-9_-]{20,}", token.get_secret_value()):
            raise ValueError("it must be a bot's token: a number, a colon and 35 characters (@BotFather)")
        return token

    @field_validator("webhook_secret")
    @classmethod
    def _of_letters(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret and not re.fullmatch(r"[A-Za-z0-9_-]{16,256}", secret.get_secret_value()):
            raise ValueError("it takes 16 to 256 letters, digits, _ and -")
        return secret

    @field_validator("api_url")
    @classmethod
    def _without_slash(cls, url: str) -> str:
        url = url.rstrip("/")
        if not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", url) or url.endswith("/bot"):
            raise ValueError(f"it must be an address without /bot at its end, such as {API_URL}")
        return url

    @field_validator("people", "groups", mode="before")
    @classmethod
    def _numbers(cls, value: object) -> object:
        given = parts(value)
        if not isinstance(value, str) or not isinstance(given, frozenset):
            return value
        if not all(re.fullmatch(r"-?[0-9]{1,16}", part) for part in given):
            raise ValueError("it takes ids, which are numbers, separated by commas, not names")
        return frozenset(map(int, given))

    @field_validator("people")
    @classmethod
    def _of_people(cls, ids: frozenset[int]) -> frozenset[int]:
        if any(each <= 0 for each in ids):
            raise ValueError("a person's id is above zero; ids of groups belong into TELEGRAM_GROUPS")
        return ids

    @field_validator("groups")
    @classmethod
    def _of_groups(cls, ids: frozenset[int]) -> frozenset[int]:
        if any(each >= 0 for each in ids):
            raise ValueError("a group's id is below zero, such as -1001234567890")
        return ids

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.webhook and not self.on:
            raise ValueError(ALONE)
        return self


def _unreachable(settings: TelegramSettings, public_url: str) -> str:
    """Why nothing could be sent to that address, if so. A Bot API server of one's own may send to any."""
    if not public_url:
        return "Telegram sends to it with TELEGRAM_WEBHOOK_SECRET; set it, or leave the secret out"
    url = urlsplit(public_url)
    if not settings.hosted:
        return ""
    if url.scheme != "https":
        return "it must begin with https:// for Telegram to send to it; or leave TELEGRAM_WEBHOOK_SECRET out"
    if (url.port or 443) not in WEBHOOK_PORTS:
        return f"Telegram sends only to the ports {', '.join(map(str, WEBHOOK_PORTS))}"
    return ""
