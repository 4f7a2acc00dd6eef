"""What platforms deliver, kept as it came until its channel has read it: order in a lane, leases, later tries.

Knows keys, lanes and leases. What an event means is its channel's; what it said to us stands in `inbox.py`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Integer,
    Select,
    String,
    and_,
    bindparam,
    delete,
    func,
    literal_column,
    null,
    or_,
    select,
    update,
)

from bot.messages import KeptEvent
from bot.store.database import Database, due, now
from bot.store.database import insert as upsert
from bot.store.tables import UNFINISHED, event


@dataclass(frozen=True, slots=True)
class Events:
    """Speaks to the table of kept events."""

    database: Database

    async def keep(
        self, channel: str, *, key: str, lane: str, body: Mapping[str, Any], person: str = ""
    ) -> bool:
        """Keep an event; when this returns it is on disk (P1). False: its key was kept before."""
        row = {
            "channel": channel,
            "key": key,
            "person": person,
            "lane": lane,
            "body": dict(body),
            "state": "received",
            "owner": "",
            "attempt": 0,
            "failures": 0,
            "created": time.time(),
        }
        new = upsert(event, postgres=self.database.postgres).on_conflict_do_nothing().returning(event.c.id)
        async with self.database.write() as connection:
            return (await connection.execute(new, row)).first() is not None

    async def take(self, channel: str, *, owner: str, ttl: float, limit: int) -> list[KeptEvent]:
        """Lease up to `limit` events for `ttl` seconds: of each lane the oldest unfinished, if it is free and due."""
        postgres = self.database.postgres
        asked = {"the_channel": channel, "some": limit}
        async with self.database.write(durable=False) as connection:
            rows = (await connection.execute(_free(postgres=postgres), asked)).all()
            if rows:
                taken = (
                    update(event)
                    .where(event.c.id.in_([row.id for row in rows]))
                    .values(
                        state="leased",
                        owner=owner,
                        lease_until=now(postgres=postgres) + ttl,
                        attempt=event.c.attempt + 1,
                    )
                )
                await connection.execute(taken)
        return [KeptEvent(row.id, row.key, row.body or {}, row.attempt + 1, row.failures) for row in rows]

    async def hold(self, ids: Sequence[int], *, owner: str, ttl: float) -> None:
        """Hold leased events for `ttl` more seconds."""
        until = now(postgres=self.database.postgres) + ttl
        await self._change(ids, owner=owner, lease_until=until)

    async def handled(self, event_id: int, *, owner: str) -> None:
        """Its channel has read it: the body is forgotten, the key remembered."""
        await self._change([event_id], owner=owner, state="handled", body=null(), lease_until=None)

    async def postpone(self, event_id: int, *, owner: str, seconds: float) -> None:
        """It could not be read: let that be tried again after so many seconds."""
        until = now(postgres=self.database.postgres) + seconds
        await self._change(
            [event_id], owner=owner, state="received", lease_until=until, failures=event.c.failures + 1
        )

    async def put_back(self, event_id: int, *, owner: str) -> None:
        """Nobody reads it any more: let another do so at once."""
        await self._change([event_id], owner=owner, state="received", lease_until=None)

    async def give_up(self, event_id: int, *, owner: str) -> None:
        """It cannot be read: kept as it is for people to look at, and left out from now on."""
        await self._change([event_id], owner=owner, state="failed", lease_until=None)

    async def clear(self, *, handled_before: float, failed_before: float) -> int:
        """Drop events that were handled, or given up, and came before these times (UTC, seconds since 1970); returns
        how many. What they said is kept by then, or was nothing to us."""
        over = or_(
            and_(event.c.state == "handled", event.c.created < handled_before),
            and_(event.c.state == "failed", event.c.created < failed_before),
        )
        async with self.database.write(durable=False) as connection:
            return int((await connection.execute(delete(event).where(over))).rowcount)

    async def _change(self, ids: Sequence[int], *, owner: str, **values: Any) -> None:
        """Of those that are still the owner's."""
        held = and_(event.c.id.in_(ids), event.c.owner == owner, event.c.state == "leased")
        async with self.database.write(durable=False) as connection:
            await connection.execute(update(event).where(held).values(**values))


def _free(*, postgres: bool) -> Select[Any]:
    """The oldest unfinished event of each lane of a channel, where nobody holds it and it is due."""
    moment = now(postgres=postgres)
    free = due(event.c.lease_until, moment)
    older = event.alias("older")
    heads = (
        select(func.min(older.c.id))
        .where(literal_column(UNFINISHED), older.c.channel == bindparam("the_channel", type_=String()))
        .group_by(older.c.lane)
    )
    return (
        select(event.c.id, event.c.key, event.c.body, event.c.attempt, event.c.failures)
        .where(event.c.id.in_(heads), event.c.state.in_(("received", "leased")), free)
        .order_by(event.c.id)
        .limit(bindparam("some", type_=Integer()))
        .with_for_update(skip_locked=True)
    )
