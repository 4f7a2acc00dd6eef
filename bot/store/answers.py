"""Answers: begun once, told in pieces, ended once, each step only for whoever holds the lease.

Knows fencing, pieces and notices. Who may answer what is the inbox's.

Every step locks the place first (`clock.tick`) and checks the lease after, in a statement of its own: a snapshot
taken before the lock could still show a lease that another bot has taken meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import JSON, ColumnElement, and_, bindparam, insert, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.messages import State
from bot.store.clock import parts, storable, text_of, tick
from bot.store.database import Database
from bot.store.errors import AnswerStopped, LeaseLost
from bot.store.tables import answer, inbox, message, piece, usage
from bot.store.values import Begun, BegunPiece, Judged, Lease, Told
from bot.store.verdicts import keep

# What the inbox remembers of a message that reached its end.
OUTCOME: Mapping[State, str] = {"refused": "refused", "failed": "failed"}

# Statements on an answer's way are built once: building one costs more than running it.
SAY = insert(message).returning(message.c.id)
_HELD = and_(
    inbox.c.id == bindparam("the_inbox"),
    inbox.c.owner == bindparam("the_owner"),
    inbox.c.attempt == bindparam("the_attempt"),
    inbox.c.state == "leased",
)
_BEGUN = (
    select(inbox.c.id, message.c.id.label("answer_id"), answer.c.variant)
    .outerjoin(message, and_(message.c.reply_to == inbox.c.message_id, message.c.author == "model"))
    .outerjoin(answer, answer.c.message_id == message.c.id)
    .where(_HELD)
)
_DETAILS = insert(answer)
_BEGIN_ANEW = (
    update(answer)
    .where(answer.c.message_id == bindparam("this"))
    .values(
        {
            answer.c[name]: bindparam(f"new_{name}", type_=answer.c[name].type)
            for name in ("variant", "prompt_hash")
        }
    )
)
_GOING = and_(_HELD, inbox.c.outcome == "")  # not ended yet
_CLOSE = update(inbox).where(_GOING).values(state=bindparam("new_state"), owner="", lease_until=None)
_LEAVE_OPEN = update(inbox).where(_GOING).values(outcome=bindparam("new_state"))
_ANSWER_TO = select(message.c.id).where(message.c.reply_to == bindparam("asked"), message.c.author == "model")
_SHOWN = select(piece.c.text).where(piece.c.answer_id == bindparam("told")).order_by(piece.c.seq)
_END = (
    update(message)
    .where(message.c.id == bindparam("this"))
    .values(state=bindparam("new_state"), ended=bindparam("new_ended"))
)
_END_ANSWER = _END.values(content=bindparam("new_content", type_=JSON()))
_REASON = (
    update(answer).where(answer.c.message_id == bindparam("this")).values(finish_reason=bindparam("reason"))
)
_PIECE = ("answer_id", "place_id", "attempt", "seq", "text", "size", "token_ids", "action", "clock")
_ADD_PIECE = insert(piece).from_select(
    list(_PIECE),
    select(*(bindparam(f"new_{name}", type_=piece.c[name].type) for name in _PIECE))
    .select_from(inbox)
    .where(_HELD, inbox.c.cancelled.is_(False)),
)
_ENDED = (
    select(message.c.id, message.c.author, message.c.state, message.c.content)
    .where(or_(message.c.id == bindparam("asked"), message.c.reply_to == bindparam("asked")))
    .order_by(message.c.id)
)
_COST = ("place_id", "prompt_tokens", "completion_tokens", "engine_ms", "created")
_ASKED_BY = select(message.c.person_id).where(message.c.id == bindparam("asked")).scalar_subquery()
_USE = insert(usage).from_select(
    ["message_id", "model", "screen", "person_id", *_COST],
    select(
        answer.c.message_id,
        answer.c.variant,
        literal("hold"),
        _ASKED_BY,  # not the lease's: they may have become somebody else's person meanwhile
        *(bindparam(f"new_{name}", type_=usage.c[name].type) for name in _COST),
    ).where(answer.c.message_id == bindparam("told")),
)


def holds(lease: Lease) -> ColumnElement[bool]:
    """Whether an inbox row is still this lease's: the fence, whatever the time."""
    return and_(
        inbox.c.id == lease.inbox_id,
        inbox.c.owner == lease.owner,
        inbox.c.attempt == lease.attempt,
        inbox.c.state == "leased",
    )


