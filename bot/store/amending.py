"""What people make of what was said: a message corrected or taken back, an answer rated or asked for once more.

Knows the rows that this touches. How a message comes in and is answered stands in `inbox.py` and `answers.py`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, and_, case, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.messages import Person, Place
from bot.store.answers import SAY
from bot.store.clock import parts, storable, tick
from bot.store.database import Database
from bot.store.database import insert as upsert
from bot.store.inbox import Inbox
from bot.store.people import People
from bot.store.tables import feedback, inbox, message, place, verdict
from bot.store.values import Accepted


@dataclass(frozen=True, slots=True)
class Amending:
    """Speaks to the tables of what came in and was answered."""

    database: Database
    people: People
    inbox: Inbox

    async def rate(self, where: Place, who: Person, *, message_id: int, value: int, reason: str = "") -> bool:
        """Keep a thumb up (1) or down (-1) and why, the last one counts; False when that is no answer in the place.

        A thumb without a reason leaves the reason of an equal one. Raises StoreUnavailable.
        """
        theirs = (
            select(message.c.id)
            .join(place, place.c.id == message.c.place_id)
            .where(message.c.id == message_id, message.c.author == "model")
            .where(place.c.channel == where.channel, place.c.key == where.key)
        )
        row = {"message_id": message_id, "value": 1 if value > 0 else -1, "reason": storable(reason)}
        given = upsert(feedback, postgres=self.database.postgres)
        same = and_(given.excluded.reason == "", feedback.c.value == given.excluded.value)
        put = given.on_conflict_do_update(
            index_elements=["message_id", "person_id"],
            set_={
                "value": given.excluded.value,
                "reason": case((same, feedback.c.reason), else_=given.excluded.reason),
                "created": given.excluded.created,
            },
        )
        async with self.database.write() as connection:
            if (await connection.execute(theirs)).first() is None:
                return False
            person_id = await self.people.known(
                connection, channel=who.channel, key=who.key, name="", language=who.language
            )
            await connection.execute(put, row | {"person_id": person_id, "created": time.time()})
        return True

    async def revise(self, channel: str, key: str, text: str) -> bool:
        """Put other words in a message that came in under this key; its files stay. False when there is none.

        What the model reads of it later is judged anew: the verdict on the old words no longer counts for it.
        """
        async with self.database.write() as connection:
            found = await _found(connection, channel, key)
            if found is None:
                return False
            kept = [part for part in found.content if part["type"] != "text"]
            content = [*parts(storable(text)), *kept]
            await connection.execute(update(message).where(message.c.id == found.id).values(content=content))
            await connection.execute(
                update(verdict)
                .where(verdict.c.message_id == found.id, verdict.c.direction == "input")
                .values(message_id=None, text=None)
            )
        return True

    async def withdraw(self, channel: str, key: str) -> Sequence[str] | None:
        """Delete a message that came in under this key, and its answer. Returns the correlations of what was under way,
        for the queue to cancel; None when there is no such message."""
        async with self.database.write() as connection:
            found = await _found(connection, channel, key)
            if found is None:
                return None
            await tick(connection, found.place_id)  # locks the place
            over = {"state": "answered", "owner": "", "lease_until": None, "outcome": ""}
            ended = await connection.execute(
                update(inbox)
                .where(inbox.c.message_id == found.id, inbox.c.state.in_(("received", "leased")))
                .values(over)
            )
            await connection.execute(delete(message).where(message.c.id == found.id))
        return [found.correlation] if ended.rowcount else []

    async def again(
        self, *, channel: str, place_key: str, answer_id: int, key: str, correlation: str
    ) -> Accepted | None:
        """Take the question of an answer in once more, under a new key; the old pair is remembered no longer.

        None when there is no such answer, or it is not over yet, or was replaced before. A key seen before changes
        nothing.
        """
        if seen := await self.inbox.seen(channel, key):
            return seen
        async with self.database.write() as connection:
            pair = await _pair(connection, channel, place_key, answer_id)
            if pair is None:
                return None
            clock = await tick(connection, pair.place_id)
            replaced = (
                update(message)
                .where(message.c.id.in_((answer_id, pair.id)), message.c.state != "replaced")
                .values(state="replaced")
            )
            if (await connection.execute(replaced)).rowcount != 2:
                return None  # somebody else was faster
            said = {
                "place_id": pair.place_id,
                "person_id": pair.person_id,
                "author": "person",
                "content": [*(part for part in pair.content if part["type"] != "again"), {"type": "again"}],
                "state": "queued",
                "born": clock,
                "correlation": correlation,
                "created": time.time(),
            }
            message_id = int((await connection.execute(SAY, said)).scalar_one())
            await self.inbox.enter(connection, said, message_id, channel=channel, key=key)
        return Accepted(message_id, pair.place_id, pair.person_id, duplicate=False)


async def _found(connection: AsyncConnection, channel: str, key: str) -> Row[*tuple[Any, ...]] | None:
    theirs = (
        select(message.c.id, message.c.place_id, message.c.content, message.c.correlation)
        .join(inbox, inbox.c.message_id == message.c.id)
        .where(inbox.c.channel == channel, inbox.c.key == key)
    )
    return (await connection.execute(theirs)).first()


async def _pair(
    connection: AsyncConnection, channel: str, place_key: str, answer_id: int
) -> Row[*tuple[Any, ...]] | None:
    """The question of an answer that is over."""
    told = message.alias("told")
    question = (
        select(message.c.id, message.c.place_id, message.c.person_id, message.c.content)
        .join(told, told.c.reply_to == message.c.id)
        .join(place, place.c.id == message.c.place_id)
        .where(
            told.c.id == answer_id,
            told.c.author == "model",
            told.c.ended.is_not(None),
            place.c.channel == channel,
            place.c.key == place_key,
        )
    )
    return (await connection.execute(question)).first()
