"""What was said goes when its days are over: questions with their answers, notices, verdicts and feedback of them.

Knows what may not go yet: whatever is still being answered. How many days there are is the operator's to say.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Integer, Select, String, bindparam, delete, exists, literal_column, select

from bot.store.database import Database
from bot.store.tables import UNFINISHED, inbox, message, place

MOST = 1_000  # messages deleted at once: others write in between

# Of a place, not of a message alone: what is asked once more hangs on what was asked first.
_UNDER_WAY = exists().where(inbox.c.place_id == message.c.place_id, literal_column(f"inbox.{UNFINISHED}"))
# Ids grow with time, so that the oldest are found first. An answer goes with its question.
_OLD = (
    select(message.c.id, message.c.place_id)
    .join(place, place.c.id == message.c.place_id)
    .where(
        place.c.channel == bindparam("the_channel", type_=String()),
        message.c.created < bindparam("the_moment"),
        message.c.reply_to.is_(None),
        ~_UNDER_WAY,
    )
    .order_by(message.c.id)
    .limit(bindparam("some", type_=Integer()))
)


@dataclass(frozen=True, slots=True)
class Retention:
    """Speaks to the tables of what was said."""

    database: Database

    async def channels(self) -> list[str]:
        """Those in which something was ever said. Raises StoreUnavailable."""
        async with self.database.read() as connection:
            return sorted((await connection.execute(select(place.c.channel).distinct())).scalars())

    async def clear_messages(self, channel: str, *, before: float) -> int:
        """Delete what was said in a channel before a moment (UTC, seconds since 1970); the keys of what came in stay,
        and so does everything in a place where something is still answered.

        Returns how many questions and notices that were. Raises StoreUnavailable.
        """
        cleared = 0
        while True:
            asked = {"the_channel": channel, "the_moment": before, "some": MOST}
            async with self.database.read() as connection:
                old = (await connection.execute(_OLD, asked)).all()
            if not old:
                return cleared
            ids, places = [row.id for row in old], {row.place_id for row in old}
            async with self.database.write() as connection:
                await connection.execute(_locked(places))
                gone = await connection.execute(delete(message).where(message.c.id.in_(ids), ~_UNDER_WAY))
            cleared += int(gone.rowcount)
            if len(old) < MOST:
                return cleared


def _locked(places: Set[int]) -> Select[Any]:
    """Places, so that nothing is asked there meanwhile; in one order for all: no deadlock."""
    theirs = select(place.c.id).where(place.c.id.in_(places))
    return theirs.order_by(place.c.id).with_for_update(key_share=True)
