"""How what happens reach the app: by HTTP with Slack's signature, or through a socket, tried again if need be.

Knows signatures, acknowledgements within seconds and the three repetitions. Leaves what is told to `payloads`.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlencode

import aiohttp

from tests.slack_double.accounts import App
from tests.slack_double.socket_mode import Sockets

Way = Literal["http", "socket", "auto"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One attempt: the status of the answer (0: none came) and its body."""

    status: int
    body: str = ""
    reason: str = ""  # as Slack says it in x-slack-retry-reason
    final: bool = False  # the app wants no other attempt (x-slack-no-retry)

    @property
    def ok(self) -> bool:
        return self.status == 200


@dataclass(kw_only=True)
class Delivery:
    """An event on its way, and every attempt to bring it."""

    payload: dict[str, Any]
    tries: list[Try] = field(default_factory=list)

    @property
    def acknowledged(self) -> int:
        return sum(attempt.ok for attempt in self.tries)

    @property
    def ok(self) -> bool:
        return self.acknowledged > 0

    @property
    def event(self) -> dict[str, Any]:
        return dict(self.payload.get("event", {}))


class Undelivered(Exception):
    """Nobody acknowledged it, however often it was tried."""


@dataclass(kw_only=True)
class Courier:
    """`url` is where HTTP goes. retry_pauses: Slack's are at once, a minute, five minutes."""

    app: App
    sockets: Sockets
    session: aiohttp.ClientSession
    url: str = ""
    way: Way = "auto"
    ack_seconds: float = 3.0
    retry_pauses: tuple[float, ...] = (0.0, 0.06, 0.3)
    deliveries: list[Delivery] = field(default_factory=list)
    echoes: list[Delivery] = field(default_factory=list)

    @property
    def somebody_listens(self) -> bool:
        return bool(self.url or self.sockets.open)

    @property
    def _by_socket(self) -> bool:
        return self.way == "socket" or (self.way == "auto" and bool(self.sockets.open or not self.url))

    async def event(self, payload: dict[str, Any], *, echo: bool = False, copies: int = 1) -> Delivery:
        """Bring an event, with repetitions until somebody acknowledges it. copies: how often it comes all the same."""
        delivery = Delivery(payload=payload)
        (self.echoes if echo else self.deliveries).append(delivery)
        for attempt, pause in enumerate((0.0, *self.retry_pauses)):
            await asyncio.sleep(pause)
            before = delivery.tries[-1].reason if delivery.tries else ""
            delivery.tries.append(await self._try(payload, attempt, before))
            if delivery.acknowledged >= copies or delivery.tries[-1].final:
                break
        if not delivery.ok and not echo:
            tried = [attempt.status or attempt.reason for attempt in delivery.tries]
            raise Undelivered(f"{payload.get('event_id')} {delivery.event.get('type')}: {tried}")
        return delivery

    async def _try(self, payload: dict[str, Any], attempt: int, reason: str) -> Try:
        if self._by_socket:
            return await self._by_envelope("events_api", payload, attempt=attempt, reason=reason)
        headers = {"Content-Type": "application/json"}
        if attempt:
            headers |= {"x-slack-retry-num": str(attempt), "x-slack-retry-reason": reason or "http_timeout"}
        return await self.post(json.dumps(payload), headers)

    async def interaction(self, payload: Mapping[str, Any], *, command: bool = False) -> Any:
        """Bring a press, a command or a form, once; what the app answers at once. Raises Undelivered."""
        if self._by_socket:
            kind = "slash_commands" if command else "interactive"
            answer = await self._by_envelope(kind, dict(payload), attempt=0, reason="")
        else:
            form = dict(payload) if command else {"payload": json.dumps(payload)}
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            answer = await self.post(urlencode(form), headers)
        if not answer.ok:
            raise Undelivered(f"{payload.get('type', 'command')}: {answer}")
        return _meant(answer.body)

    async def _by_envelope(self, kind: str, payload: dict[str, Any], *, attempt: int, reason: str) -> Try:
        try:
            answer = await self.sockets.send(
                kind, payload, seconds=self.ack_seconds, attempt=attempt, reason=reason
            )
        except TimeoutError:
            return Try(status=0, reason="timeout")
        except (ConnectionError, RuntimeError):
            return Try(status=0, reason="connection_failed")
        return Try(status=200, body=json.dumps(answer) if answer else "")

    def sign(self, body: str, *, at: float | None = None) -> dict[str, str]:
        """The headers that say that a body comes from Slack. at: when, if not now."""
        timestamp = str(int(time.time() if at is None else at))
        digest = hmac.new(
            self.app.signing_secret.encode(), f"v0:{timestamp}:{body}".encode(), hashlib.sha256
        ).hexdigest()
        return {"X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": f"v0={digest}"}

    async def post(self, body: str, headers: Mapping[str, str], *, at: float | None = None) -> Try:
        """Send a signed body to the app's URL, as it is. Headers given win over the signature's."""
        full = {
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            **self.sign(body, at=at),
            **headers,
        }
        timeout = aiohttp.ClientTimeout(total=self.ack_seconds)
        try:
            async with self.session.post(
                self.url, data=body.encode(), headers=full, timeout=timeout
            ) as answer:
                text = await answer.text()
                reason = "" if answer.status == 200 else "http_error"
                final = answer.headers.get("x-slack-no-retry") == "1"
                return Try(status=answer.status, body=text, reason=reason, final=final)
        except TimeoutError:
            return Try(status=0, reason="http_timeout")
        except aiohttp.ClientError:
            return Try(status=0, reason="connection_failed")


def _meant(body: str) -> Any:
    """An answer's JSON, or its text, or nothing."""
    try:
        return json.loads(body) if body else None
    except ValueError:
        return body
