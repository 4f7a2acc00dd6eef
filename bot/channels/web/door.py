"""Who is at the door: the address, the origin, the session, and how often each may come.

Knows HTTP requests. Leaves what they ask for to `api` and `stream`.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from aiohttp import web

from bot.channels.base import Desk
from bot.channels.web.errors import LANGUAGE, Problem
from bot.limits import Limiter
from bot.messages import MAX_CHARS, Session
from bot.peer import address

BODY = 64 * 1024  # bytes; a message of 8,000 characters needs at most 48 kB as escaped JSON
BODY_SECONDS = 10.0  # for the body to arrive; a slow sender holds no handler for longer
TOKEN = 256  # characters; ours are far shorter


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How often; an address may be a whole office behind one router."""

    requests: Limiter = field(
        default_factory=lambda: Limiter(rate=20.0, burst=200)
    )  # by address, before anything is looked up
    sessions: Limiter = field(default_factory=lambda: Limiter(rate=0.2, burst=20))  # by address
    messages: Limiter = field(
        default_factory=lambda: Limiter(rate=0.5, burst=5)
    )  # by session: faster than anyone types
    messages_at: Limiter = field(default_factory=lambda: Limiter(rate=2.0, burst=30))  # by address
    connects: Limiter = field(
        default_factory=lambda: Limiter(rate=0.5, burst=10)
    )  # event streams by session: reloads and tabs


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """One per process."""

    desk: Desk
    public_url: str = ""
    trusted_proxies: int = 0
    limits: Limits = field(default_factory=Limits)

    def enter(self, request: web.Request) -> str:
        """The address of who asks, let in. Raises Problem for a foreign page and for a flood."""
        origin = request.headers.get("Origin")
        if origin is not None and not self.is_own(origin, request):
            raise Problem("foreign_origin")
        asking = address(request, trusted_proxies=self.trusted_proxies)
        take(self.limits.requests, asking)
        return asking

    async def session(self, request: web.Request) -> Session:
        """Whose session the request belongs to. Raises Problem without a good token."""
        session = await self.desk.session(token) if (token := bearer(request)) else None
        if session is None:
            raise Problem("no_session")
        request[LANGUAGE] = session.person.language
        return session

    def is_own(self, origin: str, request: web.Request) -> bool:
        """Whether an origin is this server's: as the operator named it, or as the browser reached it.

        The scheme is left aside for the latter: a proxy in front may speak https for us.
        """
        if self.public_url and origin == _origin_of(self.public_url):
            return True
        # Not request.host: without the header it asks the name service, and everybody waits.
        host = request.headers.get("Host", "").lower()
        return bool(host) and origin.lower() in (f"http://{host}", f"https://{host}")


def take(limiter: Limiter, key: str) -> None:
    """Take one of the key's turns. Raises Problem("flood") when there is none left."""
    if wait := limiter.take(key):
        raise Problem("flood", retry_after=math.ceil(wait))


def bearer(request: web.Request) -> str:
    """The token that the request carries, or ""."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    token = token.strip()
    good = scheme.lower() == "bearer" and len(token) <= TOKEN and token.isascii() and token.isprintable()
    return token if good else ""


async def body(request: web.Request) -> Mapping[str, object]:
    """The JSON object that was sent. Raises Problem for more than BODY bytes and for anything else."""
    if (request.content_length or 0) > BODY:
        raise Problem("oversized", limit=MAX_CHARS)
    received = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.content.iter_any():
                received += chunk
                if len(received) > BODY:
                    raise Problem("oversized", limit=MAX_CHARS)
        value = json.loads(bytes(received))
    except (ValueError, RecursionError, TimeoutError, web.RequestPayloadError):
        raise Problem("unreadable") from None
    if not isinstance(value, dict):
        raise Problem("unreadable")
    return value


def _origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()  # as browsers write it
