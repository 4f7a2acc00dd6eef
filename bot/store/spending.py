"""What a person and a place have had lately: how fast messages came, and how many tokens went by.

Counts only. How much that may be stands in `bot/allowance.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, select

from bot.store.database import Database
from bot.store.tables import identity, message, place, usage


@dataclass(frozen=True, slots=True)
class Spent:
    """`person_at`, `place_at`: when the message came that counts as the first of the last n (UTC, seconds since 1970),
    None where there were fewer."""

    person_at: float | None = None
    place_at: float | None = None
    person_tokens: int = 0
    place_tokens: int = 0


_PERSON = (
    select(identity.c.person_id)
    .where(identity.c.channel == bindparam("channel"), identity.c.key == bindparam("person"))
    .scalar_subquery()
)
_PLACE = (
    select(place.c.id)
    .where(place.c.channel == bindparam("channel"), place.c.key == bindparam("place"))
    .scalar_subquery()
)
_THEIRS = message.c.person_id == _PERSON
_THERE = and_(message.c.place_id == _PLACE, message.c.author == "person")


@dataclass(frozen=True, slots=True)
class Spending:
    """Speaks to the tables of messages and usage."""

    database: Database

    async def spent(
        self,
        channel: str,
        person: str,
        place: str,
        *,
        last: tuple[int, int],
        tokens: tuple[bool, bool],
        since: float,
    ) -> Spent:
        """When the n-th last message of the person, and in the place, came (`last`: the two n; 0: nobody asks), and the
        tokens of both since a moment, where somebody asks. Raises StoreUnavailable."""
        who = {"channel": channel, "person": person, "place": place, "since": since}
        times: list[float | None] = []
        totals: list[int] = []
        async with self.database.read() as connection:
            for number, theirs, newest in zip(
                last, (_THEIRS, _THERE), (message.c.id, message.c.born), strict=True
            ):
                found = None
                if number:
                    found = (
                        await connection.execute(_nth(theirs, newest), who | {"before": number - 1})
                    ).scalar()
                times.append(found)
            for asked, column, whose in zip(
                tokens, (usage.c.person_id, usage.c.place_id), (_PERSON, _PLACE), strict=True
            ):
                total = 0
                if asked:
                    total = int((await connection.execute(_total(column == whose), who)).scalar_one())
                totals.append(total)
        return Spent(times[0], times[1], totals[0], totals[1])


def _nth(theirs: ColumnElement[bool], newest: ColumnElement[int]) -> Select[Any]:
    return (
        select(message.c.created).where(theirs).order_by(newest.desc()).offset(bindparam("before")).limit(1)
    )


def _total(theirs: ColumnElement[bool]) -> Select[Any]:
    spent = func.coalesce(func.sum(usage.c.prompt_tokens + usage.c.completion_tokens), 0)
    return select(spent).where(theirs, usage.c.created >= bindparam("since"))
