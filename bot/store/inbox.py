"""What came in and whose it is to answer: deduplication, the order of a place, leases.

Knows keys, states and leases. What becomes of an answer stands in `answers.py`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Double,
    Integer,
    Row,
    Select,
    and_,
    bindparam,
    func,
    literal_column,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.messages import Attachment, Place
from bot.store.answers import SAY, Answers, holds
from bot.store.clock import parts, storable, text_of, tick
from bot.store.database import Database, due, now
from bot.store.database import insert as upsert
from bot.store.errors import LeaseLost
from bot.store.people import People
from bot.store.tables import UNFINISHED, identity, inbox, message, place
from bot.store.values import Accepted, Lease, LeasedPlace

# A lease that ends later than twice its length from now was given before the clock jumped back: it counts as over.
PLAUSIBLE = 2.0
COMMANDED = "commanded"  # a command's state until it was carried out
PLACE = ("id", "channel", "key", "site", "language", "persona", "mode")  # what a LeasedPlace is made of


class Duplicate(Exception):
    """The key was taken while this transaction ran: roll it back."""


@dataclass(frozen=True, slots=True)
class Inbox:
    """Speaks to the tables of what came in."""

    database: Database
    people: People
    answers: Answers

    async def accept(
        self,
        *,
        channel: str,
        key: str,
        place_key: str,
        site: str,
        person_key: str,
        person_name: str,
        language: str,
        text: str,
        correlation: str,
        command: bool,
        attachments: Sequence[Attachment] = (),
    ) -> Accepted:
        """Keep a message; when this returns it is on disk (P1). A key seen before changes nothing.

        A command waits for no answer, but to be `obeyed`. Raises StoreUnavailable.
        """
        try:
            async with self.database.write() as connection:
                if seen := await _seen(connection, channel, key):
                    return seen
                place_id, clock = await self._place(connection, channel, place_key, site, language)
                person_id = await self.people.known(
                    connection, channel=channel, key=person_key, name=person_name, language=language
                )
                said = {
                    "place_id": place_id,
                    "person_id": person_id,
                    "author": "person",
                    "content": parts(storable(text), _storable(attachments)),
                    "state": "done" if command else "queued",
                    "born": clock,
                    "correlation": correlation,
                    "created": time.time(),
                }
                message_id = await self._keep(connection, said, channel=channel, key=key)
                return Accepted(message_id, place_id, person_id, duplicate=False, obeyed=not command)
        except Duplicate:
            seen = await self.seen(channel, key)
            assert seen is not None, "a key that was taken is there"  # noqa: S101  # rows are never deleted
            return seen

    async def _place(
        self, connection: AsyncConnection, channel: str, key: str, site: str, language: str
    ) -> tuple[int, int]:
        """The place and its clock, moved on; made now if new."""
        new = new_place(channel, key, site, language) | {"clock": 1}
        row = (await connection.execute(_come_in(self.database.postgres), new)).one()
        return int(row.id), int(row.clock)

    async def _keep(
        self, connection: AsyncConnection, said: dict[str, Any], *, channel: str, key: str
    ) -> int:
        message_id = int((await connection.execute(SAY, said)).scalar_one())
        await self.enter(connection, said, message_id, channel=channel, key=key)
        return message_id

    async def enter(
        self, connection: AsyncConnection, said: dict[str, Any], message_id: int, *, channel: str, key: str
    ) -> None:
        """Make a message that was said the place's to answer, once for each key."""
        row = {
            "channel": channel,
            "key": key,
            "place_id": said["place_id"],
            "message_id": message_id,
            "state": COMMANDED if said["state"] == "done" else "received",
            "owner": "",
            "attempt": 0,
            "cancelled": False,
            "outcome": "",
            "failures": 0,
            "created": said["created"],
        }
        kept = await connection.execute(_keep_once(self.database.postgres), row)
        if kept.first() is None:
            raise Duplicate

    async def shut_out(self, connection: AsyncConnection, where: Place, key: str) -> None:
        """Let a message of this key that is still to come be one that was here."""
        place_id, _ = await self._place(connection, where.channel, where.key, where.site, "en")
        row = {"channel": where.channel, "key": key, "place_id": place_id, "message_id": None}
        row |= {"state": "answered", "owner": "", "attempt": 0, "cancelled": True, "outcome": ""}
        await connection.execute(
            _keep_once(self.database.postgres), row | {"failures": 0, "created": time.time()}
        )

    async def seen(self, channel: str, key: str) -> Accepted | None:
        """What came in under this key, if anything did. Raises StoreUnavailable."""
        async with self.database.read() as connection:
            return await _seen(connection, channel, key)

    async def obeyed(self, *, channel: str, key: str) -> None:
        """Write down that a command was carried out: a redelivery changes nothing from now on."""
        done = update(inbox).where(inbox.c.channel == channel, inbox.c.key == key).values(state="answered")
        async with self.database.write(durable=False) as connection:
            await connection.execute(done)

    async def lease(self, *, owner: str, ttl: float, limit: int) -> list[Lease]:
        """Take up to `limit` messages to answer for `ttl` seconds: of each place the oldest unanswered, if free.

        Messages whose lease ran out are among them. Raises StoreUnavailable.
        """
        async with self.database.write(durable=False) as connection:
            free = await connection.execute(_free(self.database.postgres), {"ttl": ttl, "some": limit})
            rows = free.all()
            if rows:
                await connection.execute(
                    _take(self.database.postgres),
                    {"ids": [row.inbox_id for row in rows], "new_owner": owner, "ttl": ttl},
                )
        leases = [_lease(row, owner) for row in rows]
        stopped = {row.inbox_id for row in rows if row.cancelled and not row.outcome}
        going = [await self._stop(lease) if lease.inbox_id in stopped else lease for lease in leases]
        return [lease for lease in going if lease is not None]

    async def _stop(self, lease: Lease) -> Lease | None:
        """End what someone stopped while its owner could not hear it; what was shown of it is still to be told so.
        None: it was forgotten meanwhile."""
        try:
            await self.answers.finish(
                lease, None, state="stopped", finish_reason="cancelled", delivered=False
            )
        except LeaseLost:
            return None
        return replace(lease, ended=True)

    async def renew(self, lease: Lease, *, ttl: float) -> bool:
        """Hold a lease for `ttl` more seconds; False when it is somebody else's now."""
        held = (
            update(inbox).where(holds(lease)).values(lease_until=now(postgres=self.database.postgres) + ttl)
        )
        async with self.database.write(durable=False) as connection:
            return (await connection.execute(held)).rowcount == 1

    async def release(self, lease: Lease, *, seconds: float = 0.0, failed: bool = False) -> None:
        """Give a message back for another to answer, in so many seconds. `failed`: it could not be shown. A lease
        already lost is no error."""
        due = now(postgres=self.database.postgres) + seconds if seconds else null()
        back = (
            update(inbox)
            .where(holds(lease), or_(inbox.c.cancelled.is_(False), inbox.c.outcome != ""))
            .values(state="received", owner="", lease_until=due, failures=inbox.c.failures + int(failed))
        )
        async with self.database.write(durable=False) as connection:
            if (await connection.execute(back)).rowcount:
                return
            held = (await connection.execute(select(inbox.c.id).where(holds(lease)))).first()
        if held and await self._stop(lease):
            async with self.database.write(durable=False) as connection:
                await connection.execute(back)

    async def request_cancel(self, place_id: int) -> list[str]:
        """Stop a place: what waits there ends at once, what is under way is marked as stopped.

        Returns the correlation of each, for the queue to cancel.
        """
        async with self.database.write() as connection:
            await tick(connection, place_id)  # locks the place
            rows = (
                await connection.execute(_unfinished(place_id, now(postgres=self.database.postgres)))
            ).all()
            held = [row.inbox_id for row in rows if row.held]
            if held:
                await connection.execute(update(inbox).where(inbox.c.id.in_(held)).values(cancelled=True))
            for row in rows:
                if not row.held:
                    await self.answers.drop(
                        connection,
                        place_id=place_id,
                        inbox_id=row.inbox_id,
                        message_id=row.message_id,
                        seen=row.attempt > 0,
                    )
        return [row.correlation for row in rows]


