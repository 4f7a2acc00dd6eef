"""The webhook: Telegram sends what has happened to our address, and hears of success only when it is safe.

Knows HTTP, the secret that Telegram proves itself by, and when the address has to be told anew. Leaves one update to
`inbox`, and what a failure means to `backoff`.

2026-12: whether Telegram knows our secret cannot be asked for. What was told last is noted on the shelf, as a digest
that is worth nothing without the token.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from aiohttp import web
from pydantic import SecretStr

from bot.channels.base import Shelf
from bot.channels.telegram.api import Api, TelegramFailure
from bot.channels.telegram.backoff import Backoff
from bot.channels.telegram.inbox import Inbox, number
from bot.channels.telegram.parsing import HANDLED, NEWEST
from bot.channels.telegram.settings import WEBHOOK_PATH
from bot.messages import Unavailable

log = structlog.get_logger(__name__)

SECRET_HEADER: Final = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105  # the name of a header
MAX_BYTES = 1024 * 1024  # of an update; Telegram's own are smaller
CONNECTIONS = 40  # that Telegram keeps open to us at most
CHECKED = 300.0  # seconds between two looks at whether the webhook is still ours
NOTE = "webhook"  # on the shelf: a digest of what was set last


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """One per process; several share the address. `url` is ours from outside."""

    api: Api
    inbox: Inbox
    shelf: Shelf
    url: str
    token: SecretStr
    secret: SecretStr
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    backoff: Backoff = field(default_factory=lambda: Backoff(what="setWebhook"))

    def routes(self) -> Iterable[web.RouteDef]:
        return (web.post(WEBHOOK_PATH, self.delivered),)

    # -- what comes --------------------------------------------------------------------------------------------

    async def delivered(self, request: web.Request) -> web.Response:
        """POST: one update. Telegram brings again what we do not answer with 200."""
        if not self._is_telegram(request):
            return web.Response(status=401)
        try:
            update = json.loads(await _body(request))
        except (ValueError, RecursionError):
            return web.Response(status=400)
        if number(update) is None:
            return web.Response(status=400)
        try:
            await self.inbox.take(update)
        except Unavailable as error:
            log.warning("an update could not be kept; Telegram brings it again", cause=str(error))
            return web.Response(status=503)
        return web.Response(status=200)

    def _is_telegram(self, request: web.Request) -> bool:
        """Compared in the same time wherever the two differ."""
        given = request.headers.get(SECRET_HEADER, "").encode("utf-8", "surrogateescape")
        return hmac.compare_digest(given, self.secret.get_secret_value().encode())

    # -- that it comes -----------------------------------------------------------------------------------------

    async def run(self) -> None:
        """See to it that Telegram sends to us, until cancelled: another program may take the bot's messages away."""
        while True:
            try:
                await self._see_to_it()
            except TelegramFailure as failure:
                await self.sleep(self.backoff.after(failure))
            except Unavailable as error:
                log.warning("the webhook is set later", cause=str(error))
                await self.sleep(self.backoff.again())
            else:
                self.backoff.over()
                await self.sleep(CHECKED)

    async def _see_to_it(self) -> None:
        """Set the webhook, unless it is set. Raises TelegramFailure, Unavailable."""
        info = await self.api.call("getWebhookInfo")
        if not isinstance(info, Mapping):
            raise TelegramFailure("unreadable", method="getWebhookInfo")
        told = await self.shelf.get(NOTE)
        if _as_wanted(info, self.url) and told is not None and hmac.compare_digest(told, self._digest()):
            _tell_trouble(info)
            return
        await self.api.call(
            "setWebhook",
            url=self.url,
            secret_token=self.secret.get_secret_value(),
            allowed_updates=list(HANDLED),
            max_connections=CONNECTIONS,
            drop_pending_updates=False,
        )
        await self.shelf.put(NOTE, self._digest())
        log.info("Telegram sends to our webhook from now on", url=self.url)

    def _digest(self) -> str:
        key, secret = self.token.get_secret_value().encode(), self.secret.get_secret_value().encode()
        return hmac.digest(key, secret, hashlib.sha256).hex()


def _as_wanted(info: Mapping[str, Any], url: str) -> bool:
    """Whether Telegram sends there, and all that we handle and it knows of."""
    kinds = set(info.get("allowed_updates") or ())
    return info.get("url") == url and set(HANDLED) - NEWEST <= kinds <= set(HANDLED)


def _tell_trouble(info: Mapping[str, Any]) -> None:
    """What Telegram could not deliver lately, and what waits there since: the operator alone can see why."""
    lately = time.time() - float(info.get("last_error_date") or 0) < 2 * CHECKED
    if lately and info.get("pending_update_count") and info.get("last_error_message"):
        log.warning(
            "Telegram could not deliver to our webhook; it tries again",
            said=info["last_error_message"],
            waiting=info["pending_update_count"],
        )


async def _body(request: web.Request) -> bytes:
    """Raises HTTPRequestEntityTooLarge."""
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > MAX_BYTES:
            raise web.HTTPRequestEntityTooLarge(max_size=MAX_BYTES, actual_size=len(body))
    return bytes(body)
