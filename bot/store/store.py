"""The Store: one door to everything that is kept. Each verb belongs to the concept file that it comes from."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text

from bot.store.amending import Amending
from bot.store.answers import Answers
from bot.store.database import Database, opened
from bot.store.events import Events
from bot.store.inbox import Inbox
from bot.store.keys import Keys
from bot.store.links import Links
from bot.store.outbox import Outbox
from bot.store.people import People
from bot.store.retention import Retention
from bot.store.schema import migrate
from bot.store.sessions import Sessions
from bot.store.shelf import Shelf
from bot.store.spending import Spending
from bot.store.timeline import Timeline
from bot.store.verdicts import Verdicts


class Store:
    """One per process. Every verb raises StoreUnavailable while the database is away, locked or full."""

    def __init__(self, database: Database) -> None:
        people = People(database)
        answers = Answers(database)
        inbox = Inbox(database, people, answers)
        timeline = Timeline(database)
        sessions = Sessions(database, people)
        keys = Keys(database)
        verdicts = Verdicts(database)
        events = Events(database)
        amending = Amending(database, people, inbox)
        outbox = Outbox(database)
        retention = Retention(database)
        spending = Spending(database)
        links = Links(database, people)
        self._database = database
        # what platforms deliver
        self.keep_event = events.keep
        self.take_events = events.take
        self.hold_events = events.hold
        self.event_handled = events.handled
        self.postpone_event = events.postpone
        self.put_event_back = events.put_back
        self.give_up_event = events.give_up
        self.clear_events = events.clear
        # what comes in
        self.accept = inbox.accept
        self.seen = inbox.seen
        self.spent = spending.spent
        self.revise = amending.revise
        self.withdraw = amending.withdraw
        self.again = amending.again
        self.rate = amending.rate
        self.obeyed = inbox.obeyed
        self.lease = inbox.lease
        self.renew = inbox.renew
        self.release = inbox.release
        self.request_cancel = inbox.request_cancel
        # what is answered
        self.begin = answers.begin
        self.add_piece = answers.add_piece
        self.finish = answers.finish
        self.note = answers.note
        # what was brought to a platform
        self.told = answers.told
        self.delivered = answers.delivered
        self.sendings = outbox.sendings
        self.answer_at = outbox.answer_at
        self.sent = outbox.sent
        # what was judged, and what people make of it
        self.add_verdict = verdicts.add_verdict
        self.add_verdicts = verdicts.add_verdicts
        self.waiting = verdicts.waiting
        self.verdict = verdicts.verdict
        self.decide = verdicts.decide
        self.decisions = verdicts.decisions
        self.clear_texts = verdicts.clear_texts
        # what is seen and remembered
        self.timeline = timeline.timeline
        self.history = timeline.history
        self.reset = timeline.reset
        self.find = timeline.find
        self.move = timeline.move
        # whose it is
        self.who = people.who
        self.asker = people.asker
        self.used = people.used
        self.export = people.export
        self.forget = people.forget
        self.agree = people.agree
        self.agreed = people.agreed
        self.people = people.people
        self.elsewhere = links.elsewhere
        self.invite = links.invite
        self.invited = links.invited
        self.link = links.link
        self.channels = retention.channels
        self.clear_messages = retention.clear_messages
        self.open_session = sessions.open_session
        self.session = sessions.session
        # who may ask, and what it cost
        self.create_key = keys.create_key
        self.key = keys.key
        self.keys = keys.keys
        self.revoke_key = keys.revoke_key
        self.add_usage = keys.add_usage
        self.audit = keys.audit

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str) -> AsyncIterator[Store]:
        """Open the database of `url` and bring it to this version's schema; replicas may do so at the same time.

        Takes postgresql://, postgres:// and sqlite:///path. Raises WrongDatabaseUrl, StoreMismatch, StoreUnavailable.
        """
        async with opened(url) as database:
            await migrate(database)
            yield cls(database)

    def shelf(self, channel: str) -> Shelf:
        """A channel's own notes."""
        return Shelf(self._database, channel)

    async def ping(self) -> None:
        """Return when the database answers, and takes what is written once it did not. Raises StoreUnavailable."""
        async with self._database.read() as connection:
            await connection.execute(text("SELECT 1"))
        if self._database.full.is_set():  # it is read all the same
            async with self._database.write() as connection:
                await connection.execute(text("UPDATE alembic_version SET version_num = version_num"))
            self._database.full.clear()
