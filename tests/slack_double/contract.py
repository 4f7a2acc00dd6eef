"""Every call against Slack's own reference of its methods: argument names, required ones, types, enums, bounds.

Knows the reference's files and, in two tables, what they lack. Leaves what a call does to the methods' own code, and
the lengths of texts, which the reference tells in prose, to `lengths`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

METHODS = Path(__file__).parent / "methods"
Schema = Mapping[str, Any]

# What the reference does not list though Slack takes it, with the reason. "*" is every method.
MORE_ARGUMENTS: dict[tuple[str, str], tuple[Schema, str]] = {
    ("chat.stopStream", "session_status"): (
        {"type": "string", "enum": ["active", "processing", "suspended", "closed"]},
        "documented in the agent sessions guide and sent by slack_sdk 3.47; the reference is older",
    ),
    ("*", "team_id"): (
        {"type": "string", "subtype": "team"},
        "bolt's client adds it to every call, for tokens of a whole organisation; Slack takes it everywhere",
    ),
    ("chat.update", "file_ids"): (
        {"type": "string"},
        "its example shows both an array and a comma-separated string; slack_sdk sends the string",
    ),
}
# What the reference calls required though it is not, with the reason.
NOT_REQUIRED: dict[tuple[str, str], str] = {
    (
        "chat.appendStream",
        "markdown_text",
    ): "chunks may stand in its place, and slack_sdk's own stream sends only those",
}
# Bounds that the reference tells in prose.
MORE_BOUNDS: dict[tuple[str, str], Schema] = {
    ("agents.sessions.setStatus", "title"): {"maxLength": 200},
    ("agents.sessions.rename", "title"): {"minLength": 1, "maxLength": 200},
}
# Arguments that hold a structure: as JSON in a string, or as they are in a JSON body.
STRUCTURES: dict[str, type] = {
    "attachments": list,
    "blocks": list,
    "chunks": list,
    "files": list,
    "loading_messages": list,
    "metadata": dict,
    "prompts": list,
    "unfurled_attachments": list,
    "view": dict,
}
SHAPES = {
    "channel": re.compile(r"[CDGUW][A-Z0-9]{2,}"),
    "user": re.compile(r"[UW][A-Z0-9]{2,}"),
    "user_id": re.compile(r"[UW][A-Z0-9]{2,}"),
    "bot": re.compile(r"B[A-Z0-9]{2,}"),
    "team": re.compile(r"[TE][A-Z0-9]{2,}"),
    "file": re.compile(r"F[A-Z0-9]{2,}"),
    "timestamp": re.compile(r"\d{10}\.\d{6}|0|now"),
    "ts": re.compile(r"\d{10}\.\d{6}"),
}
# Arguments whose shape the reference leaves unsaid in some methods.
NAMED = {
    "channel_id": "channel",
    "initiator_user_id": "user",
    "message_ts": "ts",
    "recipient_team_id": "team",
    "thread_ts": "ts",
    "user_id": "user",
}
VIEWS = {"publishable-view": {"home"}, "modal": {"modal"}, "view": {"home", "modal"}}


@dataclass(frozen=True, slots=True)
class Reading:
    """The arguments of a call as values, and what is wrong with them."""

    values: dict[str, Any]
    wrong: list[str]


@dataclass(frozen=True, slots=True)
class Contract:
    """The reference, by method."""

    methods: Mapping[str, Mapping[str, Any]] = field(repr=False)

    @classmethod
    def load(cls) -> Contract:
        return cls({path.stem: json.loads(path.read_text()) for path in METHODS.glob("*.json")})

    def tier(self, method: str) -> str:
        return str(self.methods[method]["rate_limits"])

    def scopes(self, method: str) -> list[str]:
        """The bot scopes of which one is needed; none: no scope is needed."""
        return list((self.methods[method].get("scope") or {}).get("bot", ()))

    def read(self, method: str, given: Mapping[str, Any], *, json_body: bool, token: bool) -> Reading:
        """The arguments of a call, a form's strings turned into what they mean."""
        reference = self.methods[method]
        known, required = reference["args"]["properties"], reference["args"].get("required", ())
        wrong = [f"{name} is required" for name in required if self._lacks(method, name, given, token=token)]
        if json_body and reference.get("json_input_supported") is not True:
            wrong.append("takes no JSON body")
        values: dict[str, Any] = {}
        for name, value in given.items():
            schema = self._schema(method, name, known)
            if schema is None:
                wrong.append(f"there is no argument {name}")
                continue
            values[name], problems = _value(name, value, schema, typed=json_body)
            wrong += [f"{name} {problem}" for problem in problems]
        return Reading(values, wrong)

    def _lacks(self, method: str, name: str, given: Mapping[str, Any], *, token: bool) -> bool:
        if name == "token":
            return not token
        return name not in given and (method, name) not in NOT_REQUIRED

    def _schema(self, method: str, name: str, known: Mapping[str, Schema]) -> Schema | None:
        more = MORE_ARGUMENTS.get((method, name)) or MORE_ARGUMENTS.get(("*", name))
        schema = known.get(name)
        if schema is not None and more is not None:
            return {"anyOf": [schema, more[0]]}
        if schema is None:
            return more[0] if more else None
        named = {"schema": NAMED[name]} if name in NAMED and "schema" not in schema else {}
        return {**schema, **named, **MORE_BOUNDS.get((method, name), {})}


