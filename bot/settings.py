"""What the operator decides, read once at the door from environment variables and `.env`.

Knows the names, meanings and limits of every variable (the README's table is printed from here).
Opens nothing. Every wrong variable is named at once, and no value is ever repeated in an error.
"""

from __future__ import annotations

import os
import pkgutil
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from bot import channels
from bot.variables import ChannelSettings
from worker.redaction import passwords
from worker.settings import EnvironmentSettings, RedisUrl, SettingsError, WorkerSettings

__all__ = [
    "Settings",
    "SettingsError",
    "channel_variables",
    "known_variables",
    "secrets_in",
    "surroundings",
    "table",
    "without_secrets",
]

# What no child process and no log may see, whatever follows the prefix.
SECRET_PREFIXES = ("SLACK_", "TELEGRAM_")
HIDING = re.compile("TOKEN|SECRET|KEY")  # of those the ones whose values are secret in themselves
EVERY_CHANNEL = "*"  # in FRONTDESK_MESSAGE_DAYS: those that are not named
CHANNELS = {module.name for module in pkgutil.iter_modules(channels.__path__)} - {"base"} | {EVERY_CHANNEL}
SECRET_VARIABLES = frozenset(
    {"DATABASE_URL", "FRONTDESK_API_KEYS", "FRONTDESK_ENCRYPTION_KEYS", "FRONTDESK_KEY"}
)


