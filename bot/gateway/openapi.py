"""GET /v1/openapi.json: the API described for programs, its requests by the very models that read them.

Knows OpenAPI's form. What an answer looks like is written down once more here; a test that sends what the document
allows, and compares what comes back, holds the two together.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from typing import Any

from aiohttp import web
from pydantic import BaseModel

from bot.gateway import moderations, requests

REF = "#/components/schemas/{model}"
TEXT, WHOLE, NUMBER, YES_OR_NO = (
    {"type": "string"},
    {"type": "integer"},
    {"type": "number"},
    {"type": "boolean"},
)

# Statuses that the document tells of, and what each means.
REFUSALS: Mapping[str, str] = {
    "400": "The request can never be answered; `param` names the culprit.",
    "401": "No key, or a wrong one.",
    "404": "There is no such model.",
    "405": "Another method is meant for this address.",
    "408": "The body took too long to arrive.",
    "413": "The body is too large.",
    "429": "Too much at once; Retry-After says when to come again.",
    "500": "Something went wrong on our side, or a check failed.",
    "503": "The queue, the database or the model is away for the moment.",
}


async def document(request: web.Request) -> web.StreamResponse:
    """The description; who may ask for answers is another matter."""
    return web.Response(body=_written(), content_type="application/json")


@cache
def _written() -> bytes:
    """Once: making it takes 10 ms of everybody's time, and whoever asks needs no key."""
    return json.dumps(described()).encode()


def described() -> dict[str, Any]:
    """The OpenAPI document, 3.1."""
    schemas: dict[str, Any] = dict(_ANSWERS)
    asked = {
        name: _schema(name, model, schemas)
        for name, model in (
            ("CompletionRequest", requests.Body),
            ("ModerationRequest", moderations.Body),
        )
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Frontdesk",
            "version": version("frontdesk"),
            "description": "OpenAI's API, as far as CTranslate2 goes: what it cannot do is refused by name.",
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "paths": {
            "/v1/chat/completions": {
                "post": {
                    "operationId": "createChatCompletion",
                    "summary": "An answer to a conversation, whole or as a stream.",
                    "requestBody": _body(asked["CompletionRequest"]),
                    "responses": {
                        "200": {
                            "description": "The answer; with `stream` as events, each a chunk, the last [DONE].",
                            "content": {
                                "application/json": {"schema": _ref("Completion")},
                                "text/event-stream": {"schema": _object({"data": TEXT})},
                            },
                        },
                        **_refused("400", "401", "404", "408", "413", "429", "500", "503"),
                    },
                }
            },
            "/v1/models": {
                "get": {
                    "operationId": "listModels",
                    "summary": "What may be asked for, and what else lies in the library.",
                    "responses": {"200": _told("The models.", "ModelList"), **_refused("401", "429", "503")},
                }
            },
            "/v1/models/{model}": {
                "get": {
                    "operationId": "retrieveModel",
                    "summary": "One model.",
                    "parameters": [{"name": "model", "in": "path", "required": True, "schema": TEXT}],
                    "responses": {
                        "200": _told("The model.", "Model"),
                        **_refused("401", "404", "429", "503"),
                    },
                }
            },
            "/v1/moderations": {
                "post": {
                    "operationId": "createModeration",
                    "summary": "What the policy finds in texts, and would do about them.",
                    "requestBody": _body(asked["ModerationRequest"]),
                    "responses": {
                        "200": _told("A result for each text.", "Moderation"),
                        **_refused("400", "401", "408", "413", "429", "500", "503"),
                    },
                }
            },
        },
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Made with `frontdesk keys create`; from this computer none is asked for while "
                    "neither an operator key nor a public address is set.",
                }
            },
        },
    }


def _schema(name: str, model: type[BaseModel], schemas: dict[str, Any]) -> dict[str, Any]:
    """Where a request's schema stands, with those that it is made of."""
    made = model.model_json_schema(ref_template=REF)
    schemas.update(made.pop("$defs", {}))
    schemas[name] = made | {"title": name}
    return _ref(name)


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": REF.format(model=name)}


def _body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _told(description: str, name: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": _ref(name)}}}


def _refused(*statuses: str) -> dict[str, Any]:
    return {status: _told(REFUSALS[status], "Error") for status in statuses}


def _object(properties: dict[str, Any], *optional: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
    }


def _array(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _or_null(kind: str) -> dict[str, Any]:
    return {"type": [kind, "null"]}


def _by_name(values: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": values}


_MESSAGE = _object({"role": {"const": "assistant"}, "content": TEXT, "refusal": _or_null("string")})
_CHOICE = _object(
    {
        "index": WHOLE,
        "message": _MESSAGE,
        "logprobs": {"type": "null"},
        "finish_reason": {"enum": ["stop", "length", "content_filter"]},
    }
)
_USAGE = _object({"prompt_tokens": WHOLE, "completion_tokens": WHOLE, "total_tokens": WHOLE})
_RESULT = _object(
    {
        "flagged": YES_OR_NO,
        "action": {"enum": ["allow", "review", "redact", "block"]},
        "categories": _by_name(YES_OR_NO),
        "category_scores": _by_name(NUMBER),
        "category_applied_input_types": _by_name(_array(TEXT)),
        "overall": _or_null("number"),
        "language": TEXT,
    }
)
_ANSWERS: Mapping[str, Any] = {
    "Completion": _object(
        {
            "id": TEXT,
            "object": {"const": "chat.completion"},
            "created": WHOLE,
            "model": TEXT,
            "choices": _array(_CHOICE),
            "usage": _USAGE,
        }
    ),
    "Model": _object(
        {
            "id": TEXT,
            "object": {"const": "model"},
            "created": WHOLE,
            "owned_by": TEXT,
            "max_model_len": WHOLE,
            "loaded": YES_OR_NO,
            "root": TEXT,
        },
        "root",
    ),
    "ModelList": _object({"object": {"const": "list"}, "data": _array(_ref("Model"))}),
    "Moderation": _object({"id": TEXT, "model": TEXT, "results": _array(_RESULT)}),
    "Error": _object(
        {
            "error": _object(
                {"message": TEXT, "type": TEXT, "param": _or_null("string"), "code": _or_null("string")}
            )
        }
    ),
}
