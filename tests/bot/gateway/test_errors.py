"""The table from our errors to OpenAI's."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from bot.gateway.errors import spoken, told
from bot.store import StoreUnavailable
from inference.chat import ChatError
from moderation import ModerationFailed, ScreenFailed
from worker.client import JobFailed, QueueBusy, QueueUnavailable


@pytest.mark.parametrize(
    ("error", "status", "kind", "code", "retry_after"),
    [
        (QueueBusy(retry_after=9), 429, "rate_limit", "queue_full", 9),
        (QueueUnavailable(), 503, "server_error", "queue_unavailable", 5),
        (StoreUnavailable("disk full"), 503, "server_error", "database_unavailable", 5),
        (JobFailed("engine", "broke"), 500, "server_error", "server_error", 0),
        (JobFailed("model_not_loaded", "another"), 503, "server_error", "model_not_loaded", 5),
        (JobFailed("context_too_long", "long"), 400, "invalid_request_error", "context_length_exceeded", 0),
        (ScreenFailed("no"), 500, "server_error", "screen_failed", 0),
        (ModerationFailed("rules"), 500, "server_error", "screen_failed", 0),
        (ChatError("the JSON template says no"), 400, "invalid_request_error", "invalid_messages", 0),
        (web.HTTPExpectationFailed(), 417, "invalid_request_error", None, 0),
        (KeyError("a secret"), 500, "server_error", "server_error", 0),
    ],
)
async def test_each_error_has_its_status_and_shape(
    error: Exception, status: int, kind: str, code: str | None, retry_after: int
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        raise error

    response: Any = await spoken(handler)(make_mocked_request("GET", "/v1/models"))
    body = json.loads(response.text)["error"]
    assert response.status == status
    assert (body["type"], body["code"]) == (kind, code)
    assert body.keys() == {"message", "type", "param", "code"}
    assert response.headers.get("Retry-After", "0") == str(retry_after)
    assert "secret" not in response.text


def test_what_a_template_says_keeps_its_letters() -> None:
    assert told(ChatError("the JSON template says no")).message == "The JSON template says no"


async def test_a_client_that_left_is_nobody_to_tell() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await spoken(handler)(make_mocked_request("GET", "/v1/models"))
