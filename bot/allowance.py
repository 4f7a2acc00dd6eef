"""How much one person may ask, and everybody together in one place: messages a minute, tokens a day.

Knows numbers and the day, which begins at midnight UTC. What was spent is the store's; a flood of requests from one
address is stopped before, at the channel's door.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bot.messages import Incoming, NotAccepted, Person, Place, Refusal
from bot.notices import notice
from bot.store import Store

MINUTE = 60.0
DAY = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """0: as much as they like."""

    messages: int = 0  # a minute
    tokens: int = 0  # a day, prompts and answers together


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """One per process; it counts in SQL, so that several processes count together."""

    store: Store
    person: Limit = field(default_factory=Limit)
    place: Limit = field(default_factory=Limit)
    clock: Callable[[], float] = time.time

    async def check(self, incoming: Incoming) -> None:
        """Raises NotAccepted when it is too much: now, or for today."""
        if refusal := await self.refusal(incoming.place, incoming.person, key=incoming.key):
            raise NotAccepted(refusal)

    async def refusal(self, place: Place, person: Person, *, key: str) -> Refusal | None:
        """Why somebody may not ask more in a place, or None. What came in before under its key is no more."""
        if not any((self.person.messages, self.person.tokens, self.place.messages, self.place.tokens)):
            return None
        now = self.clock()
        spent = await self.store.spent(
            place.channel,
            person.key,
            place.key,
            last=(self.person.messages, self.place.messages),
            tokens=(bool(self.person.tokens), bool(self.place.tokens)),
            since=now - now % DAY,
        )
        refusal = self._refusal(
            person.language,
            waits=[
                at + MINUTE - now
                for at in (spent.person_at, spent.place_at)
                if at is not None and at <= now < at + MINUTE
            ],
            used_up=(
                0 < self.person.tokens <= spent.person_tokens or 0 < self.place.tokens <= spent.place_tokens
            ),
            day_ends=DAY - now % DAY,
        )
        return refusal if refusal and not await self.store.seen(place.channel, key) else None

    def _refusal(
        self, language: str, *, waits: list[float], used_up: bool, day_ends: float
    ) -> Refusal | None:
        if used_up:
            hours = math.ceil(day_ends / 3600)
            return Refusal("spent", notice("spent", language, hours=hours), retry_after=math.ceil(day_ends))
        if waits:
            seconds = max(1, math.ceil(max(waits)))
            return Refusal("flood", notice("flood", language, seconds=seconds), retry_after=seconds)
        return None

    async def today(self, channel: str, person: str, *, language: str) -> str:
        """What a person has used today, and of how much, as a sentence. Raises StoreUnavailable."""
        now = self.clock()
        spent = await self.store.spent(
            channel, person, "", last=(0, 0), tokens=(True, False), since=now - now % DAY
        )
        used, limit = f"{spent.person_tokens:,}", f"{self.person.tokens:,}"
        if not self.person.tokens:
            return notice("usage", language, used=used)
        return notice("usage_of", language, used=used, limit=limit, hours=math.ceil((DAY - now % DAY) / 3600))
