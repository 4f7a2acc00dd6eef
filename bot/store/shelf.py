"""The shelves: what each channel keeps for itself, by name, for a time or for good.

Knows names and times. What lies there, and whether it is encrypted, is the channel's.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, delete, or_, select

from bot.store.database import Database, due, now
from bot.store.database import insert as upsert
from bot.store.tables import shelf


@dataclass(frozen=True, slots=True)
class Shelf:
    """One channel's. Every verb raises StoreUnavailable while the database is away."""

    database: Database
    channel: str

    async def get(self, name: str) -> str | None:
        """What was put there, or None; nothing is found after its time."""
        async with self.database.read() as connection:
            found = await connection.execute(select(shelf.c.value).where(self._good(name)))
            return found.scalar_one_or_none()

    async def put(self, name: str, value: str, *, seconds: float | None = None) -> None:
        """Keep a value in the place of an older one, for so many seconds (None: for good). What is over goes."""
        moment = time.time()
        until = None if seconds is None else moment + seconds
        row = {"channel": self.channel, "name": name, "value": value, "until": until, "created": moment}
        new = upsert(shelf, postgres=self.database.postgres)
        put = new.on_conflict_do_update(
            index_elements=["channel", "name"],
            set_={each: new.excluded[each] for each in ("value", "until", "created")},
        )
        over = and_(shelf.c.channel == self.channel, shelf.c.until < now(postgres=self.database.postgres))
        async with self.database.write() as connection:
            await connection.execute(delete(shelf).where(over))
            await connection.execute(put, row)

    async def take(self, name: str) -> str | None:
        """What was put there, which is gone afterwards: of several takers one gets it."""
        async with self.database.write() as connection:
            taken = await connection.execute(delete(shelf).where(self._good(name)).returning(shelf.c.value))
            return taken.scalar_one_or_none()

    async def drop(self, name: str) -> None:
        """Forget it, if it is there."""
        async with self.database.write() as connection:
            await connection.execute(
                delete(shelf).where(shelf.c.channel == self.channel, shelf.c.name == name)
            )

    async def claim(self, name: str, owner: str, *, seconds: float) -> bool:
        """Hold a name for so many seconds, or for longer when the owner holds it already. False: another owner does.

        By the clock that leases go by: the server's where several processes share one.
        """
        moment = now(postgres=self.database.postgres)
        row = {"channel": self.channel, "name": name, "value": owner, "until": moment + seconds}
        new = upsert(shelf, postgres=self.database.postgres).values(row | {"created": time.time()})
        free = or_(shelf.c.value == owner, due(shelf.c.until, moment, longest=2 * seconds))
        held = new.on_conflict_do_update(
            index_elements=["channel", "name"],
            set_={each: new.excluded[each] for each in ("value", "until", "created")},
            where=free,
        )
        async with self.database.write(durable=False) as connection:
            return (await connection.execute(held.returning(shelf.c.id))).first() is not None

    async def release(self, name: str, owner: str) -> None:
        """Give a name back that the owner holds."""
        theirs = and_(shelf.c.channel == self.channel, shelf.c.name == name, shelf.c.value == owner)
        async with self.database.write(durable=False) as connection:
            await connection.execute(delete(shelf).where(theirs))

    async def names(self, prefix: str = "") -> list[str]:
        """What there is, in order."""
        theirs = select(shelf.c.name).where(
            shelf.c.channel == self.channel, shelf.c.name.startswith(prefix, autoescape=True), _in_time()
        )
        async with self.database.read() as connection:
            return sorted((await connection.execute(theirs)).scalars())

    def _good(self, name: str) -> ColumnElement[bool]:
        return and_(shelf.c.channel == self.channel, shelf.c.name == name, _in_time())


def _in_time() -> ColumnElement[bool]:
    return or_(shelf.c.until.is_(None), shelf.c.until >= time.time())
