"""Socket Mode: the sockets that apps open, and one envelope to one of them, until it is acknowledged.

Knows tickets, hello, acknowledgements and disconnects. Leaves when to try again to `delivery`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

MOST_SOCKETS = 10  # an app may have so many
LINGER_SECONDS = 0.5  # how long a socket may finish its business after it was told to go; Slack gives ten


@dataclass(kw_only=True)
class Sockets:
    """Every open socket of the app. Envelopes go round: each to one socket."""

    app_id: str
    base_url: str
    open: list[web.WebSocketResponse] = field(default_factory=list)
    opened: int = 0  # how many there ever were
    deaf: int = 0  # how many acknowledgements still go astray
    _tickets: set[str] = field(default_factory=set)
    _waiting: dict[str, asyncio.Future[dict[str, Any]]] = field(default_factory=dict)
    _turn: int = 0

    def connect(self) -> str:
        """A URL that opens one socket."""
        ticket = secrets.token_hex(8)
        self._tickets.add(ticket)
        return f"{self.base_url.replace('http', 'ws', 1)}/link/?ticket={ticket}&app_id={self.app_id}"

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets or len(self.open) >= MOST_SOCKETS:
            reason = "too_many_websockets" if ticket in self._tickets else "link_disabled"
            await socket.send_json({"type": "disconnect", "reason": reason})
            await socket.close()
            return socket
        self._tickets.remove(ticket)
        self.open.append(socket)
        self.opened += 1
        try:
            await socket.send_json(self._hello())
            async for received in socket:
                if received.type is WSMsgType.TEXT:
                    self._acknowledge(json.loads(received.data))
        finally:
            with contextlib.suppress(ValueError):
                self.open.remove(socket)
        return socket

    def _hello(self) -> dict[str, Any]:
        return {
            "type": "hello",
            "num_connections": len(self.open),
            "connection_info": {"app_id": self.app_id},
            "debug_info": {"host": "applink-tests", "approximate_connection_time": 18060},
        }

    def _acknowledge(self, answer: dict[str, Any]) -> None:
        if self.deaf:
            self.deaf -= 1
            return
        waiting = self._waiting.get(str(answer.get("envelope_id")))
        if waiting and not waiting.done():
            waiting.set_result(answer.get("payload") or {})

    async def send(
        self, kind: str, payload: dict[str, Any], *, seconds: float, attempt: int, reason: str
    ) -> dict[str, Any]:
        """Give an envelope to the socket whose turn it is, or to the first that opens; what it answers.

        Raises TimeoutError, ConnectionError.
        """
        async with asyncio.timeout(seconds):
            while not self.open:
                await asyncio.sleep(0.01)
        self._turn += 1
        socket = self.open[self._turn % len(self.open)]
        envelope_id = secrets.token_hex(8)
        envelope: dict[str, Any] = {
            "envelope_id": envelope_id,
            "type": kind,
            "payload": payload,
            "accepts_response_payload": kind != "events_api",
        }
        if kind == "events_api":
            envelope |= {"retry_attempt": attempt, "retry_reason": reason}
        self._waiting[envelope_id] = asyncio.get_running_loop().create_future()
        try:
            await socket.send_json(envelope)
            async with asyncio.timeout(seconds):
                return await self._waiting[envelope_id]
        finally:
            del self._waiting[envelope_id]

    async def disconnect(self, *, reason: str = "", count: int | None = None) -> None:
        """End sockets: with a reason Slack says so and then waits a little, without one they just break."""
        leaving = self.open[:count]
        for socket in leaving:
            self.open.remove(socket)
            if not reason:
                _break(socket)
                continue
            debug = {"host": "applink-tests"}
            await socket.send_json({"type": "disconnect", "reason": reason, "debug_info": debug})
        give_up = time.monotonic() + LINGER_SECONDS
        while reason and not all(socket.closed for socket in leaving) and time.monotonic() < give_up:
            await asyncio.sleep(0.01)
        for socket in leaving:
            await socket.close(code=WSCloseCode.GOING_AWAY)

    async def close(self) -> None:
        for socket in list(self.open):
            await socket.close(code=WSCloseCode.GOING_AWAY)


def _break(socket: web.WebSocketResponse) -> None:
    request = socket._req
    if request is not None and request.transport is not None:
        request.transport.abort()
