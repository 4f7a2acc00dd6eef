"""People: who they are in each channel, what they agreed to, and how they are forgotten.

Knows identities and deletion. Leaves what was said to the inbox and the answers.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, Update, bindparam, delete, exists, func, insert, null, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.messages import Used
from bot.store.clock import storable, tick
from bot.store.database import Database
from bot.store.database import insert as upsert
from bot.store.tables import (
    audit,
    consent,
    event,
    feedback,
    identity,
    inbox,
    message,
    person,
    piece,
    place,
    usage,
    verdict,
)

# Built once, like every statement on a message's way: building one costs more than running it.
# The identity is held until the commit: whoever joins two people waits for what is being said under it.
_KNOWN = (
    select(person.c.id, person.c.name, person.c.language)
    .join(identity, identity.c.person_id == person.c.id)
    .where(identity.c.channel == bindparam("channel"), identity.c.key == bindparam("key"))
    .with_for_update(read=True, of=identity)
)


@dataclass(frozen=True, slots=True)
class Known:
    """Somebody who has spoken, as often as is still kept, and when last (UTC, seconds since 1970). `identities` are
    CHANNEL/KEY."""

    identities: tuple[str, ...]
    name: str
    messages: int
    last: float | None

    def plain(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "identities": list(self.identities),
            "name": self.name,
            "messages": self.messages,
            "last": self.last,
        }


@dataclass(frozen=True, slots=True)
class People:
    """Speaks to the tables of people."""

    database: Database

    async def known(
        self, connection: AsyncConnection, *, channel: str, key: str, name: str, language: str
    ) -> int:
        """The id of the person behind a channel's key, made now if new; two at once make one."""
        found = (await connection.execute(_KNOWN, {"channel": channel, "key": key})).one_or_none()
        if found is None:
            return await self._new(connection, channel=channel, key=key, name=name, language=language)
        if (found.name, found.language) != (storable(name) or found.name, language):
            await connection.execute(
                update(person)
                .where(person.c.id == found.id)
                .values(name=storable(name) or found.name, language=language)
            )
        return int(found.id)

    async def _new(
        self, connection: AsyncConnection, *, channel: str, key: str, name: str, language: str
    ) -> int:
        row = {"name": storable(name), "language": language, "created": time.time()}
        person_id = (await connection.execute(insert(person).values(row).returning(person.c.id))).scalar_one()
        made = await connection.execute(
            upsert(identity, postgres=self.database.postgres)
            .values(person_id=person_id, channel=channel, key=key)
            .on_conflict_do_nothing()
            .returning(identity.c.id)
        )
        if made.first():
            return int(person_id)
        await connection.execute(
            delete(person).where(person.c.id == person_id)
        )  # another was faster, or joined
        who = select(identity.c.person_id).where(identity.c.channel == channel, identity.c.key == key)
        return int((await connection.execute(who.with_for_update(read=True))).scalar_one())

    async def agree(self, person_id: int, *, kind: str, given: bool) -> None:
        """Keep that a person agreed to something (`given`), or took it back."""
        row = {"person_id": person_id, "kind": kind, "given": given, "created": time.time()}
        async with self.database.write() as connection:
            await connection.execute(insert(consent).values(row))

    async def agreed(self, person_id: int, *, kind: str) -> bool:
        """Whether the person's last word on `kind` was yes."""
        statement = (
            select(consent.c.given)
            .where(consent.c.person_id == person_id, consent.c.kind == kind)
            .order_by(consent.c.id.desc())
            .limit(1)
        )
        async with self.database.read() as connection:
            return bool((await connection.execute(statement)).scalar())

    async def who(self, channel: str, key: str) -> int | None:
        """The id of the person behind a channel's key, or None. Raises StoreUnavailable."""
        theirs = select(identity.c.person_id).where(identity.c.channel == channel, identity.c.key == key)
        async with self.database.read() as connection:
            return (await connection.execute(theirs)).scalar_one_or_none()

    async def asker(self, answer_id: int) -> str | None:
        """The key, in the channel of the place, of whoever asked what an answer answers. Raises StoreUnavailable."""
        answer = message.alias("answer")
        theirs = (
            select(func.min(identity.c.key))
            .join(message, message.c.person_id == identity.c.person_id)
            .join(answer, answer.c.reply_to == message.c.id)
            .join(place, place.c.id == message.c.place_id)
            .where(answer.c.id == answer_id, identity.c.channel == place.c.channel)
        )
        async with self.database.read() as connection:
            key: str | None = (await connection.execute(theirs)).scalar()
        return key

    async def people(self, words: str = "", *, limit: int) -> list[Known]:
        """Those whose name or key holds `words`, whoever spoke last first. Raises StoreUnavailable."""
        like = or_(
            person.c.name.icontains(words, autoescape=True), identity.c.key.icontains(words, autoescape=True)
        )
        matching = select(identity.c.person_id).join(person, person.c.id == identity.c.person_id).where(like)
        last = func.max(message.c.created)
        them = (
            select(person.c.id, person.c.name, func.count(message.c.id).label("messages"), last.label("last"))
            .outerjoin(message, message.c.person_id == person.c.id)
            .where(person.c.id.in_(matching))
            .group_by(person.c.id, person.c.name)
            .order_by(last.desc().nulls_last(), person.c.id)
            .limit(limit)
        )
        async with self.database.read() as connection:
            rows = (await connection.execute(them)).all()
            named = select(identity).where(identity.c.person_id.in_([row.id for row in rows]))
            identities: dict[int, list[str]] = {}
            for each in await connection.execute(named.order_by(identity.c.id)):
                identities.setdefault(each.person_id, []).append(f"{each.channel}/{each.key}")
        return [
            Known(tuple(identities.get(row.id, ())), row.name, int(row.messages), row.last) for row in rows
        ]

    async def used(self, person_id: int) -> Used:
        """What a person has used so far. Raises StoreUnavailable."""
        total = select(
            func.count(),
            func.coalesce(func.sum(usage.c.prompt_tokens), 0),
            func.coalesce(func.sum(usage.c.completion_tokens), 0),
            func.coalesce(func.min(usage.c.created), 0.0),
        ).where(usage.c.person_id == person_id)
        async with self.database.read() as connection:
            answers, prompt, completion, since = (await connection.execute(total)).one()
        return Used(int(answers), int(prompt), int(completion), float(since))

    async def export(self, person_id: int) -> dict[str, Any]:
        """Everything that is kept of a person, ready for JSON: who they are, what was said, rated and used.

        Raises StoreUnavailable.
        """
        async with self.database.read() as connection:
            return {
                name: [dict(row) for row in (await connection.execute(theirs)).mappings()]
                for name, theirs in _theirs(person_id).items()
            }

    async def forget(self, person_id: int) -> list[str]:
        """Delete everything a person said, with the answers, their pieces, verdicts and feedback, everywhere.

        An answer under way loses its lease; returns the correlation of each, for the queue to cancel. The keys of what
        came in stay, without content, so that a late redelivery is not answered (P1); sessions stay valid; one audit
        row tells that it happened.
        """
        theirs = select(message.c.place_id).where(message.c.person_id == person_id).distinct()
        async with self.database.write() as connection:
            deleted = 0
            under_way = list((await connection.execute(_under_way(person_id))).scalars())
            for place_id in sorted(
                (await connection.execute(theirs)).scalars()
            ):  # one order for all: no deadlock
                deleted += await _clear(connection, person_id=person_id, place_id=place_id)
            await connection.execute(delete(feedback).where(feedback.c.person_id == person_id))
            await connection.execute(_unread(person_id))
            await connection.execute(update(person).where(person.c.id == person_id).values(name=""))
            row = {"action": "forget", "subject": f"person {person_id}", "created": time.time()}
            await connection.execute(insert(audit).values(row | {"detail": {"messages": deleted}}))
        return under_way