@dataclass(frozen=True, slots=True)
class Answers:
    """Speaks to the tables of answers."""

    database: Database

    async def begin(
        self,
        lease: Lease,
        *,
        variant: str,
        persona: str,
        policy: str,
        sampling: Mapping[str, object],
        prompt_hash: str,
    ) -> Begun:
        """Begin the answer to a leased message, or take up the one begun under an earlier lease: with that one's
        variant, if it has shown anything.

        Raises LeaseLost, StoreUnavailable.
        """
        details = {
            "variant": variant,
            "persona": persona,
            "policy": policy,
            "sampling": dict(sampling),
            "prompt_hash": prompt_hash,
            "finish_reason": "",
        }
        async with self.database.write(durable=False) as connection:
            clock = await tick(connection, lease.place.id)
            held = await connection.execute(_BEGUN, _fence(lease))
            row = held.one_or_none()
            if row is None:
                raise LeaseLost(f"message {lease.message_id}")
            if row.answer_id is not None:
                pieces = await _pieces(connection, row.answer_id)
                if not pieces and row.variant != variant:  # the model was exchanged before it said anything
                    anew = {"this": row.answer_id, "new_variant": variant, "new_prompt_hash": prompt_hash}
                    await connection.execute(_BEGIN_ANEW, anew)
                return Begun(row.answer_id, row.variant if pieces else variant, pieces)
            said = _message(lease, author="model", state="answering", text="", born=clock)
            answer_id = int((await connection.execute(SAY, said)).scalar_one())
            await connection.execute(_DETAILS, details | {"message_id": answer_id})
        return Begun(answer_id, variant, ())

    async def add_piece(
        self,
        lease: Lease,
        answer_id: int,
        *,
        seq: int,
        text: str,
        size: int,
        token_ids: Sequence[int],
        action: str,
        judged: Sequence[Judged] = (),
    ) -> None:
        """Commit one judged piece, and what was found in it; only then is it anybody's to show.

        `size` counts the characters as the model wrote them. Raises AnswerStopped, LeaseLost, StoreUnavailable.
        """
        async with self.database.write(durable=False) as connection:
            clock = await tick(connection, lease.place.id)
            values = _fence(lease) | {
                "new_answer_id": answer_id,
                "new_place_id": lease.place.id,
                "new_attempt": lease.attempt,
                "new_seq": seq,
                "new_text": storable(text),
                "new_size": size,
                "new_token_ids": list(token_ids),
                "new_action": action,
                "new_clock": clock,
            }
            if (await connection.execute(_ADD_PIECE, values)).rowcount == 1:
                place = lease.place
                await keep(connection, judged, message_id=answer_id, place_id=place.id, channel=place.channel)
                return
            held = (await connection.execute(select(inbox.c.id).where(holds(lease)))).first()
        raise AnswerStopped if held else LeaseLost(f"message {lease.message_id}")

    async def finish(
        self,
        lease: Lease,
        answer_id: int | None,
        *,
        state: State,
        finish_reason: str,
        prompt_tokens: int = 0,
        completion_tokens: int = 0,
        engine_ms: float = 0,
        notice: str | None = None,
        judged: Sequence[Judged] = (),
        delivered: bool = True,
    ) -> int | None:
        """End a leased message, its answer (also one that an earlier lease began) and say `notice` after it; returns
        the answer's id. `judged` is what was found in the answer and belongs to none of its pieces.

        What was shown is what the answer remains. Not `delivered`: the lease goes on until `delivered` is called,
        and whoever takes it over finds an answer that has ended. Raises LeaseLost, StoreUnavailable.
        """
        async with self.database.write() as connection:
            clock = await tick(connection, lease.place.id, by=3)  # the answer, the message, the notice
            outcome = _fence(lease) | {"new_state": OUTCOME.get(state, "answered")}
            close = _CLOSE if delivered else _LEAVE_OPEN
            if (await connection.execute(close, outcome)).rowcount != 1:
                raise LeaseLost(f"message {lease.message_id}")
            answer_id = await _end(
                connection, lease.message_id, answer_id, state=state, reason=finish_reason, clock=clock - 2
            )
            if notice:
                said = _message(lease, author="house", state="done", text=notice, born=clock)
                await connection.execute(SAY, said)
            if answer_id is not None:
                place = lease.place
                await keep(connection, judged, message_id=answer_id, place_id=place.id, channel=place.channel)
                await _use(
                    connection,
                    lease,
                    answer_id,
                    prompt_tokens=prompt_tokens,
                    completion_tokens=completion_tokens,
                    engine_ms=engine_ms,
                )
        return answer_id

    async def told(self, lease: Lease) -> Told:
        """An answer that has ended, whole, with what the house said after it. Raises LeaseLost, StoreUnavailable."""
        async with self.database.read() as connection:
            rows = (await connection.execute(_ENDED, {"asked": lease.message_id})).all()
            answer_ids = [row.id for row in rows if row.author == "model"]
            pieces = await _pieces(connection, answer_ids[0]) if answer_ids else ()
        question = next((row for row in rows if row.author == "person"), None)
        if question is None:
            raise LeaseLost(f"message {lease.message_id}")
        return Told(
            answer_id=answer_ids[0] if answer_ids else None,
            state=question.state,
            pieces=pieces,
            notices=tuple(text_of(row.content) for row in rows if row.author == "house"),
        )

    async def delivered(self, lease: Lease) -> bool:
        """An answer that has ended was brought to its platform. False: it has not ended, or the lease was lost and
        another process brings it."""
        done = (
            update(inbox)
            .where(holds(lease), inbox.c.outcome != "")
            .values(state=inbox.c.outcome, owner="", lease_until=None, outcome="")
        )
        async with self.database.write(durable=False) as connection:
            return (await connection.execute(done)).rowcount == 1

    async def drop(
        self, connection: AsyncConnection, *, place_id: int, inbox_id: int, message_id: int, seen: bool
    ) -> None:
        """End as stopped what nobody is answering, in a transaction that has locked the place. `seen`: some of it may
        have been shown, so that its end is still to be told."""
        clock = await tick(connection, place_id, by=2)
        over = {"state": "received" if seen else "answered", "owner": "", "lease_until": None}
        if seen:
            over["outcome"] = "answered"
        await connection.execute(update(inbox).where(inbox.c.id == inbox_id).values(over))
        await _end(connection, message_id, None, state="stopped", reason="cancelled", clock=clock - 1)

    async def note(self, place_id: int, text: str) -> int:
        """Let the house say something in a place; returns the message's id. Raises LookupError, StoreUnavailable."""
        async with self.database.write() as connection:
            clock = await tick(connection, place_id)
            said = {
                "place_id": place_id,
                "author": "house",
                "content": parts(storable(text)),
                "state": "done",
                "born": clock,
                "correlation": "",
                "created": time.time(),
            }
            return int((await connection.execute(SAY, said)).scalar_one())


