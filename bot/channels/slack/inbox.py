"""The door for everything that Slack delivers: made safe first, acknowledged then, read later.

Knows when to acknowledge. Leaves signatures to bolt, reading to `events`, and what follows to `reader`.

2026-11: it stands in bolt's `before_authorize`, behind the check of the signature and before auth.test, and lets
nothing pass but Slack's verification of our address. Bolt acknowledges events before its listeners run, so that a crash
would lose them; and when auth.test fails it acknowledges and runs none. Here neither can happen, and no event gets a
404.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from slack_bolt.response import BoltResponse

from bot.channels.base import Desk
from bot.channels.slack.events import read
from bot.channels.slack.meanings import Event
from bot.channels.slack.places import CHANNEL, person_key
from bot.messages import Unavailable

log = structlog.get_logger(__name__)

SECRETS = frozenset({"token", "bot_access_token"})  # of a body: nobody needs them later

Next = Callable[[], Awaitable[BoltResponse | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbox:
    """One per channel. `at_once` hears of what is new and cannot wait; it must return immediately."""

    desk: Desk
    at_once: Callable[[Event], None]

    async def take(self, body: dict[str, Any], next_: Next) -> BoltResponse | None:
        """Bolt's middleware. 503: Slack brings it again."""
        if body.get("type") == "url_verification":
            return await next_()
        if body.get("type") == "app_rate_limited":
            log.warning("Slack holds events back: too many within the hour", team=body.get("team_id"))
        event = read(body)
        if event is None:
            return BoltResponse(status=200)
        try:
            new = await self._keep(event, body)
        except Unavailable as error:
            log.warning("an event could not be kept; Slack brings it again", cause=str(error))
            return BoltResponse(status=503)
        if new:
            self.at_once(event)
        return BoltResponse(status=200)

    async def _keep(self, event: Event, body: Mapping[str, Any]) -> bool:
        kept = {name: value for name, value in body.items() if name not in SECRETS}
        user = getattr(event.meaning, "user", "")  # who a deletion is about stands in no body
        person = person_key(event.team, user) if user else ""
        return await self.desk.keep(CHANNEL, key=event.key, lane=event.lane, body=kept, person=person)
