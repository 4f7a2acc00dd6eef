"""Browsers' sessions: a bearer token for one place and person, kept as a hash, and the thumbs given through it.

Knows tokens and how long they are good. Which sites and origins may have one is the channel's business.
"""

from __future__ import annotations

import hashlib
import secrets
import time
import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, and_, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.messages import Person, Place, Session
from bot.store.database import Database
from bot.store.inbox import new_place
from bot.store.people import People
from bot.store.tables import identity, person, place, session

CHANNEL = "web"
IDLE = 30 * 24 * 3600.0  # seconds; a browser that has not come back by then is a new visitor
SEEN_EVERY = 3600.0  # seconds; using a session writes at most this often
GRACE = (
    300.0  # seconds that the old token stays good once the new one was used: other tabs, requests under way
)


@dataclass(frozen=True, slots=True)
class Sessions:
    """Speaks to the tables of sessions and feedback."""

    database: Database
    people: People

    async def open_session(self, *, site: str, origin: str, language: str, token: str) -> tuple[str, Session]:
        """A new token: for the conversation of `token` if that is good for this site and origin, else a new one.

        The old token stays good until the new one was used, and GRACE longer: a lost reply loses nobody's
        conversation. Raises StoreUnavailable.
        """
        fresh = secrets.token_urlsafe(32)
        now = time.time()
        async with self.database.write() as connection:
            row = await _find(connection, token, now)
            if row is not None and (row.site, row.origin) == (site, origin):
                await connection.execute(
                    update(session)
                    .where(session.c.id == row.id)
                    .values(
                        token_hash=hashed(fresh),
                        previous_hash=hashed(token),
                        previous_until=now + IDLE,
                        seen=now,
                    )
                )
            else:
                await self._new(connection, fresh, site=site, origin=origin, language=language, now=now)
            row = await _find(connection, fresh, now)
        assert row is not None, "written above, in the same transaction"  # noqa: S101
        return fresh, _session(row)

    async def _new(
        self,
        connection: AsyncConnection,
        token: str,
        *,
        site: str,
        origin: str,
        language: str,
        now: float,
    ) -> None:
        made = new_place(CHANNEL, uuid.uuid4().hex, site, language)
        place_id = (await connection.execute(insert(place).values(made).returning(place.c.id))).scalar_one()
        person_id = await self.people.known(
            connection, channel=CHANNEL, key=uuid.uuid4().hex, name="", language=language
        )
        row = {
            "token_hash": hashed(token),
            "previous_hash": None,
            "previous_until": 0.0,
            "place_id": place_id,
            "person_id": person_id,
            "origin": origin,
            "created": now,
            "seen": now,
        }
        await connection.execute(insert(session).values(row))

    async def session(self, token: str) -> Session | None:
        """Whose token this is, or None; using it keeps it good. Raises StoreUnavailable."""
        now = time.time()
        async with self.database.read() as connection:
            row = await _find(connection, token, now)
        if row is None:
            return None
        current = row.token_hash == hashed(token)
        retire = current and row.previous_hash is not None and row.previous_until > now + GRACE
        if retire or now - row.seen > SEEN_EVERY:
            values: dict[str, float] = {"seen": now}
            if retire:
                values["previous_until"] = now + GRACE
            async with self.database.write() as connection:
                same = and_(session.c.id == row.id, session.c.token_hash == row.token_hash)
                await connection.execute(update(session).where(same).values(values))
        return _session(row)


def hashed(token: str) -> str:
    """A token as it is kept. Tokens are 256 random bits: one round of SHA-256 is out of reach of guessing."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


async def _find(connection: AsyncConnection, token: str, now: float) -> Row[Any] | None:
    return (await connection.execute(_good(hashed(token), now))).first() if token else None


def _good(token_hash: str, now: float) -> Select[Any]:
    """The session of a token that is current, or was until lately."""
    return (
        select(
            session.c.id,
            session.c.token_hash,
            session.c.previous_hash,
            session.c.previous_until,
            session.c.place_id,
            session.c.origin,
            session.c.seen,
            place.c.key.label("place_key"),
            place.c.site,
            identity.c.key.label("person_key"),
            person.c.name,
            person.c.language,
        )
        .join(place, place.c.id == session.c.place_id)
        .join(person, person.c.id == session.c.person_id)
        .join(identity, and_(identity.c.person_id == person.c.id, identity.c.channel == CHANNEL))
        .where(
            or_(
                session.c.token_hash == token_hash,
                and_(session.c.previous_hash == token_hash, session.c.previous_until > now),
            ),
            session.c.seen > now - IDLE,
        )
    )


def _session(row: Row[Any]) -> Session:
    return Session(
        id=row.id,
        place=Place(CHANNEL, row.place_key, row.site),
        place_id=row.place_id,
        person=Person(CHANNEL, row.person_key, row.name, row.language),
        origin=row.origin,
    )