class Settings(EnvironmentSettings):
    """Frozen values. Field descriptions are what the README prints."""

    data: Path = Field(
        Path("data"), validation_alias="FRONTDESK_DATA", description="folder of the database, models and logs"
    )
    model: str = Field(
        "default",
        validation_alias="FRONTDESK_MODEL",
        min_length=1,
        description="default: what `frontdesk models promote` says, the starter at first; or a library name, or the "
        "path of a converted CTranslate2 folder with its tokenizer",
    )
    host: str = Field(
        "127.0.0.1",
        validation_alias="FRONTDESK_HOST",
        description="address to listen on; 0.0.0.0 makes it reachable from other computers",
    )
    port: int = Field(
        8080, ge=0, le=65535, validation_alias="FRONTDESK_PORT", description="port to listen on"
    )
    public_url: str = Field(
        "",
        validation_alias="FRONTDESK_PUBLIC_URL",
        description="how browsers reach this server, e.g. https://chat.example.com; once set, /v1 needs a key; "
        "empty: http://host:port",
    )
    personas: Path | None = Field(
        None,
        validation_alias="FRONTDESK_PERSONAS",
        description="personas and sites; empty: personas.yaml in the data folder if it is there",
    )
    policy: Path | None = Field(
        None, validation_alias="FRONTDESK_POLICY", description="moderation policy; empty: the bundled one"
    )
    verdict_days: int = Field(
        30,
        ge=0,
        le=3650,
        validation_alias="FRONTDESK_VERDICT_DAYS",
        description="days that a text which the screen stopped or doubted is kept for review; 0: none is kept",
    )
    message_days: Annotated[Mapping[str, int], NoDecode] = Field(
        {},
        validation_alias="FRONTDESK_MESSAGE_DAYS",
        description="days that conversations are kept: a number, or one for each channel, such as "
        "`web=30, slack=365, *=90`; empty: for good",
    )
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (),
        validation_alias="FRONTDESK_API_KEYS",
        description="operator keys for /v1, /readyz and /metrics, separated by commas; "
        "empty: only this computer may ask",
    )
    encryption_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (),
        validation_alias="FRONTDESK_ENCRYPTION_KEYS",
        description="keys by which tokens of Slack workspaces are kept encrypted, separated by commas: the first "
        "encrypts, each decrypts; `frontdesk keys encryption` makes one",
    )
    database_url: SecretStr | None = Field(
        None,
        validation_alias="DATABASE_URL",
        description="postgresql://… or sqlite:///…; empty: SQLite in the data folder",
    )
    redis_url: RedisUrl | None = Field(
        None,
        validation_alias="REDIS_URL",
        description="redis://…, rediss://… or unix:///…; empty: an embedded server, "
        "on a private socket in the data folder",
    )
    queue_limit: int = Field(
        64,
        ge=1,
        validation_alias="FRONTDESK_QUEUE_LIMIT",
        description="questions that may wait for one model; beyond it people are told to try again",
    )
    max_wait: float = Field(
        60,
        gt=0,
        validation_alias="FRONTDESK_MAX_WAIT",
        description="seconds; whose answer is expected to begin later than that is told at once to try again",
    )
    person_messages: int = Field(
        30,
        ge=0,
        validation_alias="FRONTDESK_PERSON_MESSAGES",
        description="messages a minute that one person may send; 0: any number",
    )
    person_tokens: int = Field(
        0,
        ge=0,
        validation_alias="FRONTDESK_PERSON_TOKENS",
        description="tokens a day that one person may use, questions and answers together; 0: any number",
    )
    place_messages: int = Field(
        0,
        ge=0,
        validation_alias="FRONTDESK_PLACE_MESSAGES",
        description="messages a minute in one conversation, whoever sends them; 0: any number",
    )
    place_tokens: int = Field(
        0,
        ge=0,
        validation_alias="FRONTDESK_PLACE_TOKENS",
        description="tokens a day in one conversation, whoever uses them; 0: any number",
    )
    trusted_proxies: int = Field(
        0,
        ge=0,
        le=5,
        validation_alias="FRONTDESK_TRUSTED_PROXIES",
        description="reverse proxies in front whose X-Forwarded-For is believed, for rate limits",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", validation_alias="FRONTDESK_LOG_LEVEL", description="how much is logged, as JSON lines"
    )

    @field_validator("message_days", mode="before")
    @classmethod
    def _days(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        given = [part.strip() for part in value.split(",") if part.strip()]
        pairs = [(name.strip(), days.strip()) for name, _, days in (each.rpartition("=") for each in given)]
        if not all(days.isdecimal() and 1 <= int(days) <= 36_500 for _, days in pairs):
            raise ValueError("it takes days, 1 or more: 90, or web=30, slack=365, *=90")
        if unknown := sorted({name for name, _ in pairs if name} - CHANNELS):
            raise ValueError(
                f"there is no channel {unknown[0]!r:.40}; there are {', '.join(sorted(CHANNELS))}"
            )
        return {name or EVERY_CHANNEL: int(days) for name, days in pairs}

    @field_validator("api_keys", "encryption_keys", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("api_keys")
    @classmethod
    def _long_enough(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if any(
            len(key.get_secret_value()) < 16 for key in keys
        ):  # 16: out of reach of guessing at our rate limits
            raise ValueError("every key needs 16 characters or more")
        if not all(key.get_secret_value().isascii() and key.get_secret_value().isprintable() for key in keys):
            raise ValueError("keys travel in an HTTP header: use letters, digits and signs of ASCII only")
        return keys

    @field_validator("encryption_keys")
    @classmethod
    def _fernet(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if not all(re.fullmatch(r"[A-Za-z0-9_-]{43}=", key.get_secret_value()) for key in keys):
            raise ValueError("each key is made by `frontdesk keys encryption`: 44 letters, digits and signs")
        return keys

    @field_validator("public_url")
    @classmethod
    def _browsable(cls, url: str) -> str:
        if url and not re.fullmatch(r"https?://[^\s/?#@]+/?", url):
            raise ValueError("it must be an address without a path, such as https://chat.example.com")
        return url

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, url: SecretStr | None) -> SecretStr | None:
        if url and not url.get_secret_value().startswith(("postgresql", "postgres://", "sqlite")):
            raise ValueError("it must start with postgresql:// or sqlite:///")
        return url

    def secrets(self) -> tuple[str, ...]:
        """Every value that must never be shown, for those who hide them."""
        found = [key.get_secret_value() for key in (*self.api_keys, *self.encryption_keys)]
        for url in (self.database_url, self.redis_url):
            if url is not None:
                secret = url.get_secret_value()
                found += [secret, *passwords(secret)]
        return tuple(found)

    def database(self) -> str:
        """The database's URL: the one given, or SQLite in the data folder."""
        if self.database_url:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.data.absolute() / 'frontdesk.sqlite3'}"

    def browser_url(self, port: int) -> str:
        """Where a browser on this computer finds the server that listens on `port`."""
        if self.public_url:
            return self.public_url.rstrip("/")
        host = self.reachable_host()
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def reachable_host(self) -> str:
        """The address at which this computer reaches a server that listens on `host`."""
        return "127.0.0.1" if self.host in ("0.0.0.0", "::", "") else self.host  # noqa: S104  # compared, not bound


def surroundings() -> dict[str, str]:
    """The environment as Frontdesk reads it: what is set, and else what `.env` says."""
    from dotenv import dotenv_values

    try:
        written = {name: value for name, value in dotenv_values(".env").items() if value}
    except (OSError, UnicodeDecodeError):
        written = {}  # reading the settings names this
    return {**written, **os.environ}


def channel_variables(environment: Mapping[str, str]) -> dict[str, SecretStr]:
    """What an environment says to channels."""
    return {
        name: SecretStr(value)
        for name, value in environment.items()
        if value and name.startswith(SECRET_PREFIXES)
    }


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """What a child process may see of an environment."""
    return {name: value for name, value in environment.items() if not _secret(name)}


def secrets_in(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The values in an environment that must never be shown."""
    return tuple(
        value for name, value in environment.items() if _secret(name) and HIDING.search(name) and value
    )


def _secret(name: str) -> bool:
    return name.startswith(SECRET_PREFIXES) or name in SECRET_VARIABLES


def known_variables() -> frozenset[str]:
    """The name of every variable that Frontdesk reads."""
    return frozenset(row.split("`")[1] for row in _rows()) | SECRET_VARIABLES


def table() -> str:
    """Every variable as a Markdown table; the README carries this text and a test compares them."""
    return "\n".join(["| variable | default | meaning |", "|---|---|---|", *_rows()])


def _rows() -> Iterator[str]:
    """The house's own variables, then those that only the worker reads, then those of channels."""
    from bot.channels.slack.settings import SlackSettings  # late: it brings aiohttp
    from bot.channels.telegram.settings import TelegramSettings

    seen: set[str] = set()
    readers: tuple[type[EnvironmentSettings | ChannelSettings], ...] = (
        Settings,
        WorkerSettings,
        SlackSettings,
        TelegramSettings,
    )
    for reader in readers:
        for name, field in reader.model_fields.items():
            variable = reader.variable(name)
            if variable not in seen:
                seen.add(variable)
                default = _shown(field.default)
                meaning = str(field.description).replace("|", "\\|")
                yield f"| `{variable}` | {default} | {meaning} |"


def _shown(default: object) -> str:
    if isinstance(default, tuple | frozenset):
        default = ",".join(map(str, default))
    if isinstance(default, bool):
        default = str(default).lower()
    return "" if default in (None, "", {}) else f"`{default}`"
