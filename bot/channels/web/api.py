"""The widget's requests: open a session, send a message, stop, rate an answer. Each handler top to bottom.

Knows the API's shape. Leaves messages to the desk and what happens next to the event stream.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from bot.channels.base import Desk
from bot.channels.web.door import Door, bearer, body, take
from bot.channels.web.errors import LANGUAGE, Problem, reply
from bot.messages import Incoming
from bot.personas import Site

KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
TAG = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}")
COMMANDS = ("/help", "/stop", "/reset", "/model", "/forget")
LARGEST_ID = 2**53 - 1  # of a message, as a browser can hold it


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """One per process."""

    desk: Desk
    door: Door

    async def session(self, request: web.Request) -> web.StreamResponse:
        """POST: a session for a site, as embedded in the page of an origin; an old token keeps its conversation."""
        address, old = self.door.enter(request), bearer(request)
        asked = await body(request)
        language = request[LANGUAGE] = _language(asked)
        found = self.desk.site(_text(asked, "site"))
        if found is None:
            raise Problem("unknown_site")
        site, persona = found
        origin = _text(asked, "origin").lower()
        if not self._may_embed(site, origin, request):
            raise Problem("foreign_origin")
        if not old or await self.desk.session(old) is None:  # a page that is only reloaded costs nothing
            take(self.door.limits.sessions, address)
        token, session = await self.desk.open_session(
            site=_text(asked, "site"), origin=origin, language=language, token=old
        )
        return reply(
            {
                "token": token,
                "place": session.place_id,  # tabs that share it share a stream
                "title": site.title.of(language),
                "greeting": persona.greeting.of(language),
                "suggestions": list(persona.suggestions.of(language)),
                "language": language,
                "commands": list(COMMANDS),
            }
        )

    async def messages(self, request: web.Request) -> web.StreamResponse:
        """POST: what a person says; 202 once it is safe. The same key again changes nothing."""
        address = self.door.enter(request)
        session = await self.door.session(request)
        take(self.door.limits.messages, str(session.id))
        take(self.door.limits.messages_at, address)
        key = request.headers.get("Idempotency-Key", "")
        if not KEY.fullmatch(key):
            raise Problem("unreadable")
        incoming = Incoming(
            key=f"{session.place.key}:{key}",  # by place: nobody can use up another's keys
            place=session.place,
            person=session.person,
            text=_text(await body(request), "text"),
        )
        # Shielded: a tab that closes midway must not leave a command kept but not obeyed.
        receipt = await asyncio.shield(self.desk.receive(incoming))
        return reply({"message": receipt.message_id, "duplicate": receipt.duplicate}, status=202)

    async def stop(self, request: web.Request) -> web.StreamResponse:
        """POST: stop what is being answered."""
        self.door.enter(request)
        session = await self.door.session(request)
        stopped = await asyncio.shield(self.desk.stop(session.place_id))
        return reply({"stopped": stopped})

    async def feedback(self, request: web.Request) -> web.StreamResponse:
        """POST: a thumb up (1) or down (-1) for an answer."""
        self.door.enter(request)
        session = await self.door.session(request)
        asked = await body(request)
        message, value = asked.get("message"), asked.get("value")
        if type(message) is not int or type(value) is not int or value not in (1, -1):
            raise Problem("unreadable")
        known = 0 < message <= LARGEST_ID and await self.desk.rate(
            session.place, session.person, message_id=message, value=value
        )
        if not known:
            raise Problem("unknown_message")
        return reply({"message": message, "value": value})

    async def elsewhere(self, request: web.Request) -> web.StreamResponse:
        """Anything else under the API's address."""
        self.door.enter(request)
        raise Problem("unknown_path")

    def _may_embed(self, site: Site, origin: str, request: web.Request) -> bool:
        return origin in {allowed.lower() for allowed in site.origins} or self.door.is_own(origin, request)


def _language(asked: Mapping[str, object]) -> str:
    given = asked.get("language")
    return given if isinstance(given, str) and TAG.fullmatch(given) else "en"


def _text(asked: Mapping[str, object], name: str) -> str:
    value = asked.get(name)
    if not isinstance(value, str):
        raise Problem("unreadable")
    return value
