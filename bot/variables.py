"""A channel's own variables (SLACK_..., TELEGRAM_...), checked whole: all mistakes named at once, no value repeated.

Knows how they are read and told. What they mean is each channel's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, SecretStr, ValidationError


class Misconfigured(Exception):
    """Variables of a channel are wrong; the message names each one and what it takes."""


class ChannelSettings(BaseModel):
    """Frozen values. Each field's `validation_alias` is its variable, its `description` what the README prints."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    @classmethod
    def of(cls, variables: Mapping[str, SecretStr]) -> Self:
        """Read them. Raises Misconfigured naming every wrong variable."""
        given = {name: value.get_secret_value() for name, value in variables.items()}
        try:
            return cls.model_validate({name: value for name, value in given.items() if value})
        except ValidationError as error:
            raise Misconfigured("\n".join(cls._mistakes(error))) from None

    @classmethod
    def variable(cls, field: str) -> str:
        """The name of the variable behind a field."""
        return str(cls.model_fields[field].validation_alias or field)

    @classmethod
    def _mistakes(cls, error: ValidationError) -> list[str]:
        """One sentence a mistake; values may be secrets and are never repeated."""
        said = [
            f"{'.'.join(map(str, each['loc']))}: {each['msg'].removeprefix('Value error, ')}"
            for each in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        return [each.removeprefix(": ") for each in said]


def parts(value: object) -> object:
    """What stands between the commas, where it is text."""
    if not isinstance(value, str):
        return value
    return frozenset(part.strip() for part in value.split(",") if part.strip())


def yes_or_no(value: object) -> object:
    """The words for yes and no in any case, where it is text. Raises ValueError."""
    if not isinstance(value, str):
        return value
    if value.lower() not in ("true", "false", "1", "0", "yes", "no", "on", "off"):
        raise ValueError("it takes true or false")
    return value.lower()


# A variable that takes words, or ids, separated by commas; and one that takes true or false.
Words = Annotated[frozenset[str], BeforeValidator(parts)]
YesOrNo = Annotated[bool, BeforeValidator(yes_or_no)]
