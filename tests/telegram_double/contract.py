"""Every call against aiogram's models of the Bot API: names of parameters, required ones, types, also inside of them.

Knows, in two tables, what aiogram lacks. Leaves what a call does to the methods' own code.
"""

from __future__ import annotations

import json
import types
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Union, get_args, get_origin

from aiogram import methods
from aiogram.methods.base import TelegramMethod
from pydantic import BaseModel, ValidationError

MODELS: dict[str, type[TelegramMethod[Any]]] = {
    model.__api_method__: model
    for model in vars(methods).values()
    if isinstance(model, type) and issubclass(model, TelegramMethod) and model is not TelegramMethod
}
NAMES = {name.lower(): name for name in MODELS}  # Telegram does not look at capitals
# Parameters that Telegram takes though they are no longer told of: they are no mistake, but nobody should begin.
OLD = frozenset({"disable_web_page_preview", "reply_to_message_id", "allow_sending_without_reply"})


@dataclass(frozen=True, slots=True)
class Reading:
    """The arguments of a call as values, and what is wrong with them."""

    values: dict[str, Any]
    wrong: list[str]


def read(method: str, given: Mapping[str, Any], *, typed: bool) -> Reading:
    """The arguments of a call. typed: they came as JSON, so their types are as they were sent."""
    model = MODELS[method]
    values: dict[str, Any] = {}
    wrong: list[str] = []
    for name, value in given.items():
        if name not in model.model_fields:
            wrong.append(f"there is no parameter {name}")
        elif name in OLD:
            wrong.append(f"{name} is deprecated")
        else:
            values[name] = (
                value if typed or not isinstance(value, str) else _meant(value, *_kinds(method, name))
            )
    try:
        checked = model.model_validate_json(json.dumps(values), strict=True)
    except ValidationError as error:
        return Reading(values, wrong + _told(error))
    for name in values:
        wrong += strange(getattr(checked, name), name)
    return Reading(values, wrong)


@cache
def _kinds(method: str, name: str) -> tuple[bool, bool]:
    """Whether a parameter may be a text, and whether it may be a number."""
    kinds = set(_flat(MODELS[method].model_fields[name].annotation))
    return str in kinds, bool(kinds & {int, float})


def _flat(annotation: Any) -> list[Any]:
    if get_origin(annotation) in (Union, types.UnionType):
        return [kind for part in get_args(annotation) for kind in _flat(part)]
    return [annotation]


def _meant(value: str, text: bool, number: bool) -> Any:
    """What a form's string stands for."""
    if text and not (number and value.lstrip("-").isdigit()):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _told(error: ValidationError) -> list[str]:
    return [
        f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_input=False)
        if problem["type"] != "is_instance_of"  # aiogram's own stand-ins for what is not given
    ]


def strange(value: Any, where: str) -> list[str]:
    """Fields inside of a parameter that no object of the Bot API has."""
    if isinstance(value, list | tuple):
        return [found for number, item in enumerate(value) for found in strange(item, f"{where}[{number}]")]
    if not isinstance(value, BaseModel):
        return []
    found = [f"{where} has no field {name}" for name in value.model_extra or ()]
    for name in value.model_fields_set & set(type(value).model_fields):
        found += strange(getattr(value, name), f"{where}.{name}")
    return found