def _storable(attachments: Iterable[Attachment]) -> Iterator[Attachment]:
    return (Attachment(storable(each.name), storable(each.text)) for each in attachments)


def new_place(channel: str, key: str, site: str, language: str) -> dict[str, Any]:
    """A place as it begins."""
    return {
        "channel": channel,
        "key": key,
        "site": site,
        "tenant": "",
        "mode": "assistant",
        "persona": "",
        "language": language,
        "clock": 0,
        "reset": 0,
        "cleared": 0,
        "created": time.time(),
    }


# Statements on a message's way are built once: building one costs more than running it.

_SEEN = (
    select(inbox.c.place_id, inbox.c.message_id, inbox.c.state, message.c.person_id)
    .outerjoin(message, message.c.id == inbox.c.message_id)
    .where(inbox.c.channel == bindparam("channel"), inbox.c.key == bindparam("key"))
)


async def _seen(connection: AsyncConnection, channel: str, key: str) -> Accepted | None:
    row = (await connection.execute(_SEEN, {"channel": channel, "key": key})).one_or_none()
    if row is None:
        return None
    return Accepted(
        row.message_id or 0,
        row.place_id,
        row.person_id or 0,
        duplicate=True,
        obeyed=row.state != COMMANDED,
    )


@cache
def _come_in(postgres: bool) -> Any:
    new = upsert(place, postgres=postgres)
    moved = {"clock": place.c.clock + 1, "language": new.excluded.language}
    return new.on_conflict_do_update(index_elements=["channel", "key"], set_=moved).returning(
        place.c.id, place.c.clock
    )


