"""The tables: what is kept of people, places, messages and answers.

Knows columns, keys and indexes. What they mean to each other over time stands in the concept files beside.
Changing anything here needs a migration; a test compares the two on both databases.
"""

from typing import Any, ClassVar, cast

from sqlalchemy import JSON, BigInteger, Column, Double, ForeignKey, Index, Integer, MetaData, Table, text
from sqlalchemy import UniqueConstraint as Unique
from sqlmodel import Field, SQLModel

# SQLite numbers rows by themselves only in a column called exactly INTEGER.
BIG = BigInteger().with_variant(Integer(), "sqlite")
# Literal, so that both databases use the partial indexes.
UNFINISHED = "state IN ('received', 'leased')"
WAITING = "review = 'pending'"
TEXT_KEPT = "text IS NOT NULL"
NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
NEVER_REUSED = {"sqlite_autoincrement": True}  # a viewer may still hold the id of what was deleted


class Kept(SQLModel):
    """The base of all tables, with a metadata of its own."""

    metadata: ClassVar[MetaData] = MetaData(naming_convention=NAMES)


def _id() -> Any:
    return Field(default=None, sa_column=Column(BIG, primary_key=True))


def _to(target: str, *, null: bool = False, gone: str | None = None, **options: Any) -> Any:
    """A reference; `gone` says what becomes of this row when the other is deleted."""
    column = Column(BIG, ForeignKey(target, ondelete=gone), nullable=null, **options)
    return Field(default=None, sa_column=column)


def _big(*, null: bool = False) -> Any:
    return Field(default=None, sa_column=Column(BIG, nullable=null))


def _time(*, null: bool = False) -> Any:
    return Field(default=None, sa_column=Column(Double(), nullable=null))


def _json() -> Any:
    return Field(sa_column=Column(JSON(), nullable=False))


class Person(Kept, table=True):
    """Someone. Several identities may come to mean one person."""

    id: int | None = _id()
    name: str
    language: str
    created: float = _time()


class Identity(Kept, table=True):
    """A person's name in one channel."""

    __table_args__ = (Unique("channel", "key"),)

    id: int | None = _id()
    person_id: int = _to("person.id", index=True)
    channel: str
    key: str


class Consent(Kept, table=True):
    """What a person has agreed to, or taken back; the newest row of a kind counts."""

    id: int | None = _id()
    person_id: int = _to("person.id", index=True)
    kind: str
    given: bool
    created: float = _time()


class Place(Kept, table=True):
    """A conversation. Its clock counts what a viewer can see happen, in the order of commits."""

    __table_args__ = (Unique("channel", "key"), NEVER_REUSED)

    id: int | None = _id()
    channel: str
    key: str
    site: str
    tenant: str
    mode: str  # assistant, human, closed
    persona: str
    language: str
    clock: int = _big()
    reset: int = _big()  # the clock at the last /reset: the model reads nothing from before
    cleared: int = _big()  # the clock at the last deletion: viewers drop everything from before
    created: float = _time()


class Message(Kept, table=True):
    """Something said: by a person, the model (an answer), an operator or the house (a notice)."""

    __table_args__ = (Index(None, "place_id", "born"), Index(None, "place_id", "ended"), NEVER_REUSED)

    id: int | None = _id()
    place_id: int = _to("place.id")
    person_id: int | None = _to("person.id", null=True, index=True)
    author: str
    content: list[dict[str, str]] = _json()  # typed parts, see `clock.parts`
    state: str  # queued, answering, done, stopped, failed, refused, replaced (asked again since)
    reply_to: int | None = _to("message.id", null=True, gone="CASCADE", index=True)
    born: int = _big()  # the place's clock when it began to exist
    ended: int | None = _big(null=True)  # and when it reached its last state, if that came later
    correlation: str
    created: float = _time()


class Inbox(Kept, table=True):
    """What came in, once for each key of a channel (P1), and who answers it until when."""

    __table_args__ = (
        Unique("channel", "key"),
        Index(
            "ix_inbox_unfinished",
            "place_id",
            "id",
            sqlite_where=text(UNFINISHED),
            postgresql_where=text(UNFINISHED),
        ),
        NEVER_REUSED,
    )

    id: int | None = _id()
    channel: str
    key: str
    place_id: int = _to("place.id")
    message_id: int | None = _to("message.id", null=True, gone="SET NULL", index=True)
    state: str  # received, leased, answered, refused, failed; a command: commanded, answered
    owner: str
    lease_until: float | None = _time(null=True)  # of one that is received: not to be tried again before
    attempt: int
    cancelled: bool  # someone said stop while it was leased
    outcome: str  # the state that follows once the answer, which has ended, was brought to its platform; else empty
    failures: int  # of its channel to show it
    created: float = _time()


