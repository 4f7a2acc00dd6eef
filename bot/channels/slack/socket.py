"""Socket Mode: connections that we open, by which Slack delivers what would else come by HTTP.

Knows tickets, envelopes, acknowledgements and when to connect anew. Leaves what is delivered to bolt, and so to
`inbox`.

2026-11: not slack_sdk's client. Once a connection fails it tries the same ticket for ever, though a ticket is good
once; it acknowledges nothing while it closes; and its tasks outlive it. Two connections: Slack closes each now and
then, and gives what comes meanwhile to the other.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import structlog
from pydantic import SecretStr
from slack_bolt.adapter.socket_mode.async_internals import run_async_bolt_app
from slack_bolt.async_app import AsyncApp
from slack_sdk.socket_mode.request import SocketModeRequest

log = structlog.get_logger(__name__)

CONNECTIONS = 2
HEARTBEAT = (
    10.0  # seconds between two pings of ours; a connection that is silent for half as long after one is dead
)
OPEN_SECONDS = 15.0  # for a ticket, and for the connection
CLOSE_SECONDS = 5.0
RENEWALS = frozenset({"refresh_requested", "warning"})  # why Slack closes connections now and then
FIRST, LONGEST = 1.0, 60.0  # seconds between two tries to connect, doubled each time


class NotConnected(Exception):
    """Slack gives no ticket, or no connection, or it ended; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sockets:
    """One per process."""

    app: AsyncApp
    token: SecretStr
    url: str  # of the Web API, with a slash at its end
    session: aiohttp.ClientSession
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep

    async def run(self) -> None:
        """Stay connected until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number in range(CONNECTIONS):
                group.create_task(self._stay(number), name=f"slack socket {number}")

    async def _stay(self, number: int) -> None:
        pause = FIRST
        while True:
            try:
                await self._serve()
                pause = FIRST  # Slack wanted the connection renewed
            except (NotConnected, aiohttp.ClientError, TimeoutError, OSError) as error:
                log.warning(
                    "Socket Mode is not connected", socket=number, cause=_cause(error), again_in=pause
                )
                await self.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads the tries of many
                pause = min(2 * pause, LONGEST)

    async def _serve(self) -> None:
        """One connection, until Slack wants a new one. What came by it is acknowledged before it is closed.

        Raises NotConnected when it ended for another reason.
        """
        async with (
            self.session.ws_connect(
                await self._ticket(),
                heartbeat=HEARTBEAT,
                timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_SECONDS),
            ) as socket,
            asyncio.TaskGroup() as group,
        ):
            reason = await self._heard(socket, group)
        if reason not in RENEWALS:
            raise NotConnected(reason)
        log.info("Slack wants a new connection", reason=reason)

    async def _heard(self, socket: aiohttp.ClientWebSocketResponse, group: asyncio.TaskGroup) -> str:
        """Take what comes; returns why there will be no more."""
        async for message in socket:
            envelope = _object(message.data) if message.type is aiohttp.WSMsgType.TEXT else {}
            if envelope.get("type") == "disconnect":
                return str(envelope.get("reason", "disconnect"))
            if request := SocketModeRequest.from_dict(envelope):
                group.create_task(self._deliver(socket, request))
        return "the connection broke"

    async def _deliver(self, socket: aiohttp.ClientWebSocketResponse, request: SocketModeRequest) -> None:
        """What is not acknowledged comes again."""
        try:
            response = await run_async_bolt_app(self.app, request)
            if response.status == 200:
                await socket.send_json({"envelope_id": request.envelope_id})
        except (aiohttp.ClientError, ConnectionError, RuntimeError):
            log.info("an envelope could not be acknowledged; it comes again")
        except Exception:  # one odd envelope must not take the connection with it
            log.exception("an envelope could not be read")

    async def _ticket(self) -> str:
        """An address that takes one connection, once. Raises NotConnected."""
        headers = {"Authorization": f"Bearer {self.token.get_secret_value()}"}
        timeout = aiohttp.ClientTimeout(total=OPEN_SECONDS)
        async with self.session.post(
            f"{self.url}apps.connections.open", headers=headers, timeout=timeout, allow_redirects=False
        ) as response:
            said = _object(await response.read())
            status = response.status
        if said.get("ok") is True and isinstance(said.get("url"), str):
            return str(said["url"])
        raise NotConnected(str(said.get("error") or f"http_{status}"))


def _object(text: str | bytes) -> dict[str, Any]:
    try:
        said = json.loads(text)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _cause(error: Exception) -> str:
    """An address of a connection is as good as a token: of other people's errors only the kind is told."""
    return str(error) if isinstance(error, NotConnected) else type(error).__name__