def _unread(person_id: int) -> Update:
    """What they said and nobody has read yet is not read any more."""
    theirs = exists().where(
        identity.c.person_id == person_id,
        identity.c.channel == event.c.channel,
        identity.c.key == event.c.person,
    )
    return (
        update(event)
        .where(theirs, event.c.state.in_(("received", "failed")))
        .values(state="handled", body=null(), lease_until=None)
    )


def _under_way(person_id: int) -> Select[Any]:
    return (
        select(message.c.correlation)
        .join(inbox, inbox.c.message_id == message.c.id)
        .where(message.c.person_id == person_id, inbox.c.state.in_(("received", "leased")))
    )


def _theirs(person_id: int) -> dict[str, Select[Any]]:
    """What is kept of a person, table by table."""
    asked = message.alias("asked")
    questions = select(asked.c.id).where(asked.c.person_id == person_id)
    said = ("id", "author", "content", "state", "reply_to", "created")
    return {
        "person": select(person.c.name, person.c.language, person.c.created).where(person.c.id == person_id),
        "identities": select(identity.c.channel, identity.c.key).where(identity.c.person_id == person_id),
        "consents": select(consent.c.kind, consent.c.given, consent.c.created).where(
            consent.c.person_id == person_id
        ),
        "messages": (
            select(place.c.channel, place.c.key.label("place"), *(message.c[name] for name in said))
            .join(place, place.c.id == message.c.place_id)
            .where(or_(message.c.person_id == person_id, message.c.reply_to.in_(questions)))
            .order_by(message.c.id)
        ),
        "feedback": select(
            feedback.c.message_id, feedback.c.value, feedback.c.reason, feedback.c.created
        ).where(feedback.c.person_id == person_id),
        "verdicts": (
            select(
                verdict.c.message_id, verdict.c.action, verdict.c.scores, verdict.c.text, verdict.c.created
            )
            .where(verdict.c.message_id.in_(questions))
            .order_by(verdict.c.id)
        ),
        "usage": (
            select(usage.c.model, usage.c.prompt_tokens, usage.c.completion_tokens, usage.c.created)
            .where(usage.c.person_id == person_id)
            .order_by(usage.c.id)
        ),
    }


