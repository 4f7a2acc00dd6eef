"""The body of a request: JSON read within a limit, and pydantic's complaints in OpenAI's words.

Knows JSON and how a mistake is named. Which fields there are is not known here.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, NoReturn, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from bot.gateway.errors import ApiError, BadRequest

LIMIT = 1 << 20  # bytes; a context of 200,000 tokens of English text still fits
SECONDS = 30.0  # for the body to arrive, from a train as well; a slow sender holds no handler for longer

M = TypeVar("M", bound=BaseModel)

# pydantic's kind of mistake -> what was expected instead
EXPECTED = {
    "string_type": "a string",
    "bool_type": "a boolean",
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_type": "a decimal",
    "finite_number": "a finite decimal",
    "list_type": "an array",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "dict_type": "an object",
}
# ... -> OpenAI's code and words; {limit} is the bound
RANGES = {
    "greater_than_equal": ("below_min_value", "below minimum value. Expected a value >= {limit}", "ge"),
    "greater_than": ("below_min_value", "below minimum value. Expected a value > {limit}", "gt"),
    "less_than_equal": ("above_max_value", "above maximum value. Expected a value <= {limit}", "le"),
}
UNREADABLE = "the text holds unpaired surrogates"


async def read_object(request: web.Request) -> dict[str, Any]:
    """The JSON object in the body. Raises ApiError: 413 beyond LIMIT, 408 after SECONDS, 400 where it is no JSON
    object."""
    if (request.content_length or 0) > LIMIT:
        raise _too_large()
    parts = bytearray()
    try:
        async with asyncio.timeout(SECONDS):
            async for part in request.content.iter_any():
                parts += part
                if len(parts) > LIMIT:
                    raise _too_large()
    except TimeoutError:
        raise ApiError(
            f"The request took longer than {SECONDS:g} seconds to arrive.",
            status=408,
            code="request_timeout",
        ) from None
    try:
        value = json.loads(parts.decode("utf-8"), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise BadRequest(
            "We could not parse the JSON body of your request. The API expects a JSON object in UTF-8.",
            code="invalid_json",
        ) from error
    if not isinstance(value, dict):
        raise BadRequest(f"The body must be a JSON object, not {_kind(value)}.", code="invalid_json")
    return value


def read_model(model: type[M], value: dict[str, Any]) -> M:
    """`value` as a pydantic model. Raises BadRequest about the first mistake, as OpenAI does."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise _complaint(error.errors(include_url=False)[0]) from None


def _too_large() -> ApiError:
    return ApiError(
        f"The request is too large: {LIMIT} bytes are taken.", status=413, code="request_too_large"
    )


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _complaint(mistake: ErrorDetails) -> BadRequest:
    kind, param, given = mistake["type"], path(mistake["loc"]), mistake["input"]
    context = mistake.get("ctx", {})
    if kind == "missing":
        return BadRequest(
            f"Missing required parameter: '{param}'.", code="missing_required_parameter", param=param
        )
    if kind in EXPECTED:
        return wrong_type(param, expected=EXPECTED[kind], given=given)
    if kind in RANGES:
        code, words, bound = RANGES[kind]
        number = "integer" if isinstance(given, int) and isinstance(context[bound], int) else "decimal"
        says = words.format(limit=f"{context[bound]:g}")
        return BadRequest(
            f"Invalid '{param}': {number} {says}, but got {given} instead.",
            code=f"{number}_{code}",
            param=param,
        )
    if kind == "literal_error":
        says = f"Invalid value: {given!r:.80}. Supported values are: {context['expected']}."
        return BadRequest(says, code="invalid_value", param=param)
    if kind in ("too_short", "string_too_short"):
        what, code = ("array", "empty_array") if kind == "too_short" else ("string", "empty_string")
        return BadRequest(f"Invalid '{param}': empty {what}. It must not be empty.", code=code, param=param)
    if kind == "too_long":
        says = f"array too long. Expected an array with maximum length {context['max_length']}"
        return BadRequest(f"Invalid '{param}': {says}.", code="array_above_max_length", param=param)
    says = UNREADABLE if kind == "string_unicode" else mistake["msg"]
    return BadRequest(f"Invalid '{param}': {says}.", code="invalid_value", param=param)


def wrong_type(param: str, *, expected: str, given: object) -> BadRequest:
    """A value of the wrong JSON type."""
    return BadRequest(
        f"Invalid type for '{param}': expected {expected}, but got {_kind(given)} instead.",
        code="invalid_type",
        param=param,
    )


def path(location: tuple[int | str, ...]) -> str:
    """messages[0].content, as OpenAI names places."""
    parts = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in location]
    return "".join(parts).lstrip(".")


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int():
            return "an integer"
        case float():
            return "a decimal"
        case str():
            return "a string"
        case list():
            return "an array"
        case _:
            return "an object"
