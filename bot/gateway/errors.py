"""Errors as OpenAI's clients expect them: one JSON shape, and a table from ours to theirs.

Knows statuses, types and codes. The sentences are English, as the API's readers are programs and their authors.

ApiError
├── Unauthorized   no key, or a wrong one
├── RateLimited    too many requests or too many wrong keys (.retry_after)
└── BadRequest     this request can never be answered; `param` names the culprit
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

import structlog
from aiohttp import web

from bot.store import StoreUnavailable
from inference.chat import ChatError
from moderation import ModerationFailed, ScreenFailed
from worker.client import JobFailed, QueueBusy, QueueUnavailable

log = structlog.get_logger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

RETRY_AFTER = 5  # seconds; a restarted Redis or database is back by then, and clients do not hammer it


class ApiError(Exception):
    """An error that is ready to be told. `retry_after` is in seconds, 0: retrying does not help."""

    def __init__(
        self,
        message: str,
        *,
        status: int,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        retry_after: int = 0,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.kind = kind
        self.code = code
        self.param = param
        self.retry_after = retry_after

    def body(self) -> dict[str, Any]:
        """The JSON object, whole or as the last event of a stream that cannot go on."""
        return {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}}

    def response(self) -> web.Response:
        headers = {"Retry-After": str(self.retry_after)} if self.retry_after else {}
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return web.json_response(self.body(), status=self.status, headers=headers)


class Unauthorized(ApiError):
    def __init__(self, message: str) -> None:
        super().__init__(message, status=401, code="invalid_api_key")


class RateLimited(ApiError):
    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(
            message,
            status=429,
            kind="rate_limit",
            code="rate_limit_exceeded",
            retry_after=max(1, round(retry_after + 0.5)),
        )


class BadRequest(ApiError):
    def __init__(self, message: str, *, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message, status=400, code=code, param=param)


def unavailable(what: str, *, code: str) -> ApiError:
    """Something behind us is away; the same request will do later."""
    return ApiError(
        f"The {what} is away for the moment. Try again in {RETRY_AFTER} seconds.",
        status=503,
        kind="server_error",
        code=code,
        retry_after=RETRY_AFTER,
    )


def server_error(message: str, *, code: str | None = None) -> ApiError:
    """Our fault, and no more of it than this sentence."""
    return ApiError(message, status=500, kind="server_error", code=code)


def told(error: Exception) -> ApiError:
    """Our error in OpenAI's words; what nobody foresaw becomes a plain 500, and the log has the cause."""
    match error:
        case ApiError():
            return error
        case QueueBusy():
            return ApiError(
                f"Too many requests are waiting. Try again in {error.retry_after} seconds.",
                status=429,
                kind="rate_limit",
                code="queue_full",
                retry_after=max(1, error.retry_after),
            )
        case QueueUnavailable():
            return unavailable("queue", code="queue_unavailable")
        case StoreUnavailable():
            return unavailable("database", code="database_unavailable")
        case JobFailed():
            return _failed(error)
        case ScreenFailed() | ModerationFailed():
            log.warning("a check failed", detail=str(error), cause=repr(error.__cause__))
            return server_error("The text could not be checked, so it is not shown.", code="screen_failed")
        case ChatError():
            message = str(error)
            return BadRequest(message[:1].upper() + message[1:], code="invalid_messages", param="messages")
        case _:
            return _foreign(error)


def _failed(error: JobFailed) -> ApiError:
    if error.code == "context_too_long":
        return BadRequest(error.message, code="context_length_exceeded", param="messages")
    log.warning("a job failed", code=error.code, detail=error.message)
    if error.code == "model_not_loaded":
        return unavailable("model", code="model_not_loaded")
    return server_error("The model could not answer this request.", code="server_error")


def _foreign(error: Exception) -> ApiError:
    if isinstance(error, web.HTTPException):
        return ApiError(error.reason or "The request cannot be answered.", status=error.status)
    log.error("a request failed", exc_info=error)
    return server_error("Something went wrong on our side.", code="server_error")


def spoken(handler: Handler) -> Handler:
    """The handler, its errors told in OpenAI's shape. A client that has left is nobody to tell."""

    @wraps(handler)
    async def telling(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except ConnectionError:
            raise
        except Exception as error:
            return told(error).response()

    return telling
