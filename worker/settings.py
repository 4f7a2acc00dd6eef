"""What the operator decides about a worker, read once at the door from environment variables and `.env`.

Knows the variables, their meanings and limits. Opens nothing. Every wrong variable is named at once, and no value is
ever repeated in an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from inference import tpu

QueueName = Literal["answers", "bulk"]
ComputeType = Literal[
    "default",
    "auto",
    "int8",
    "int8_float32",
    "int8_float16",
    "int8_bfloat16",
    "int16",
    "float16",
    "bfloat16",
    "float32",
]


class SettingsError(Exception):
    """One or more variables are wrong; the message names each one and what it takes."""


class EnvironmentSettings(BaseSettings):
    """What is read from environment variables and `.env` into frozen values, the worker's and the bot's alike."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,  # compose files write NAME= for what is not set
        extra="ignore",
        frozen=True,
        populate_by_name=True,
    )

    @classmethod
    def read(cls, **overrides: object) -> Self:
        """Settings from the environment and `.env`; `overrides` (command-line options) win.

        Raises SettingsError naming every wrong variable.
        """
        given = {name: value for name, value in overrides.items() if value is not None}
        try:
            return cls(**given)  # type: ignore[arg-type]  # pydantic checks them, that is the point
        except ValidationError as error:
            raise SettingsError("\n".join(cls._mistakes(error))) from None
        except UnicodeDecodeError:
            raise SettingsError(".env: is not UTF-8 text") from None
        except OSError as error:
            raise SettingsError(f".env: cannot be read ({error.strerror})") from None

    @classmethod
    def variable(cls, field_name: str) -> str:
        """The environment variable of one field."""
        field = cls.model_fields.get(field_name)
        return str(field.validation_alias or field_name) if field else field_name

    @classmethod
    def _mistakes(cls, error: ValidationError) -> Iterator[str]:
        for mistake in error.errors(include_input=False, include_url=False):
            name = str(mistake["loc"][0]) if mistake["loc"] else "settings"
            yield f"{cls.variable(name)}: {mistake['msg'].removeprefix('Value error, ')}"


def _known_redis(url: SecretStr) -> SecretStr:
    if not url.get_secret_value().startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("it must start with redis://, rediss:// or unix://")
    return url


RedisUrl = Annotated[SecretStr, AfterValidator(_known_redis)]


def _known_devices(text: str) -> str:
    """A GPU's number, or what the driver itself calls it (GPU-8f6a…, MIG-…); cpu as often as workers are wanted."""
    text = "".join(text.split())
    if text not in (ONE, AUTO) and not all(map(_DEVICE.fullmatch, text.split(","))):
        raise ValueError("it must be one, auto, or a list of GPU numbers or cpu with commas")
    return text


ONE, AUTO = "one", "auto"
_DEVICE = re.compile(r"cpu|\d{1,3}|(GPU|MIG)-[\w/-]{1,80}")
Devices = Annotated[str, AfterValidator(_known_devices)]


class WorkerSettings(EnvironmentSettings):
    """Frozen values. Field descriptions are what the README prints."""

    redis_url: RedisUrl = Field(
        validation_alias="REDIS_URL", description="redis://…, rediss://… or unix:///…: the queue's server"
    )
    model: str = Field(
        "default",
        validation_alias="FRONTDESK_MODEL",
        min_length=1,
        description="default: what `frontdesk models promote` says, the starter at first; or a library name, or the "
        "path of a converted CTranslate2 folder with its tokenizer",
    )
    data: Path = Field(
        Path("data"), validation_alias="FRONTDESK_DATA", description="folder whose models/ is the library"
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", validation_alias="FRONTDESK_DEVICE", description="where the model runs; auto: the GPU if any"
    )
    compute_type: ComputeType = Field(
        "default",
        validation_alias="FRONTDESK_COMPUTE_TYPE",
        description="number format of the weights; default: as they were converted",
    )
    devices: Devices = Field(
        ONE,
        validation_alias="FRONTDESK_DEVICES",
        description="one worker process for each: auto (every GPU), numbers of GPUs with commas, or cpu; "
        "one: a single process, where FRONTDESK_DEVICE says",
    )
    inter_threads: int = Field(
        0,
        ge=0,
        le=64,
        validation_alias="FRONTDESK_INTER_THREADS",
        description="replicas of the model in one worker, which share its weights; 0: chosen by the device",
    )
    intra_threads: int = Field(
        0,
        ge=0,
        le=256,
        validation_alias="FRONTDESK_INTRA_THREADS",
        description="CPU threads for each of them; 0: the cores shared out, moment by moment",
    )
    max_rows: int = Field(
        0,
        ge=0,
        le=4096,
        validation_alias="FRONTDESK_MAX_ROWS",
        description="answers made at once by one worker; 0: chosen by the device",
    )
    kv_memory: float = Field(
        0,
        ge=0,
        validation_alias="FRONTDESK_KV_MEMORY",
        description="GiB that a worker keeps for what its answers attend to; 0: by what is free",
    )
    queues: Annotated[tuple[QueueName, ...], NoDecode] = Field(
        ("answers",),
        min_length=1,
        validation_alias="FRONTDESK_QUEUES",
        description="what the worker takes on: answers, or bulk (work of hours, see `frontdesk jobs`)",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", validation_alias="FRONTDESK_LOG_LEVEL", description="how much is logged, as JSON lines"
    )

    def environment(self) -> dict[str, str]:
        """These settings as the variables that a child process reads them from."""
        return {self.variable(name): _written(getattr(self, name)) for name in type(self).model_fields}

    @field_validator("device", "devices", mode="before")
    @classmethod
    def _no_tpu(cls, value: object) -> object:
        if isinstance(value, str) and tpu.is_asked_for(value):
            raise ValueError(
                f"it cannot be a TPU. {tpu.REASON}. Set it to auto, cpu or cuda, or leave it out"
            )
        return value

    @field_validator("queues")
    @classmethod
    def _one_kind(cls, queues: tuple[QueueName, ...]) -> tuple[QueueName, ...]:
        if len(queues) > 1:
            raise ValueError("a worker takes answers or bulk: work of hours has a worker of its own")
        return queues

    @field_validator("queues", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(dict.fromkeys(part.strip() for part in value.split(",") if part.strip()))
        return value


def _written(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
