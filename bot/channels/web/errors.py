"""What goes wrong at the widget's API, as the JSON that the widget understands: a code and a sentence, never a trace.

Knows codes, statuses and the catalogue. Leaves to the handlers what is wrong when.

    Problem           the channel's own refusals, by code
    NotAccepted       the house does not take the message in (bot.messages)
    Unavailable       the house is away for now (bot.messages)
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web

from bot.messages import NotAccepted, Refusal, Unavailable
from bot.notices import notice

log = structlog.get_logger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

STATUS = {
    "unreadable": 400,
    "no_session": 401,
    "foreign_origin": 403,
    "unknown_site": 404,
    "unknown_message": 404,
    "unknown_path": 404,
    "closed": 409,
    "oversized": 413,
    "empty": 422,
    "flood": 429,
    "spent": 429,
    "crowded": 429,
    "failed": 500,
    "busy": 503,
    "unavailable": 503,
}
LANGUAGE = web.RequestKey("language", str)  # the session's, once it is known
AWAY_SECONDS = 5  # until the widget tries again when the database is away
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


class Problem(Exception):
    """A request that is refused. `retry_after` in seconds, 0: trying again as it is will not help."""

    def __init__(self, code: str, *, retry_after: int = 0, **values: object) -> None:
        super().__init__(code)
        self.code = code
        self.retry_after = retry_after
        self.values = values

    def refusal(self, language: str) -> Refusal:
        """The same with its sentence."""
        sentence = notice(self.code, language, seconds=self.retry_after, **self.values)
        return Refusal(self.code, sentence, self.retry_after)


def answered(handler: Handler) -> Handler:
    """The handler with every error turned into JSON; what nobody foresaw is logged and told as our fault."""

    async def safely(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except Problem as problem:
            return _refused(problem, request)
        except NotAccepted as error:
            return _response(error.refusal, status=_status_of(error.refusal))
        except Unavailable as error:
            log.warning("the house is away", cause=str(error))
            return _refused(Problem("unavailable", retry_after=AWAY_SECONDS), request)
        except (web.HTTPException, ConnectionError):
            raise
        except Exception:
            log.exception("a widget request failed", path=request.path)
            return _refused(Problem("failed"), request)

    return safely


def spoken_language(request: web.Request) -> str:
    """The language of sentences for who asks: the session's, else the browser's first."""
    if LANGUAGE in request:
        return request[LANGUAGE]
    return "zh" if request.headers.get("Accept-Language", "").lower().startswith("zh") else "en"


def reply(value: dict[str, object], *, status: int = 200) -> web.Response:
    """A JSON answer that nobody keeps."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return web.Response(body=body, status=status, content_type="application/json", headers=HEADERS)


def _refused(problem: Problem, request: web.Request) -> web.Response:
    return _response(problem.refusal(spoken_language(request)), status=STATUS[problem.code])


def _status_of(refusal: Refusal) -> int:
    if refusal.code == "unreadable":  # here the request was well formed and its text was not
        return 422
    return STATUS.get(refusal.code, 422)


def _response(refusal: Refusal, *, status: int) -> web.Response:
    error: dict[str, object] = {"code": refusal.code, "message": refusal.sentence}
    if refusal.retry_after:
        error["retry_after"] = refusal.retry_after
    response = reply({"error": error}, status=status)
    if refusal.retry_after:
        response.headers["Retry-After"] = str(refusal.retry_after)
    return response