def _value(name: str, value: Any, schema: Schema, *, typed: bool) -> tuple[Any, list[str]]:
    """A value as it is meant, and what is wrong with it."""
    types = set(_types(schema))
    if value is None:
        return None, [] if "null" in types else ["must not be null"]
    if name in STRUCTURES:
        return _structure(name, value, schema)
    if not typed and isinstance(value, str):
        value = _from_form(value, types)
    if problem := _mistyped(value, types):
        return value, [problem]
    return value, _bounds(value, schema) + _shape(value, schema)


def _types(schema: Schema) -> list[str]:
    if "type" in schema:
        return [schema["type"]]
    options = [*schema.get("anyOf", ()), *schema.get("allOf", ())]
    return [kind for option in options for kind in _types(option)] or ["string"]


def _from_form(value: str, types: set[str]) -> Any:
    if types & {"integer", "number"} and re.fullmatch(r"-?\d+", value):
        return int(value)
    if "boolean" in types and value.lower() in ("0", "1", "true", "false"):
        return value.lower() in ("1", "true")
    return value


def _mistyped(value: Any, types: set[str]) -> str:
    fits = {
        "string": isinstance(value, str),
        "boolean": isinstance(value, bool),
        "integer": isinstance(value, int) and not isinstance(value, bool),
        "number": isinstance(value, int | float) and not isinstance(value, bool),
        "array": isinstance(value, list),
        "object": isinstance(value, dict),
    }
    wanted = types - {"null"}
    if any(fits[kind] for kind in wanted):
        return ""
    return f"must be {' or '.join(sorted(wanted))}, not {type(value).__name__}"


def _structure(name: str, value: Any, schema: Schema) -> tuple[Any, list[str]]:
    kind = STRUCTURES[name]
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return value, ["is not JSON"]
    if not isinstance(value, kind):
        return value, [f"must hold a JSON {'array' if kind is list else 'object'}"]
    return value, _bounds(value, schema) + _items(value, schema) + _shape(value, schema)


def _items(value: Any, schema: Schema) -> list[str]:
    rule = schema.get("items")
    if not isinstance(value, list) or not rule:
        return []
    wrong: list[str] = []
    for number, item in enumerate(value):
        where = f"[{number}]"
        if problem := _mistyped(item, set(_types(rule))):
            wrong.append(f"{where} {problem}")
            continue
        wrong += [f"{where} {problem}" for problem in _bounds(item, rule)]
        wrong += [f"{where}.{key} is required" for key in rule.get("required", ()) if key not in item]
        properties = rule.get("properties")
        if properties and isinstance(item, dict):
            wrong += [f"{where} has no {key}" for key in item if key not in properties]
    return wrong


def _bounds(value: Any, schema: Schema) -> list[str]:
    size = len(value) if isinstance(value, str | list) else None
    least = {"string": "minLength", "list": "minItems"}
    most = {"string": "maxLength", "list": "maxItems"}
    kind = "list" if isinstance(value, list) else "string"
    wrong = []
    if "enum" in schema and value not in schema["enum"]:
        wrong.append(f"must be one of {', '.join(map(str, schema['enum']))}")
    if size is not None and size < schema.get(least[kind], 0):
        wrong.append(f"is shorter than {schema[least[kind]]}")
    if size is not None and size > schema.get(most[kind], size):
        wrong.append(f"is longer than {schema[most[kind]]}")
    if isinstance(value, int) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        wrong.append(f"must be from {schema.get('minimum')} to {schema.get('maximum')}")
    return wrong


def _shape(value: Any, schema: Schema) -> list[str]:
    """What the reference only names: ids, timestamps, views, prompts."""
    names = [schema.get("schema"), schema.get("subtype")]
    names += [option.get("schema") for part in schema.get("allOf", ()) for option in part.get("anyOf", ())]
    if views := set().union(*(VIEWS[name] for name in names if name in VIEWS)):
        return [] if value.get("type") in views else [f"must be a view of type {' or '.join(sorted(views))}"]
    if "prompts" in names:
        fits = all(isinstance(prompt, dict) and set(prompt) == {"title", "message"} for prompt in value)
        return [] if fits else ["must be objects with title and message"]
    patterns = [SHAPES[name] for name in names if name in SHAPES]
    if patterns and value != "" and not any(pattern.fullmatch(str(value)) for pattern in patterns):
        return [f"does not look like a {'/'.join(sorted(name for name in names if name))}: {value!r}"]
    return []
