"""Verdicts: what was judged, kept once, and what people later make of it.

Knows the queue of what waits for a person, and how long texts stay. What a verdict means, and whether a text may be
kept at all, is decided where it was judged (`bot/record.py`).

2026-11-24: "every verdict is kept" is one row for each message of a person, and for each piece of an answer that was
not simply allowed (in the piece's own transaction); what was allowed of an answer is one row, written with its end,
with the highest score of each category. A row a sentence would double the writes of the hot path to say "nothing".
/v1 sends a conversation's turns again with every request: the same text of the same key is kept once a policy.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, bindparam, case, exists, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.clock import storable, text_of
from bot.store.database import Database
from bot.store.tables import audit, message, place, verdict
from bot.store.values import Decided, Decision, Judged, KeptVerdict

PENDING = "pending"
_NOT_SCORED = {"score": None, "threshold": None, "span": None}  # findings of the version before lack these
WORST = ("block", "redact", "review")  # what waits is shown in this order

_NAMES = (
    *("message_id", "place_id", "channel", "caller", "direction", "action", "findings", "scores", "language"),
    *("model", "policy", "text_hash", "text", "created", "review", "reviewed_by", "note"),
)


def _new(name: str) -> Any:
    return bindparam(f"new_{name}", type_=verdict.c[name].type)


_SAID = (
    select(message.c.content)
    .where(message.c.id == bindparam("the_message", type_=message.c.id.type))
    .with_for_update(key_share=True)  # until the verdict is kept nobody changes what it is about
)
_ADD = insert(verdict)
_VALUES = select(*(_new(name) for name in _NAMES))
# A message is judged anew each time it is tried, and is gone once it was forgotten.
_ADD_TO_MESSAGE = insert(verdict).from_select(
    list(_NAMES),
    _VALUES.where(
        exists().where(message.c.id == _new("message_id")),
        ~exists().where(
            verdict.c.message_id == _new("message_id"),
            *(verdict.c[name] == _new(name) for name in ("direction", "policy", "text_hash")),
        ),
    ),
)
# Where a person is to be asked, a row that asks nobody is not the same: /v1/moderations may have made it.
_ADD_ONCE = insert(verdict).from_select(
    list(_NAMES),
    _VALUES.where(
        ~exists().where(
            *(
                verdict.c[name] == _new(name)
                for name in ("text_hash", "channel", "caller", "direction", "policy")
            ),
            or_(verdict.c.review.is_not(None), _new("review").is_(None)),
        )
    ),
)
_KEPT = select(verdict, place.c.key.label("place")).outerjoin(place, place.c.id == verdict.c.place_id)
_TEXTS_BEFORE = (
    update(verdict)
    .where(verdict.c.text.is_not(None), verdict.c.created < bindparam("before"))
    .values(text=None, review=case((verdict.c.review == PENDING, None), else_=verdict.c.review))
)


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Speaks to the table of verdicts."""

    database: Database

    async def add_verdict(self, judged: Judged, *, message_id: int, place_id: int, channel: str) -> None:
        """Keep what the screen found in a person's message; nothing when it was forgotten meanwhile, says something
        else by now (that is not judged yet), or is kept.

        Raises StoreUnavailable.
        """
        row = _row(judged, message_id=message_id, place_id=place_id, channel=channel)
        async with self.database.write(durable=False) as connection:
            said = (await connection.execute(_SAID, {"the_message": message_id})).scalar_one_or_none()
            if said is not None and digest(text_of(said)) == judged.text_hash:
                await connection.execute(_ADD_TO_MESSAGE, _bound(row))

    async def add_verdicts(self, judged: Sequence[Judged], *, channel: str, caller: str) -> None:
        """Keep what was found in texts that belong to no message. Raises StoreUnavailable."""
        if not judged:
            return
        rows = [_bound(_row(one, channel=channel, caller=caller)) for one in judged]
        async with self.database.write(durable=False) as connection:
            await connection.execute(_ADD_ONCE, rows)

    async def waiting(self, *, limit: int) -> tuple[list[KeptVerdict], int]:
        """Up to `limit` verdicts that wait for a person, the worst first and the newest of each first, and how many
        wait in all. Raises StoreUnavailable."""
        worst = case(*((verdict.c.action == action, at) for at, action in enumerate(WORST)), else_=len(WORST))
        waits = verdict.c.review == PENDING
        first = _KEPT.where(waits).order_by(worst, verdict.c.id.desc()).limit(limit)
        async with self.database.read() as connection:
            rows = (await connection.execute(first)).all()
            total = await connection.scalar(select(func.count()).select_from(verdict).where(waits))
        return [_kept(row) for row in rows], int(total or 0)

    async def verdict(self, verdict_id: int) -> tuple[KeptVerdict, str] | None:
        """One verdict, and what was said just before. Raises StoreUnavailable."""
        async with self.database.read() as connection:
            row = (await connection.execute(_KEPT.where(verdict.c.id == verdict_id))).one_or_none()
            if row is None:
                return None
            return _kept(row), await _before(connection, row.message_id)

    async def decide(
        self, verdict_id: int, decision: Decision, *, by: str, note: str, overrule: bool = False
    ) -> Decided | None:
        """Write down what a person made of a verdict that waits, or with `overrule` of one decided before.

        Who was first stays, unless overruled. None: there is no such verdict. Raises StoreUnavailable.
        """
        open_ = (PENDING, "approved", "rejected") if overrule else (PENDING,)
        made = {"review": decision, "reviewed_by": by, "reviewed_at": time.time(), "note": storable(note)}
        async with self.database.write() as connection:
            changed = await connection.execute(
                update(verdict).where(verdict.c.id == verdict_id, verdict.c.review.in_(open_)).values(made)
            )
            row = (await connection.execute(_KEPT.where(verdict.c.id == verdict_id))).one_or_none()
            if row is None:
                return None
            if changed.rowcount:
                done = {"action": f"verdict {decision}", "subject": f"verdict {verdict_id}"}
                detail = {"by": by, "overruled": overrule}
                await connection.execute(
                    insert(audit).values(done | {"detail": detail, "created": time.time()})
                )
        return Decided(_kept(row), changed=bool(changed.rowcount))

    async def decisions(self) -> list[KeptVerdict]:
        """Every verdict that a person has decided on, oldest first. Raises StoreUnavailable."""
        decided = _KEPT.where(verdict.c.review.in_(("approved", "rejected"))).order_by(verdict.c.id)
        async with self.database.read() as connection:
            return [_kept(row) for row in (await connection.execute(decided)).all()]

    async def clear_texts(self, *, before: float) -> int:
        """Drop the texts of verdicts older than `before` (UTC, seconds); without its text nothing waits any longer.

        Returns how many. Raises StoreUnavailable.
        """
        async with self.database.write() as connection:
            return int((await connection.execute(_TEXTS_BEFORE, {"before": before})).rowcount)