class Answer(Kept, table=True):
    """How an answer came about: one row beside the message that is the answer."""

    message_id: int | None = Field(
        default=None,
        sa_column=Column(
            BIG, ForeignKey("message.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
        ),
    )
    variant: str
    persona: str
    policy: str
    sampling: dict[str, Any] = _json()
    prompt_hash: str
    finish_reason: str


class Piece(Kept, table=True):
    """A judged bit of an answer: what a viewer reads, what a resume starts from, what an audit finds."""

    __table_args__ = (Unique("answer_id", "seq"), Index(None, "place_id", "clock"))

    id: int | None = _id()
    answer_id: int = _to("message.id", gone="CASCADE")
    place_id: int = _to("place.id")
    attempt: int
    seq: int
    text: str
    size: int  # characters as the model wrote them
    token_ids: list[int] = _json()
    action: str  # what the screen decided
    clock: int = _big()


class Outbox(Kept, table=True):
    """What a channel has sent of the answer to a question: the platform's own names for it, so that a restart goes on
    and does not repeat."""

    __table_args__ = (Unique("message_id", "platform_key"),)

    id: int | None = _id()
    message_id: int = _to("message.id", gone="CASCADE")  # the question's: a refusal has no answer
    platform_key: str = Field(index=True)  # a Slack ts, a Telegram message id
    open: bool  # more is to come into it
    detail: dict[str, Any] = _json()  # the channel's own
    created: float = _time()


class PlatformEvent(Kept, table=True):
    """What a platform delivered, as it came, until it was read: a channel acknowledges once it lies here."""

    __tablename__ = "event"
    __table_args__ = (
        Unique("channel", "key"),
        Index(
            "ix_event_unfinished",
            "channel",
            "lane",
            "id",
            sqlite_where=text(UNFINISHED),
            postgresql_where=text(UNFINISHED),
        ),
        NEVER_REUSED,
    )

    id: int | None = _id()
    channel: str
    key: str
    person: str  # who it is about, by the channel's key; may be empty
    lane: str  # what has to be read in order
    body: dict[str, Any] | None = Field(
        default=None, sa_column=Column(JSON(none_as_null=True), nullable=True)
    )
    state: str  # received, leased, handled (its body is gone), failed
    owner: str
    lease_until: float | None = _time(null=True)  # of one that is received: not to be tried again before
    attempt: int
    failures: int
    created: float = _time()


class ShelfNote(Kept, table=True):
    """What a channel keeps for itself: a token, an offset, the settings of a workspace."""

    __tablename__ = "shelf"
    __table_args__ = (Unique("channel", "name"),)

    id: int | None = _id()
    channel: str
    name: str
    value: str
    until: float | None = _time(null=True)  # none: for good
    created: float = _time()


class Verdict(Kept, table=True):
    """What the screen found in a text: of a message, of a piece of an answer, or of a request to /v1."""

    __table_args__ = (
        Index(
            "ix_verdict_waiting",
            "id",
            sqlite_where=text(WAITING),
            postgresql_where=text(WAITING),
        ),
        Index(
            "ix_verdict_text_kept",
            "created",
            sqlite_where=text(TEXT_KEPT),
            postgresql_where=text(TEXT_KEPT),
        ),
    )

    id: int | None = _id()
    message_id: int | None = _to("message.id", null=True, gone="CASCADE", index=True)  # none for /v1
    place_id: int | None = _to("place.id", null=True)
    channel: str
    caller: str  # the name of the key that asked, for /v1
    direction: str
    action: str
    findings: list[dict[str, Any]] = _json()  # check, action, category, score, threshold, span
    scores: dict[str, float] = _json()  # by category; empty when no classifier judged
    language: str
    model: str  # the classifier
    policy: str
    text_hash: str = Field(index=True)  # SHA-256 of the text as it was judged
    text: str | None  # only while there is something to review and retention allows
    created: float = _time()
    review: str | None  # pending, approved (it was fine), rejected (rightly stopped); none: nobody is asked
    reviewed_by: str
    reviewed_at: float | None = _time(null=True)
    note: str


class Feedback(Kept, table=True):
    """A thumb, one a person and answer."""

    __table_args__ = (Unique("message_id", "person_id"),)

    id: int | None = _id()
    message_id: int = _to("message.id", gone="CASCADE")
    person_id: int = _to("person.id")
    value: int
    reason: str
    created: float = _time()


class WebSession(Kept, table=True):
    """A browser's way into a place. Tokens are kept as hashes; the one before stays good for a while."""

    __tablename__ = "session"

    id: int | None = _id()
    token_hash: str = Field(unique=True)
    previous_hash: str | None = Field(default=None, index=True)
    previous_until: float = _time()
    place_id: int = _to("place.id")
    person_id: int = _to("person.id")
    origin: str
    created: float = _time()
    seen: float = _time()


class ApiKey(Kept, table=True):
    """A key for /v1, kept as a hash."""

    __tablename__ = "api_key"

    id: int | None = _id()
    token_hash: str = Field(unique=True)
    name: str
    screen: str  # hold, shadow, off
    scopes: list[str] = _json()
    created: float = _time()
    last_used: float | None = _time(null=True)
    revoked: float | None = _time(null=True)


class Usage(Kept, table=True):
    """What an answer cost. Numbers only: it outlives the message, so it refers to it without a foreign key."""

    __table_args__ = (Index(None, "person_id", "created"), Index(None, "place_id", "created"))

    id: int | None = _id()
    key_id: int | None = _to("api_key.id", null=True)
    person_id: int | None = _to("person.id", null=True)
    place_id: int | None = _to("place.id", null=True)
    message_id: int | None = _big(null=True)
    model: str
    screen: str
    prompt_tokens: int
    completion_tokens: int
    engine_ms: float = _time()
    created: float = Field(sa_column=Column(Double(), nullable=False, index=True))


class Audit(Kept, table=True):
    """Who did what that someone may ask about later."""

    id: int | None = _id()
    action: str
    subject: str
    detail: dict[str, Any] = _json()
    created: float = _time()


def _table(model: type[SQLModel]) -> Table:
    return cast(Table, vars(model)["__table__"])


metadata = Kept.metadata
person, identity, consent = _table(Person), _table(Identity), _table(Consent)
place, message, inbox = _table(Place), _table(Message), _table(Inbox)
answer, piece, outbox = _table(Answer), _table(Piece), _table(Outbox)
event, shelf = _table(PlatformEvent), _table(ShelfNote)
verdict, feedback = _table(Verdict), _table(Feedback)
session, api_key = _table(WebSession), _table(ApiKey)
usage, audit = _table(Usage), _table(Audit)
