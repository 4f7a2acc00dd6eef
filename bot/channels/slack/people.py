"""Who speaks: a person's name and language as Slack knows them, asked once in a while.

Knows users.info. A person about whom Slack says nothing in time speaks English and has no name: a question never waits
for that.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import structlog

from bot.channels.slack.api import Api, SlackFailure
from bot.channels.slack.places import CHANNEL, person_key
from bot.messages import Person

log = structlog.get_logger(__name__)

KEPT = 5_000  # people
FRESH = 3_600.0  # seconds; whoever changes their language is answered in it within the hour
UNKNOWN = 60.0  # seconds until Slack is asked again about somebody it said nothing about
WITHIN = 3.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """One per channel."""

    api: Api
    clock: Callable[[], float] = time.monotonic
    _known: OrderedDict[str, tuple[float, Person]] = field(default_factory=OrderedDict)
    _homes: dict[str, str] = field(default_factory=dict)
    _turns: dict[str, asyncio.Lock] = field(default_factory=dict)

    async def person(self, team: str, user: str) -> Person:
        """Who a user is."""
        key = person_key(team, user)
        turn = self._turns.setdefault(key, asyncio.Lock())
        async with turn:  # many messages of one person at once ask once
            until, person = self._known.get(key, (0.0, None))
            if person is None or until <= self.clock():
                person, fresh = await self._asked(team, user)
                self._known[key] = (self.clock() + fresh, person)
        self._turns.pop(key, None)
        self._known.move_to_end(key)
        while len(self._known) > KEPT:
            over, _ = self._known.popitem(last=False)
            self._homes.pop(over, None)
        return person

    async def home(self, team: str, user: str) -> str:
        """The team that a user belongs to: in a channel shared with another workspace that may be theirs, not ours."""
        await self.person(team, user)
        return self._homes.get(person_key(team, user), team)

    async def names(self, team: str, users: Iterable[str]) -> Mapping[str, str]:
        """The names of those that have one, by id."""
        named = {user: (await self.person(team, user)).name for user in sorted(set(users))}
        return {user: name for user, name in named.items() if name}

    async def _asked(self, team: str, user: str) -> tuple[Person, float]:
        """Who it is, and for how many seconds to believe it."""
        key = person_key(team, user)
        try:
            async with asyncio.timeout(WITHIN):
                said = await self.api.call(
                    team, "users.info", patience=WITHIN, user=user, include_locale=True
                )
        except (SlackFailure, TimeoutError) as error:
            log.info("Slack does not say who it is", user=user, cause=str(error) or "timeout")
            return Person(CHANNEL, key), UNKNOWN
        about = said.get("user") or {}
        profile = about.get("profile") or {}
        if home := about.get("team_id"):
            self._homes[key] = str(home)
        name = profile.get("display_name") or about.get("real_name") or about.get("name") or ""
        return Person(CHANNEL, key, name=str(name), language=str(about.get("locale") or "en")), FRESH