async def keep(
    connection: AsyncConnection, judged: Sequence[Judged], *, message_id: int, place_id: int, channel: str
) -> None:
    """Keep what was found in an answer, in the transaction that keeps the answer itself."""
    for one in judged:
        row = _row(one, message_id=message_id, place_id=place_id, channel=channel)
        await connection.execute(_ADD, row)


def _row(
    judged: Judged,
    *,
    channel: str,
    message_id: int | None = None,
    place_id: int | None = None,
    caller: str = "",
) -> dict[str, Any]:
    return {
        "message_id": message_id,
        "place_id": place_id,
        "channel": channel,
        "caller": caller,
        "direction": judged.direction,
        "action": judged.action,
        "findings": [dict(finding) for finding in judged.findings],
        "scores": dict(judged.scores),
        "language": judged.language,
        "model": judged.model,
        "policy": judged.policy,
        "text_hash": judged.text_hash,
        "text": None if judged.text is None else storable(judged.text),
        "created": time.time(),
        "review": PENDING if judged.waits else None,
        "reviewed_by": "",
        "note": "",
    }


def _bound(row: dict[str, Any]) -> dict[str, Any]:
    return {f"new_{name}": value for name, value in row.items()}


def _kept(row: Row[Any]) -> KeptVerdict:
    fields = {name: getattr(row, name) for name in KeptVerdict.__slots__}
    findings = [_NOT_SCORED | finding for finding in row.findings]
    return KeptVerdict(**fields | {"place": row.place or "", "findings": findings})


async def _before(connection: AsyncConnection, message_id: int | None) -> str:
    """What a message answers, or what stood before it in its place."""
    if message_id is None:
        return ""
    this = (await connection.execute(select(message).where(message.c.id == message_id))).one()
    row = (await connection.execute(_earlier(this))).first()
    return text_of(row.content) if row else ""


def _earlier(this: Row[Any]) -> Select[Any]:
    if this.reply_to is not None:
        return select(message.c.content).where(message.c.id == this.reply_to)
    return (
        select(message.c.content)
        .where(message.c.place_id == this.place_id, message.c.born < this.born, message.c.author != "house")
        .order_by(message.c.born.desc())
        .limit(1)
    )


def digest(text: str) -> str:
    """By which a text can be recognised, and not read."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