async def _clear(connection: AsyncConnection, *, person_id: int, place_id: int) -> int:
    clock = await tick(connection, place_id)
    theirs = select(message.c.id).where(message.c.place_id == place_id, message.c.person_id == person_id)
    await connection.execute(
        update(inbox)
        .where(inbox.c.message_id.in_(theirs), inbox.c.state.in_(("received", "leased")))
        .values(state="answered", owner="", lease_until=None)
    )
    deleted = await connection.execute(delete(message).where(message.c.id.in_(theirs)))  # answers follow
    await clear_notices(connection, place_id)
    await _say_again(connection, place_id, cleared=clock)
    return int(deleted.rowcount)


async def clear_notices(connection: AsyncConnection, place_id: int) -> None:
    """Where nobody but the house has spoken, nothing is left."""
    others = select(exists().where(message.c.place_id == place_id, message.c.author != "house"))
    if not (await connection.execute(others)).scalar():
        await connection.execute(delete(message).where(message.c.place_id == place_id))


async def _say_again(connection: AsyncConnection, place_id: int, *, cleared: int) -> None:
    """Move what is left behind the `cleared` mark: a viewer drops everything there, then reads the rest anew."""
    oldest = select(message.c.born).where(message.c.place_id == place_id).order_by(message.c.born).limit(1)
    born = (await connection.execute(oldest)).scalar()
    moved = {"cleared": cleared, "reset": cleared}
    if born is not None:
        by = cleared + 1 - born
        await connection.execute(
            update(message)
            .where(message.c.place_id == place_id)
            .values(born=message.c.born + by, ended=message.c.ended + by)
        )
        await connection.execute(
            update(piece).where(piece.c.place_id == place_id).values(clock=piece.c.clock + by)
        )
        moved = {"cleared": cleared, "reset": place.c.reset + by, "clock": place.c.clock + by}
    await connection.execute(update(place).where(place.c.id == place_id).values(moved))
