"""What can be seen and what can be remembered of a place: the viewers' events and the model's history.

Reads what the other concepts wrote; writes only the reset mark. Nothing here is stored twice: events are read off
the rows themselves (born, pieces, ended), each at its moment on the place's clock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    CompoundSelect,
    Integer,
    Row,
    Select,
    String,
    Subquery,
    and_,
    bindparam,
    case,
    cast,
    exists,
    false,
    literal,
    null,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.exc import IntegrityError

from bot.messages import Author, Event, Said, State
from bot.store.clock import text_of
from bot.store.database import Database
from bot.store.tables import BIG, message, piece, place, verdict
from bot.store.values import HistoryMessage

LIMITED = ("said", "ended", "piece")  # kinds of news that are read some at a time
FIRST: Mapping[Author, State] = {"person": "queued", "model": "answering"}  # the state of what ends later


@dataclass(frozen=True, slots=True)
class Timeline:
    """Speaks to the tables of what was said, for reading."""

    database: Database

    async def timeline(self, place_id: int, *, after: int, limit: int) -> list[Event]:
        """Up to `limit` events that a viewer who has seen everything up to `after` has not seen yet, in order.

        Fewer than `limit` mean that there are no more. Pieces of one answer that follow each other directly come
        as one event. A viewer from before a deletion, or with a number this place never reached, gets `cleared`
        first and then everything that is there. Raises StoreUnavailable.
        """
        events: list[Event] = []
        complete = False
        async with self.database.read() as connection:
            while len(events) < limit and not complete:
                asked = {"place": place_id, "after": after, "some": limit}
                news = _News.of((await connection.execute(_NEWS, asked)).all(), limit, after=after)
                if news.cleared is not None:
                    events.append(Event(news.cleared, "cleared"))
                events = _joined([*events, *news.events()])
                after = events[-1].clock if events else after
                complete = news.complete
        return events[:limit]

    async def history(self, place_id: int, *, before_message_id: int, limit: int) -> list[HistoryMessage]:
        """Up to `limit` of the newest messages before one, oldest first.

        Each question is followed by its answer, whenever that was given. Nothing from before the reset mark, no
        notices, no refused messages, no answers of which nothing was shown. Raises StoreUnavailable.
        """
        async with self.database.read() as connection:
            wanted = {"place": place_id, "before": before_message_id, "some": limit}
            said = (await connection.execute(_SPOKEN, wanted)).all()
            asked = [row.id for row in said if row.author == "person"]
            told = (await connection.execute(_TOLD, {"asked": asked})).all() if asked else []
        rows = sorted(
            (*said, *told), key=lambda row: (row.reply_to if row.author == "model" else row.id, row.id)
        )
        messages = (HistoryMessage(r.id, r.author, text_of(r.content), bool(r.unclear)) for r in rows)
        return [message for message in messages if message.text][-limit:]

    async def find(self, channel: str, key: str) -> int | None:
        """The id of a place where something is kept, or None. Raises StoreUnavailable."""
        there = select(place.c.id).where(
            place.c.channel == channel,
            place.c.key == key,
            exists().where(message.c.place_id == place.c.id),
        )
        async with self.database.read() as connection:
            return (await connection.execute(there)).scalar_one_or_none()

    async def move(self, channel: str, key: str, *, to: str, site: str) -> bool:
        """Give a place another key and site; False when there is no such place, or one of that key already. Raises
        StoreUnavailable."""
        there = place.alias("there")
        taken = exists().where(there.c.channel == channel, there.c.key == to)
        moved = (
            update(place)
            .where(place.c.channel == channel, place.c.key == key, ~taken)
            .values(key=to, site=site)
        )
        try:
            async with self.database.write() as connection:
                return bool((await connection.execute(moved)).rowcount)
        except IntegrityError:  # somebody spoke there at the same moment
            return False

    async def reset(self, place_id: int) -> None:
        """Let the history begin anew after this moment; viewers keep what they see. Raises StoreUnavailable."""
        marked = update(place).where(place.c.id == place_id).values(reset=place.c.clock)
        async with self.database.write() as connection:
            await connection.execute(marked)


_HISTORY = (message.c.id, message.c.author, message.c.content, message.c.reply_to)
_JUDGED = exists().where(verdict.c.message_id == message.c.id, verdict.c.direction == "input")
# Of a person: hidden in part, stopped in the shadow, or never judged (its check failed, or it was stopped before).
_UNCLEAR = and_(
    message.c.author == "person",
    or_(
        _JUDGED.where(verdict.c.action.in_(("redact", "block"))),
        ~_JUDGED,
    ),
)
# The newest words of people and operators,
_SPOKEN = (
    select(*_HISTORY, _UNCLEAR.label("unclear"))
    .where(message.c.place_id == bindparam("place"), message.c.author.in_(("person", "operator")))
    .where(message.c.state.not_in(("refused", "replaced")), message.c.id < bindparam("before", type_=BIG))
    .where(
        message.c.born
        > select(place.c.reset).where(place.c.id == bindparam("place", type_=BIG)).scalar_subquery()
    )
    .order_by(message.c.born.desc())
    .limit(bindparam("some", type_=Integer()))
)
# and the answers to them that are not under way any more.
_TOLD = select(*_HISTORY, false().label("unclear")).where(
    message.c.reply_to.in_(bindparam("asked", expanding=True)),
    message.c.author == "model",
    message.c.ended.is_not(None),
)


def _news() -> CompoundSelect[Any]:
    """Everything that a viewer lacks, in one statement: a viewer asks this at every piece.

    Kinds of rows: `mark` (the place: its clock, where it was cleared, from where the viewer is served), `said`,
    `ended` and `piece` (each the next `some` after that), `seen` (earlier pieces of the same answers).
    """
    here, after = bindparam("place", type_=BIG), bindparam("after", type_=BIG)
    lost = or_(after < place.c.cleared, after > place.c.clock)
    mark = (
        select(place.c.clock, place.c.cleared, case((lost, place.c.cleared), else_=after).label("since"))
        .where(place.c.id == here)
        .cte("mark")
    )
    since = select(mark.c.since).scalar_subquery()
    told = (
        _row("piece", at=piece.c.clock, id=piece.c.answer_id, text=piece.c.text, reply_to=message.c.reply_to)
        .join_from(piece, message, message.c.id == piece.c.answer_id)
        .where(piece.c.place_id == here, piece.c.clock > since)
        .order_by(piece.c.clock)
        .limit(bindparam("some", type_=Integer()))
        .cte("told")
    )
    seen = _row("seen", at=piece.c.clock, id=piece.c.answer_id, text=piece.c.text).where(
        piece.c.answer_id.in_(select(told.c.id)), piece.c.clock <= since
    )
    return union_all(
        _row("mark", at=mark.c.clock, id=mark.c.cleared, reply_to=mark.c.since),
        select(_messages("said", message.c.born, here, since)),
        select(_messages("ended", message.c.ended, here, since)),
        select(told),
        seen,
    )


def _row(kind: str, **columns: ColumnElement[Any]) -> Select[Any]:
    """A row of the news: the columns given, the others empty."""
    kinds: dict[str, Any] = {"at": BIG, "id": BIG, "author": String(), "content": JSON(), "text": String()}
    kinds |= {"state": String(), "reply_to": BIG, "finished": BIG}
    values = (columns.get(name, cast(null(), kind_)).label(name) for name, kind_ in kinds.items())
    return select(literal(kind).label("kind"), *values)


def _messages(
    kind: str, clock: ColumnElement[Any], here: ColumnElement[Any], since: ColumnElement[Any]
) -> Subquery:
    c = message.c
    row = _row(
        kind,
        at=clock,
        id=c.id,
        author=c.author,
        content=c.content,
        state=c.state,
        reply_to=c.reply_to,
        finished=c.ended,
    )
    some = bindparam("some", type_=Integer())
    return row.where(c.place_id == here, clock > since).order_by(clock).limit(some).subquery(kind)


_NEWS = _news()


@dataclass(frozen=True, slots=True)
class _News:
    """The rows of one look. `cleared`: where the viewer has to drop everything, or None."""

    rows: dict[str, list[Row[Any]]]
    cleared: int | None
    until: int | None  # what goes further than this has to wait: one of the sources was not read to its end

    @classmethod
    def of(cls, rows: Sequence[Row[Any]], limit: int, *, after: int) -> _News:
        by_kind: dict[str, list[Row[Any]]] = {"mark": [], "said": [], "ended": [], "piece": [], "seen": []}
        for row in rows:
            by_kind[row.kind].append(row)
        for some in by_kind.values():
            some.sort(key=lambda row: int(row.at))
        ends = [some[-1].at for kind, some in by_kind.items() if kind in LIMITED and len(some) >= limit]
        cleared = next((mark.id for mark in by_kind["mark"] if mark.reply_to != after), None)
        return cls(by_kind, cleared, min(ends, default=None))

    @property
    def complete(self) -> bool:
        return self.until is None

    def events(self) -> list[Event]:
        before: defaultdict[int, str] = defaultdict(str)
        for row in self.rows["seen"]:
            before[row.id] += row.text
        events = [*map(_born, self.rows["said"]), *map(_ended, self.rows["ended"])]
        events += _told_on(self.rows["piece"], before)
        events.sort(key=lambda event: event.clock)
        return [event for event in events if self.until is None or event.clock <= self.until]


def _born(row: Row[Any]) -> Event:
    """As it was when it began, whatever it has become: viewers who come late see the same events."""
    state = row.state if row.finished is None else FIRST.get(row.author, row.state)
    text = "" if row.author == "model" else text_of(row.content)
    return Event(row.at, "said", Said(row.id, row.author, text, state, row.reply_to))


def _ended(row: Row[Any]) -> Event:
    return Event(row.at, "ended", Said(row.id, row.author, text_of(row.content), row.state, row.reply_to))


def _told_on(rows: Sequence[Row[Any]], so_far: defaultdict[int, str]) -> Iterator[Event]:
    for row in rows:
        seen = so_far[row.id]
        so_far[row.id] = seen + row.text
        said = Said(row.id, "model", so_far[row.id], "answering", row.reply_to)
        yield Event(row.at, "piece", said, text=row.text, before=seen)


def _joined(events: Iterable[Event]) -> list[Event]:
    """Pieces of one answer that follow each other, as one: a late viewer is sent an answer, not its history."""
    joined: list[Event] = []
    for event in events:
        last = joined[-1] if joined else None
        if last and event.kind == last.kind == "piece" and _message(event) == _message(last):
            joined[-1] = replace(event, text=last.text + event.text, before=last.before)
        else:
            joined.append(event)
    return joined


def _message(event: Event) -> int | None:
    return event.said.message_id if event.said else None