def _message(lease: Lease, *, author: str, state: State, text: str, born: int) -> dict[str, Any]:
    return {
        "place_id": lease.place.id,
        "author": author,
        "content": parts(storable(text)),
        "state": state,
        "reply_to": lease.message_id,
        "born": born,
        "correlation": lease.correlation,
        "created": time.time(),
    }


def _fence(lease: Lease) -> dict[str, Any]:
    return {"the_inbox": lease.inbox_id, "the_owner": lease.owner, "the_attempt": lease.attempt}


async def _pieces(connection: AsyncConnection, answer_id: int) -> tuple[BegunPiece, ...]:
    rows = await connection.execute(
        select(piece.c.seq, piece.c.text, piece.c.size, piece.c.token_ids)
        .where(piece.c.answer_id == answer_id)
        .order_by(piece.c.seq)
    )
    return tuple(BegunPiece(row.seq, row.text, row.size, tuple(row.token_ids)) for row in rows)


async def _end(
    connection: AsyncConnection,
    message_id: int,
    answer_id: int | None,
    *,
    state: State,
    reason: str,
    clock: int,
) -> int | None:
    """Bring the answer (at `clock`) and its question (at `clock + 1`) to their last state; the answer's id, if any."""
    if answer_id is None:
        answer_id = (await connection.execute(_ANSWER_TO, {"asked": message_id})).scalar()
    if answer_id is not None:
        shown = "".join((await connection.execute(_SHOWN, {"told": answer_id})).scalars())
        if shown and state == "refused":
            state = "stopped"  # part of it was shown: question and answer stay in the history
        ended = {"this": answer_id, "new_state": state, "new_ended": clock, "new_content": parts(shown)}
        await connection.execute(_END_ANSWER, ended)
        await connection.execute(_REASON, {"this": answer_id, "reason": reason})
    ended = {"this": message_id, "new_state": state, "new_ended": clock + 1}
    await connection.execute(_END, ended)
    return answer_id


async def _use(
    connection: AsyncConnection,
    lease: Lease,
    answer_id: int,
    *,
    prompt_tokens: int,
    completion_tokens: int,
    engine_ms: float,
) -> None:
    """Keep what the answer cost."""
    cost = {
        "asked": lease.message_id,
        "new_place_id": lease.place.id,
        "new_prompt_tokens": prompt_tokens,
        "new_completion_tokens": completion_tokens,
        "new_engine_ms": engine_ms,
        "new_created": time.time(),
        "told": answer_id,
    }
    await connection.execute(_USE, cost)
