"""What was sent where: the platforms' messages that carry the answer to a question.

Knows names and details as the channel gave them. What was committed of an answer stands in `answers.py`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from bot.messages import Place, Sending
from bot.store.database import Database
from bot.store.database import insert as upsert
from bot.store.tables import message, outbox, place


@dataclass(frozen=True, slots=True)
class Outbox:
    """Speaks to the table of sendings."""

    database: Database

    async def sendings(self, message_id: int) -> list[Sending]:
        """What was sent so far of the answer to a question, oldest first. Raises StoreUnavailable."""
        theirs = (
            select(outbox.c.platform_key, outbox.c.open, outbox.c.detail)
            .where(outbox.c.message_id == message_id)
            .order_by(outbox.c.id)
        )
        async with self.database.read() as connection:
            rows = (await connection.execute(theirs)).all()
        return [Sending(row.platform_key, row.open, row.detail) for row in rows]

    async def answer_at(self, channel: str, platform_key: str) -> tuple[Place, int] | None:
        """The place and the id of the answer that a message carries, the newest where it was asked for again; None
        where there is none. Raises StoreUnavailable."""
        answer = message.alias("answer")
        carried = (
            select(place.c.channel, place.c.key, place.c.site, answer.c.id)
            .join(answer, answer.c.reply_to == outbox.c.message_id)
            .join(place, place.c.id == answer.c.place_id)
            .where(outbox.c.platform_key == platform_key, place.c.channel == channel)
            .where(answer.c.author == "model")
            .order_by(answer.c.id.desc())
            .limit(1)
        )
        async with self.database.read() as connection:
            row = (await connection.execute(carried)).one_or_none()
        return (Place(row.channel, row.key, row.site), int(row.id)) if row else None

    async def sent(
        self,
        message_id: int,
        platform_key: str,
        *,
        open: bool,  # noqa: A002
        detail: Mapping[str, Any],
    ) -> None:
        """Remember a message that carries the answer to a question, or what has changed about it.

        Raises LookupError when the question is gone, StoreUnavailable.
        """
        row = {"message_id": message_id, "platform_key": platform_key, "open": open, "detail": dict(detail)}
        new = upsert(outbox, postgres=self.database.postgres)
        put = new.on_conflict_do_update(
            index_elements=["message_id", "platform_key"],
            set_={"open": new.excluded.open, "detail": new.excluded.detail},
        )
        there = select(message.c.id).where(message.c.id == message_id).with_for_update()
        async with self.database.write() as connection:
            if (await connection.execute(there)).first() is None:
                raise LookupError(f"no message {message_id}")
            await connection.execute(put, row | {"created": time.time()})
