"""What people make of what was said: a message corrected or taken back, an answer rated or asked for once more.

Knows the rows that this touches. How a message comes in and is answered stands in `inbox.py` and `answers.py`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, and_, case, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.messages import Person, Place
from bot.store.answers import SAY
from bot.store.clock import parts, storable, tick
from bot.store.database import Database
from bot.store.database import insert as upsert
from bot.store.inbox import Duplicate, Inbox
from bot.store.people import People, clear_notices
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
            if (await connection.execute(theirs.with_for_update(key_share=True, of=message))).first() is None:
                return False  # locked before the person, as deletion does
            person_id = await self.people.known(
                connection, channel=who.channel, key=who.key, name="", language=who.language
            )
            await connection.execute(put, row | {"person_id": person_id, "created": time.time()})
        return True

    async def revise(self, channel: str, key: str, text: str) -> bool:
        """Put other words in a message that came in under this key, wherever it is asked again; its files stay. False
        when there is none.

        What the model reads of it later is judged anew: the verdict on the old words goes.
        """
        async with self.database.write() as connection:
            found = await _found(connection, channel, key)
            if found is None:
                return False
            for each in await _askings(connection, found):
                kept = [part for part in each.content if part["type"] != "text"]
                content = [*parts(storable(text)), *kept]
                await connection.execute(
                    update(message).where(message.c.id == each.id).values(content=content)
                )
                await connection.execute(
                    delete(verdict).where(verdict.c.message_id == each.id, verdict.c.direction == "input")
                )
        return True

    async def withdraw(self, where: Place, key: str) -> Sequence[str]:
        """Delete the message of a place that came in under this key, its answers, and whatever asked it again. Returns
        the correlations of what was under way, for the queue to cancel.

        One that has not come in yet stays out: platforms tell things out of order.
        """
        async with self.database.write() as connection:
            found = await _found(connection, where.channel, key)
            if found is None:
                await self.inbox.shut_out(connection, where, key)
                return []
            await tick(connection, found.place_id)  # locks the place
            askings = await _askings(connection, found)
            over = {"state": "answered", "owner": "", "lease_until": None, "outcome": ""}
            ended = await connection.execute(
                update(inbox)
                .where(inbox.c.message_id.in_([each.id for each in askings]))
                .where(inbox.c.state.in_(("received", "leased")))
                .values(over)
                .returning(inbox.c.message_id)
            )
            open_ = set(ended.scalars())
            await connection.execute(delete(message).where(message.c.id == found.id))  # the rest follows
            await clear_notices(connection, found.place_id)
        return [each.correlation for each in askings if each.id in open_]

    async def again(
        self, *, channel: str, place_key: str, answer_id: int, key: str, correlation: str
    ) -> Accepted | None:
        """Take the question of an answer in once more, under a new key; the old pair is remembered no longer.

        None when there is no such answer, or it is not over yet, or was replaced before. A key seen before changes
        nothing.
        """
        if seen := await self.inbox.seen(channel, key):
            return seen
        with suppress(Duplicate):
            async with self.database.write() as connection:
                pair = await _pair(connection, channel, place_key, answer_id)
                if pair and (message_id := await self._ask_again(connection, pair, key, correlation)):
                    return Accepted(message_id, pair.place_id, pair.person_id, duplicate=False)
        return await self.inbox.seen(channel, key)  # somebody else may have been faster

    async def _ask_again(
        self, connection: AsyncConnection, pair: Pair, key: str, correlation: str
    ) -> int | None:
        clock = await tick(connection, pair.place_id)
        replaced = (
            update(message)
            .where(message.c.id.in_((pair.answer_id, pair.id)), message.c.state != "replaced")
            .values(state="replaced")
        )
        if (await connection.execute(replaced)).rowcount != 2:
            return None
        said = {
            "place_id": pair.place_id,
            "person_id": pair.person_id,
            "author": "person",
            "content": [*(part for part in pair.content if part["type"] != "again"), {"type": "again"}],
            "state": "queued",
            "reply_to": pair.id,  # so that it goes with the first
            "born": clock,
            "correlation": correlation,
            "created": time.time(),
        }
        message_id = int((await connection.execute(SAY, said)).scalar_one())
        await self.inbox.enter(connection, said, message_id, channel=pair.channel, key=key)
        return message_id


Found = Row[*tuple[Any, ...]]
Pair = Row[*tuple[Any, ...]]
_MESSAGE = (message.c.id, message.c.place_id, message.c.content, message.c.correlation)


async def _found(connection: AsyncConnection, channel: str, key: str) -> Found | None:
    theirs = (
        select(*_MESSAGE)
        .join(inbox, inbox.c.message_id == message.c.id)
        .where(inbox.c.channel == channel, inbox.c.key == key)
    )
    return (await connection.execute(theirs)).first()


async def _askings(connection: AsyncConnection, found: Found) -> list[Found]:
    """A message, and whatever asked it again, one after the other."""
    askings = [found]
    for last in askings:
        theirs = select(*_MESSAGE).where(message.c.reply_to == last.id, message.c.author == "person")
        askings += (await connection.execute(theirs)).all()
    return askings


async def _pair(connection: AsyncConnection, channel: str, place_key: str, answer_id: int) -> Pair | None:
    """The question of an answer that is over."""
    told = message.alias("told")
    question = (
        select(
            message.c.id,
            message.c.place_id,
            message.c.person_id,
            message.c.content,
            told.c.id.label("answer_id"),
            place.c.channel,
        )
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
