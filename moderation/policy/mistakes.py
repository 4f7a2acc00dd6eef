"""What pydantic found wrong, told to whoever wrote the file: where, and what to write instead.

Knows pydantic's words for errors. Knows neither YAML nor what the values mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, ValidationError

from moderation.policy.tree import Mistake, Spot

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

KEY = "[key]"  # pydantic's mark on the way to a key that is itself wrong

TOLD = {
    "string_type": "must be text (put it in quotes)",
    "string_too_short": "must be text, and not empty",
    "string_too_long": "is too long; {max_length} characters at most",
    "too_short": "must hold at least {min_length}",
    "float_type": "must be a number, such as 0.8",
    "int_type": "must be a whole number, such as 16000",
    "finite_number": "must be a number, such as 0.8",
    "greater_than": "must be above {gt:g}",
    "greater_than_equal": "must be {ge:g} or more",
    "less_than_equal": "must be {le:g} or less",
    "tuple_type": "must be a list; write [] for none",
    "dict_type": "must hold a line `name: value` for each",
    "value_error": "{error}",
}
MAPPINGS = ("model_type", "model_attributes_type")


def mistakes(
    error: ValidationError, tree: Spot, *, model: type[BaseModel], also: Sequence[str] = ()
) -> Iterator[Mistake]:
    """Each error as a mistake at its line of `tree`, which `model` refused. `also`: further words at its top."""
    return (_mistake(details, tree, model, also) for details in error.errors(include_url=False))


def _mistake(details: ErrorDetails, tree: Spot, model: type[BaseModel], also: Sequence[str]) -> Mistake:
    way, kind, context = details["loc"], details["type"], details.get("ctx", {})
    spot = tree.at(way)
    if kind == "extra_forbidden":
        return _no_key(spot, str(way[-1]), [*(also if len(way) == 1 else ()), *_fields(model, way[:-1])])
    if way[-1:] == (KEY,):
        return _no_key(spot, str(way[-2]), context.get("known") or _listed(context["expected"]))
    if kind == "missing":
        return spot.mistake(f"{way[-1]} must be given")
    if kind == "literal_error":
        return unknown(spot, str(spot.plain()), _listed(context["expected"]))
    if kind in MAPPINGS:
        return spot.mistake(f"must hold {', '.join(_fields(model, way))}")
    sentence = TOLD.get(kind)
    return spot.mistake(sentence.format_map(context) if sentence else f"cannot be used: {details['msg']}")


def unknown(spot: Spot, word: str, known: Iterable[str]) -> Mistake:
    """That `word` is none of the known ones, with the nearest of them."""
    return spot.mistake(f"{word!r} is unknown; {_instead(word, list(known))}")


def _no_key(spot: Spot, key: str, known: Iterable[str]) -> Mistake:
    return spot.mistake(f"is unknown here; {_instead(key, list(known))}")


def _instead(word: str, known: list[str]) -> str:
    near = get_close_matches(word, known, n=1, cutoff=0.7)
    return f"did you mean {near[0]}?" if near else f"use one of {', '.join(known)}"


def _listed(expected: str) -> list[str]:
    """The words of pydantic's "'a', 'b' or 'c'"."""
    return re.findall(r"'([^']*)'", expected)


def _fields(model: type[BaseModel], way: tuple[int | str, ...]) -> list[str]:
    """The keys that may stand at the end of this way through a model."""
    found: type[BaseModel] | None = model
    for step in way:
        if found and step in found.model_fields:
            found = _model(found.model_fields[str(step)].annotation)
    return [*found.model_fields, *getattr(found, "also", ())] if found else []


def _model(annotation: Any) -> type[BaseModel] | None:
    """The model that a field holds, by itself or in a list or a mapping."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for part in get_args(annotation) if (model := _model(part))), None)
