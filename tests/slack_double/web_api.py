"""The door of the Web API: reads a request, checks it against the contract, lets faults happen, asks the method.

Knows HTTP, tokens, scopes and the order of the checks. Leaves what a method does to its code in `METHODS`.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from aiohttp import web

from tests.slack_double import chat, conversations, files, streams, surfaces  # noqa: F401 (each registers its methods)
from tests.slack_double.accounts import App
from tests.slack_double.answers import METHODS, Answer, Asked, Refused
from tests.slack_double.contract import Contract
from tests.slack_double.conversations import PREFIXES
from tests.slack_double.faults import Call, Fault, Faults
from tests.slack_double.lengths import TEXT, too_long
from tests.slack_double.rates import Rates
from tests.slack_double.state import Workspace, World

HTML = "<!DOCTYPE html>\n<html><head><title>Server Error</title></head><body><h1>Sorry!</h1></body></html>"


@dataclass(kw_only=True)
class Request:
    """A call as it was read from the wire."""

    method: str
    given: dict[str, Any]
    token: str
    json_body: bool
    basic: tuple[str, str]  # client id and secret


@dataclass(kw_only=True)
class WebApi:
    """`connect` makes the URL of a new socket; `echo` sends an event about the app's own doings."""

    world: World
    app: App
    contract: Contract
    base_url: str
    connect: Callable[[], str]
    echo: Callable[[Workspace, dict[str, Any]], None]
    rates: Rates = field(default_factory=Rates)
    faults: Faults = field(default_factory=Faults)
    calls: list[Call] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        asked = await self._read(request)
        if asked.method not in self.contract.methods:
            self._violate(asked.method, ["there is no such method"])
            return web.json_response({"ok": False, "error": "unknown_method"})
        reading = self.contract.read(
            asked.method, asked.given, json_body=asked.json_body, token=bool(asked.token)
        )
        self._violate(asked.method, reading.wrong)
        workspace = self._workspace(asked.token)
        call = Call(
            method=asked.method,
            team=workspace.team if workspace else "",
            arguments=reading.values,
            at=self.world.clock(),
        )
        fault = self.faults.for_call(call)
        if fault and (response := await self._go_wrong(request, call, fault)):
            return response
        answer, wait = self._answer(asked, workspace, reading.values, reading.wrong)
        self.calls.append(replace(call, answer=answer, status=429 if wait else 200))
        if fault and fault.lost:
            return _drop(request)
        return self._respond(answer, workspace, wait)

    async def _read(self, request: web.Request) -> Request:
        method = request.match_info["method"]
        given: dict[str, Any] = dict(request.query)
        if "token" in given or "client_secret" in given:
            self._violate(method, ["a secret stands in the URL"])
        json_body = request.content_type == "application/json"
        if json_body and request.can_read_body:
            given |= json.loads(await request.read())
        elif request.can_read_body:
            given |= dict(await request.post())
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        basic = ("", "")
        if token.startswith("Basic "):
            client_id, _, secret = base64.b64decode(token.removeprefix("Basic ")).decode().partition(":")
            basic, token = (client_id, secret), ""
        token = str(given.pop("token", "") or token)
        return Request(method=method, given=given, token=token, json_body=json_body, basic=basic)

    def _violate(self, method: str, problems: list[str]) -> None:
        self.violations += [f"{method}: {problem}" for problem in problems]

    def _workspace(self, token: str) -> Workspace | None:
        return next((w for w in self.world.workspaces.values() if token and w.bot_token == token), None)

    async def _go_wrong(self, request: web.Request, call: Call, fault: Fault) -> web.StreamResponse | None:
        """What comes instead of an answer, if anything."""
        if fault.delay:
            await asyncio.sleep(fault.delay)
        if not (fault.dropped or fault.error or fault.status or fault.retry_after is not None):
            return None
        error = fault.error or ("ratelimited" if fault.retry_after is not None else "internal_error")
        status = fault.status or (429 if fault.retry_after is not None else 200)
        answer = {"ok": False, "error": error, **fault.more}
        self.calls.append(replace(call, answer=answer, status=status, injected=True))
        if fault.dropped:
            return _drop(request)
        headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
        if fault.html:
            return web.Response(text=HTML, status=status, headers=headers, content_type="text/html")
        return web.json_response(answer, status=status, headers=headers)

    def _answer(
        self, asked: Request, workspace: Workspace | None, values: dict[str, Any], wrong: list[str]
    ) -> tuple[Answer, int]:
        """The answer, and how many seconds to wait when it came too soon."""
        try:
            if asked.method == "apps.connections.open":
                return {"ok": True, "url": self._socket(asked)}, 0
            if asked.method in ("oauth.v2.access", "api.test"):
                return {"ok": True, **self._without_token(asked, values, wrong)}, 0
            known = self._authorised(asked, workspace)
            _check(wrong)
            self._scoped(asked.method, known, values)
            channel = str(values.get("channel") or values.get("channel_id") or "")
            tier = self.contract.tier(asked.method)
            if wait := self.rates.wait(known.team, asked.method, tier, channel):
                return {"ok": False, "error": "ratelimited"}, wait
            return self._ask(asked.method, known, values), 0
        except Refused as refused:
            return {"ok": False, "error": refused.error, **refused.more}, 0

    def _socket(self, asked: Request) -> str:
        if not asked.token:
            raise Refused("not_authed")
        if asked.token != self.app.token:
            raise Refused("not_allowed_token_type" if asked.token.startswith("xoxb") else "invalid_auth")
        return self.connect()

    def _without_token(self, asked: Request, values: dict[str, Any], wrong: list[str]) -> Answer:
        _check(wrong)
        if asked.method == "api.test":
            return {"args": values}
        client_id, secret = asked.basic
        return self.app.access(
            values,
            client_id or str(values.get("client_id", "")),
            secret or str(values.get("client_secret", "")),
        )

    def _authorised(self, asked: Request, workspace: Workspace | None) -> Workspace:
        if not asked.token:
            raise Refused("not_authed")
        if workspace is None:
            raise Refused("invalid_auth")
        if workspace.dead:
            raise Refused(workspace.dead)
        return workspace

    def _scoped(self, method: str, workspace: Workspace, values: Mapping[str, Any]) -> None:
        """A method on channels needs the scope of the channel's kind; others need one of theirs."""
        needed = self.contract.scopes(method)
        channel = workspace.channels.get(str(values.get("channel") or values.get("channel_id") or ""))
        if channel is not None:
            needed = [scope for scope in needed if scope.startswith(PREFIXES[channel.kind])] or needed
        if needed and not workspace.scopes & set(needed):
            raise Refused("missing_scope", needed=needed[0], provided=",".join(sorted(workspace.scopes)))

    def _ask(self, method: str, workspace: Workspace, values: dict[str, Any]) -> Answer:
        if problem := too_long(method, values):
            raise Refused(problem)
        if method not in METHODS:
            raise Refused("unknown_method")
        asked = Asked(
            method=method, world=self.world, workspace=workspace, arguments=values, base_url=self.base_url
        )
        try:
            answer = {"ok": True, **METHODS[method](asked)}
        finally:
            self._violate(method, asked.violations)
        for where, event in asked.echoes:
            self.echo(where, event)
        if len(str(values.get("text") or "")) > TEXT:
            answer["response_metadata"] = {"warnings": ["message_truncated"]}
        return answer

    def _respond(self, answer: Answer, workspace: Workspace | None, wait: int) -> web.Response:
        headers = {"x-oauth-scopes": ",".join(sorted(workspace.scopes))} if workspace else {}
        if wait:
            return web.json_response(answer, status=429, headers={**headers, "Retry-After": str(wait)})
        return web.json_response(answer, headers=headers)


def _check(wrong: list[str]) -> None:
    if wrong:
        messages = [f"[ERROR] {problem}" for problem in wrong]
        raise Refused("invalid_arguments", response_metadata={"messages": messages})


def _drop(request: web.Request) -> web.StreamResponse:
    """Cut the connection: whoever asked never learns what became of it."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
