"""The door of the Bot API: reads a request, checks it against the contract, lets faults happen, asks the method.

Knows HTTP, the token and the order of the checks. Leaves what a method does to its code in `METHODS`.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import traceback
from dataclasses import dataclass, field, replace
from typing import Any

from aiohttp import web

from tests.telegram_double import changing, contract, drafts, files, profile, sending  # noqa: F401 (they register methods)
from tests.telegram_double.answers import METHODS, Asked, Refused
from tests.telegram_double.faults import Call, Fault, Faults
from tests.telegram_double.rates import Rates
from tests.telegram_double.settings import Settings
from tests.telegram_double.state import World
from tests.telegram_double.updates import Updates

HTML = (
    "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body><center>nginx</center></body>\r\n</html>"
)
WORDS = {
    400: "Bad Request: it went wrong on purpose",
    401: "Unauthorized",
    403: "Forbidden: bot was blocked by the user",
    404: "Not Found: method not found",
    409: "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
    429: "Too Many Requests: retry after 1",
    500: "Internal Server Error",
    502: "Bad Gateway",
}
Files = dict[str, tuple[str, bytes]]


@dataclass(kw_only=True)
class BotApi:
    """`calls`: everything that was asked but polls, which are many, in the order of the answers."""

    token: str
    world: World
    settings: Settings
    updates: Updates
    rates: Rates = field(default_factory=Rates)
    faults: Faults = field(default_factory=Faults)
    calls: list[Call] = field(default_factory=list)
    polled: list[Call] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    revoked: bool = False

    async def handle(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._handle(request)
        except (ConnectionError, web.RequestPayloadError):
            return _drop(request)  # whoever asked went away before the end of the question
        except Exception:
            self.problems.append(f"the double itself broke:\n{traceback.format_exc()}")
            return _respond(_no("Internal Server Error", 500), 500)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        method = contract.NAMES.get(request.match_info["method"].lower(), request.match_info["method"])
        given, parts, typed = await _read(request)
        at = self.world.clock()
        if method == "getUpdates":
            self.updates.polls.append(at)
        if request.match_info["token"] != self.token or self.revoked:
            return _respond(_no("Unauthorized", 401), 401)
        if method not in contract.MODELS:
            return self._unknown(Call(method=method, arguments=given, at=at))
        reading = contract.read(method, given, typed=typed)
        self.problems += [f"{method}: {problem}" for problem in reading.wrong]
        call = Call(method=method, arguments=reading.values, at=at)
        fault = self.faults.for_call(call)
        if fault and (response := await self._go_wrong(request, call, fault)):
            return response
        answer, status = await self._answer(call, parts, reading.wrong)
        self._note(replace(call, answer=answer, status=status))
        return _drop(request) if fault and fault.lost else _respond(answer, status)

    def _unknown(self, call: Call) -> web.Response:
        self.problems.append(f"there is no method {call.method}")
        answer = _no("Not Found: method not found", 404)
        self._note(replace(call, answer=answer, status=404))
        return _respond(answer, 404)

    def _note(self, call: Call) -> None:
        (self.polled if call.method == "getUpdates" else self.calls).append(call)

    async def _go_wrong(self, request: web.Request, call: Call, fault: Fault) -> web.StreamResponse | None:
        """What comes instead of an answer, if anything."""
        if fault.hang:
            await asyncio.sleep(fault.hang)
        if not (fault.dropped or fault.status):
            return None
        parameters = dict(fault.parameters)
        words = fault.description or WORDS.get(fault.status, "Internal Server Error")
        if fault.retry_after is not None:
            parameters["retry_after"] = fault.retry_after
            words = fault.description or f"Too Many Requests: retry after {fault.retry_after}"
        if fault.dropped:
            self._note(replace(call, status=0, injected=True))
            return _drop(request)
        answer = _no(words, fault.status, **parameters)
        self._note(replace(call, answer=answer, status=fault.status, injected=True))
        if fault.html:
            return web.Response(text=HTML, status=fault.status, content_type="text/html")
        return _respond(answer, fault.status)

    async def _answer(self, call: Call, parts: Files, wrong: list[str]) -> tuple[dict[str, Any], int]:
        """The answer and its status."""
        asked = Asked(
            method=call.method,
            world=self.world,
            settings=self.settings,
            updates=self.updates,
            rates=self.rates,
            arguments=dict(call.arguments),
            files=parts,
        )
        try:
            self._check(asked, wrong)
            result = self._code(call.method)(asked)
            if inspect.isawaitable(result):
                result = await result
        except Refused as refused:
            return _no(refused.description, refused.status, **refused.parameters), refused.status
        finally:
            self.problems += [f"{call.method}: {problem}" for problem in asked.problems]
        return {"ok": True, "result": result}, 200

    def _code(self, method: str) -> Any:
        if method not in METHODS:
            self.problems.append(f"the double does not play {method}")
            raise Refused(f"Bad Request: the double does not play {method}")
        return METHODS[method]

    def _check(self, asked: Asked, wrong: list[str]) -> None:
        if wrong:
            raise Refused(f"Bad Request: {wrong[0]}")
        chat = asked.get("chat_id", 0)
        wait = self.rates.wait(asked.method, chat if isinstance(chat, int) else 0)
        if wait:
            raise Refused(f"Too Many Requests: retry after {wait}", status=429, retry_after=wait)


async def _read(request: web.Request) -> tuple[dict[str, Any], Files, bool]:
    """The parameters, the files, and whether the parameters have types of their own."""
    given: dict[str, Any] = dict(request.query)
    parts: Files = {}
    if request.content_type == "application/json":
        body = await request.read()
        return given | (json.loads(body) if body else {}), parts, True
    for name, value in (await request.post()).items():
        if isinstance(value, web.FileField):
            parts[name] = (value.filename, value.file.read())
            given.setdefault(name, f"attach://{name}")
        else:
            given[name] = value
    return {name: value for name, value in given.items() if name not in _attached(given)}, parts, False


def _attached(given: dict[str, Any]) -> set[str]:
    """The parts that are no parameters: another parameter names them."""
    return {
        str(value).removeprefix("attach://")
        for name, value in given.items()
        if str(value).startswith("attach://") and str(value) != f"attach://{name}"
    }


def _no(description: str, status: int, **parameters: Any) -> dict[str, Any]:
    told = {"ok": False, "error_code": status, "description": description}
    return told | ({"parameters": parameters} if parameters else {})


def _respond(answer: dict[str, Any], status: int) -> web.Response:
    wait = answer.get("parameters", {}).get("retry_after")
    return web.json_response(answer, status=status, headers={"Retry-After": str(wait)} if wait else {})


def _drop(request: web.Request) -> web.StreamResponse:
    """Cut the connection: whoever asked never learns what became of it."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
