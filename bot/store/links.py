"""Who is who across channels: a token that one channel gives out makes somebody in another the same person.

Knows persons and identities. Who is told a token, and what they are asked before, is the channels' business.

A token is kept as its hash, is good once and for `GOOD_SECONDS`. Nobody comes to have two identities in one channel:
what is sent to a person there would not know which.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Table, Update, and_, delete, exists, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.messages import Person
from bot.store.database import Database
from bot.store.people import People
from bot.store.shelf import Shelf
from bot.store.tables import audit, consent, feedback, identity, message, person, session, shelf, usage

HOUSE = "house"  # whose shelf the tokens lie on
GOOD_SECONDS = 900.0
LOCK = 0x4C696E6B  # "Link": the advisory lock that whoever joins two people takes


@dataclass(frozen=True, slots=True)
class Links:
    """Speaks to the tables of people."""

    database: Database
    people: People

    async def elsewhere(self, who: Person, channels: Collection[str]) -> list[str]:
        """Those of the channels in which a person is not known yet. Raises StoreUnavailable."""
        theirs = select(identity.c.person_id).where(*_is(who))
        known = select(identity.c.channel).where(identity.c.person_id.in_(theirs))
        async with self.database.read() as connection:
            taken = set((await connection.execute(known)).scalars())
        return [channel for channel in channels if channel not in taken and channel != who.channel]

    async def invite(self, who: Person) -> str:
        """A token by which a person becomes known in another channel. Raises StoreUnavailable."""
        async with self.database.write() as connection:
            await self._known(connection, who)
        token = secrets.token_urlsafe(24)  # 32 characters: Telegram's links carry 64, its buttons 64 bytes
        value = f"{who.channel}/{who.key}"
        await Shelf(self.database, HOUSE).put(_note(token), value, seconds=GOOD_SECONDS)
        return token

    async def invited(self, token: str) -> Person | None:
        """Who got a token, while it is good. Raises StoreUnavailable."""
        value = await Shelf(self.database, HOUSE).get(_note(token))
        if value is None:
            return None
        channel, _, key = value.partition("/")
        theirs = select(person.c.name, person.c.language).join(identity, identity.c.person_id == person.c.id)
        async with self.database.read() as connection:
            found = (await connection.execute(theirs.where(*_is(Person(channel, key))))).one_or_none()
        return Person(channel, key, name=found.name, language=found.language) if found else None

    async def link(self, token: str, who: Person) -> bool:
        """Make somebody the person who got a token, which is used up; what both have said, used and rated is one's.

        False: it is not good, or they cannot be the same. Raises StoreUnavailable.
        """
        good = and_(shelf.c.channel == HOUSE, shelf.c.name == _note(token), shelf.c.until >= time.time())
        async with self.database.write() as connection:
            if self.database.postgres:  # one at a time: what is looked at here would change under two
                await connection.execute(select(func.pg_advisory_xact_lock(LOCK)))
            taken = await connection.execute(delete(shelf).where(good).returning(shelf.c.value))
            value = taken.scalar_one_or_none()
            if value is None:
                return False
            channel, _, key = value.partition("/")
            theirs = select(identity.c.person_id).where(*_is(Person(channel, key)))
            one = (await connection.execute(theirs)).scalar_one_or_none()
            other = await self._known(connection, who)
            if one is None or one == other or await _both_known_in_a_channel(connection, one, other):
                return False
            await _join(connection, one, other)
            row = {"action": "link", "subject": f"person {one}", "created": time.time()}
            await connection.execute(insert(audit).values(row | {"detail": {"channel": who.channel}}))
        return True

    async def _known(self, connection: AsyncConnection, who: Person) -> int:
        return await self.people.known(
            connection, channel=who.channel, key=who.key, name=who.name, language=who.language
        )


def _is(who: Person) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return identity.c.channel == who.channel, identity.c.key == who.key


def _note(token: str) -> str:
    return f"link/{hashlib.sha256(token.encode()).hexdigest()}"


async def _both_known_in_a_channel(connection: AsyncConnection, one: int, other: int) -> bool:
    theirs = identity.alias("theirs")
    both = select(
        exists().where(
            identity.c.person_id == one, theirs.c.person_id == other, identity.c.channel == theirs.c.channel
        )
    )
    return bool((await connection.execute(both)).scalar())


async def _join(connection: AsyncConnection, one: int, other: int) -> None:
    """What was the other's is the one's. The other's row stays, empty: an answer under way may still name it.

    The identity first: who is speaking under it holds it (see `People.known`), and is waited for.
    """
    await connection.execute(_given(identity, one, other))
    rated = feedback.alias("rated")
    twice = exists().where(rated.c.person_id == one, rated.c.message_id == feedback.c.message_id)
    await connection.execute(delete(feedback).where(feedback.c.person_id == other, twice))
    for table in (message, feedback, consent, session, usage):
        await connection.execute(_given(table, one, other))
    await connection.execute(update(person).where(person.c.id == other).values(name=""))


def _given(table: Table, one: int, other: int) -> Update:
    return update(table).where(table.c.person_id == other).values(person_id=one)