@cache
def _keep_once(postgres: bool) -> Any:
    return upsert(inbox, postgres=postgres).on_conflict_do_nothing().returning(inbox.c.id)


@cache
def _take(postgres: bool) -> Any:
    until = now(postgres=postgres) + bindparam("ttl", type_=Double())
    return (
        update(inbox)
        .where(inbox.c.id.in_(bindparam("ids", expanding=True)))
        .values(state="leased", owner=bindparam("new_owner"), lease_until=until, attempt=inbox.c.attempt + 1)
    )


# As the channel of the place knows the person.
_PERSON_KEY = (
    select(func.min(identity.c.key))
    .where(identity.c.person_id == message.c.person_id, identity.c.channel == inbox.c.channel)
    .correlate(message, inbox)
    .scalar_subquery()
)


@cache
def _free(postgres: bool) -> Select[Any]:
    """The oldest unfinished row of each place, where nobody holds it; rows that another bot takes are skipped."""
    ttl: ColumnElement[float] = bindparam("ttl", type_=Double())
    moment = now(postgres=postgres)
    over = or_(inbox.c.lease_until < moment, inbox.c.lease_until > moment + PLAUSIBLE * ttl)
    older = inbox.alias("older")
    heads = select(func.min(older.c.id)).where(literal_column(UNFINISHED)).group_by(older.c.place_id)
    return (
        select(
            inbox.c.id.label("inbox_id"),
            inbox.c.key,
            inbox.c.attempt,
            inbox.c.cancelled,
            inbox.c.outcome,
            inbox.c.failures,
            _PERSON_KEY.label("person_key"),
            message.c.id.label("message_id"),
            message.c.person_id,
            message.c.correlation,
            message.c.content,
            *(place.c[name].label(f"place_{name}") for name in PLACE),
        )
        .join(message, message.c.id == inbox.c.message_id)
        .join(place, place.c.id == inbox.c.place_id)
        .where(
            inbox.c.id.in_(heads),
            or_(
                and_(inbox.c.state == "received", due(inbox.c.lease_until, moment)),
                and_(inbox.c.state == "leased", over),
            ),
        )
        .order_by(inbox.c.id)
        .limit(bindparam("some", type_=Integer()))
        .with_for_update(skip_locked=True, of=inbox)
    )


def _unfinished(place_id: int, moment: ColumnElement[float]) -> Select[Any]:
    """What a place still owes an answer, oldest first; `held`: somebody is at it."""
    held = and_(inbox.c.state == "leased", inbox.c.lease_until >= moment)
    return (
        select(
            inbox.c.id.label("inbox_id"),
            inbox.c.message_id,
            inbox.c.attempt,
            message.c.correlation,
            held.label("held"),
        )
        .join(message, message.c.id == inbox.c.message_id)
        .where(inbox.c.place_id == place_id, inbox.c.state.in_(("received", "leased")), inbox.c.outcome == "")
        .order_by(inbox.c.id)
    )


def _lease(row: Row[Any], owner: str) -> Lease:
    return Lease(
        inbox_id=row.inbox_id,
        message_id=row.message_id,
        person_id=row.person_id,
        correlation=row.correlation,
        owner=owner,
        attempt=row.attempt + 1,
        text=text_of(row.content),
        key=row.key,
        person_key=row.person_key or "",
        again=any(part["type"] == "again" for part in row.content),
        ended=bool(row.outcome),
        failures=row.failures,
        place=LeasedPlace(*(getattr(row, f"place_{name}") for name in PLACE)),
    )
