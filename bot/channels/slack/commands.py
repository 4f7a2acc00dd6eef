"""Our slash command, and our entry in the menu of a message: questions without a thread, and words that steer.

Knows where such a question gets its thread: in the channel where it was asked if we are in it, else in the person's
direct messages with us. Leaves the answer to the house.

2026-11: the thread's root of a question is noted before the house takes it in, and carries the question's key: read
again after a crash, it posts no second one. It says who asks, not what: nobody has looked at those words yet, and it
stands under our name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from bot.channels.base import Desk
from bot.channels.slack.admission import Admission
from bot.channels.slack.api import READING_PATIENCE, Api, SlackFailure
from bot.channels.slack.belongings import Belongings
from bot.channels.slack.intake import Intake, quoted
from bot.channels.slack.meanings import Asked, Commanded, Event
from bot.channels.slack.people import People
from bot.channels.slack.places import CHANNEL, Spot, command_key, shortcut_key
from bot.channels.slack.posting import is_by
from bot.channels.slack.scopes import COMMAND
from bot.channels.slack.trouble import meaning
from bot.channels.slack.voice import Voice, direct_channel
from bot.markup.slack import neutral
from bot.messages import Incoming, Person, Refusal
from bot.notices import notice

log = structlog.get_logger(__name__)

ROOT = "frontdesk_root"  # the type of a root's metadata
PAGE, PAGES = 200, 5  # messages of a channel that are looked through for a root, the newest first
ROOT_SECONDS = 86_400.0  # that a root is known to whoever reads the command again


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """What both ways have in common. `root`: what the root of a thread for it says; `retried`: it was read before."""

    team: str
    channel: str
    person: Person
    user: str
    key: str
    reply_to: str
    root: str
    retried: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """One per channel."""

    desk: Desk
    api: Api
    people: People
    admission: Admission
    intake: Intake
    belongings: Belongings
    voice: Voice

    async def given(self, event: Event, given: Commanded, *, retried: bool) -> None:
        """The slash command: a word that steers, or a question."""
        person = await self.people.person(event.team, given.user)
        words = {
            "": "help",
            "help": "help",
            "model": "model",
            "stop": "stop",
            "reset": "reset",
            "forget": "forget",
            "link": "link",
            "usage": "usage",
        }
        word = words.get(given.text.strip().removeprefix("/").lower())
        if word:
            await self.voice.reply(given.reply_to, await self._obey(word, event, given, person))
        elif not self.admission.answers(given.user):
            await self.voice.reply(given.reply_to, notice("not_for_you", person.language))
        else:
            await self._question(event, given, person, retried=retried)

    async def asked(self, event: Event, asked: Asked, *, retried: bool) -> None:
        """A word on somebody's message, quoted, in the thread of that message."""
        person = await self.people.person(event.team, asked.user)
        if not self.admission.answers(asked.user):
            await self.voice.reply(asked.reply_to, notice("not_for_you", person.language))
            return
        words = await self.intake.plain(event.team, asked.text)
        if not words:
            await self.voice.reply(asked.reply_to, notice("empty", person.language))
            return
        author = (await self.people.person(event.team, asked.author)).name if asked.author else ""
        name = author or notice("somebody", person.language)
        request = _Request(
            team=event.team,
            channel=asked.channel,
            person=person,
            user=asked.user,
            key=shortcut_key(event.team, asked.trigger),
            reply_to=asked.reply_to,
            root=notice("slack_about", person.language, author=name),
            retried=retried,
        )
        text = notice("ask_about", person.language, author=name, quote=quoted(words))
        there = await self._is_in(event.team, asked.channel)
        spot = Spot(event.team, asked.channel, asked.thread) if there else await self._direct_root(request)
        await self._receive(request, spot, text)

    # -- words that steer --------------------------------------------------------------------------------------

    async def _obey(self, word: str, event: Event, given: Commanded, person: Person) -> str:
        """Do it; returns what to say."""
        language = person.language
        if word == "model":
            about = self.desk.about(CHANNEL, language=language, site=given.channel)
            return notice("model", language, model=about.model)
        if word == "forget":
            await self.belongings.forget(person)
            return notice("forgotten", language)
        if word == "usage":
            return await self.desk.today(person)
        if word == "link":  # its answer is for this person's eyes alone
            addresses = await self.desk.invitations(person)
            name = "link" if addresses else "link_nowhere"
            return notice(name, language, addresses="\n".join(addresses))
        if word == "help":
            return notice("slack_help", language, command=COMMAND)
        spot = await self.intake.last(event.team, given.channel, person)
        if word == "reset":
            return await self._reset(event, given, person, spot)
        stopped = spot is not None and await self.intake.stop(spot)
        return notice("stopped" if stopped else "nothing_to_stop", language)

    async def _reset(self, event: Event, given: Commanded, person: Person, spot: Spot | None) -> str:
        if spot is None:
            return notice("nothing_to_reset", person.language)
        key = command_key(event.team, given.trigger)
        reset = Incoming(key=key, place=spot.place(), person=person, text="/reset")
        received = await self.intake.receive(spot, reset)
        return received.sentence if isinstance(received, Refusal) else notice("reset", person.language)

    # -- questions ---------------------------------------------------------------------------------------------

    async def _question(self, event: Event, given: Commanded, person: Person, *, retried: bool) -> None:
        text = await self.intake.plain(event.team, given.text)
        name = person.name or notice("somebody", person.language)
        request = _Request(
            team=event.team,
            channel=given.channel,
            person=person,
            user=given.user,
            key=command_key(event.team, given.trigger),
            reply_to=given.reply_to,
            root=notice("slack_asks", person.language, person=name),
            retried=retried,
        )
        spot = await self._root(request)
        await self._receive(request, spot, text)

    async def _receive(self, request: _Request, spot: Spot | None, text: str) -> None:
        if spot is None:
            await self.voice.reply(request.reply_to, notice("slack_no_thread", request.person.language))
            return
        incoming = Incoming(key=request.key, place=spot.place(), person=request.person, text=text)
        received = await self.intake.receive(spot, incoming, asked_in=request.channel)
        if isinstance(received, Refusal):
            await self.voice.reply(request.reply_to, received.sentence)
        elif spot.channel != request.channel:
            await self.voice.reply(request.reply_to, notice("slack_in_direct", request.person.language))

    async def _root(self, request: _Request) -> Spot | None:
        """The thread for a question: where it was asked if we are let, else in direct messages."""
        if self.admission.answers_in(request.channel):
            try:
                return await self._noted_root(request, request.channel)
            except SlackFailure as failure:
                if failure.lost or meaning(failure) == "later":
                    return _let_go(failure)
        return await self._direct_root(request)

    async def _direct_root(self, request: _Request) -> Spot | None:
        """A thread in direct messages; None where nothing can be posted."""
        try:
            channel = await direct_channel(self.api, request.team, request.user)
            return await self._noted_root(request, channel)
        except SlackFailure as failure:
            return _let_go(failure)

    async def _noted_root(self, request: _Request, channel: str) -> Spot:
        """A thread whose root says who asks, posted once."""
        shelf, name = self.desk.shelf(CHANNEL), f"root/{request.key}"
        if noted := await shelf.get(name):
            return Spot(request.team, *noted.split("/"))
        ts = (await self._found_root(request, channel) if request.retried else "") or (
            await self._posted_root(request, channel)
        )
        await shelf.put(name, f"{channel}/{ts}", seconds=ROOT_SECONDS)
        return Spot(request.team, channel, ts)

    async def _posted_root(self, request: _Request, channel: str) -> str:
        posted = await self.api.call(
            request.team,
            "chat.postMessage",
            channel=channel,
            patience=READING_PATIENCE,
            markdown_text=neutral(request.root),
            metadata={"event_type": ROOT, "event_payload": {"key": request.key}},
            unfurl_links=False,
            unfurl_media=False,
        )
        return str(posted["ts"])

    async def _found_root(self, request: _Request, channel: str) -> str:
        """The root that an earlier try posted without our noting it; "" when there is none among the latest."""
        bot, cursor = await self.api.bot(request.team), ""
        for _ in range(PAGES):
            try:
                page = await self.api.call(
                    request.team,
                    "conversations.history",
                    channel=channel,
                    patience=READING_PATIENCE,
                    limit=PAGE,
                    include_all_metadata=True,
                    cursor=cursor or None,
                )
            except SlackFailure as failure:
                if meaning(failure) != "otherwise":
                    raise
                log.warning("a channel cannot be searched: a root may come twice", code=failure.code)
                return ""
            for message in page.get("messages", ()):
                if is_by(bot, message) and _root_key(message) == request.key:
                    return str(message["ts"])
            cursor = str((page.get("response_metadata") or {}).get("next_cursor") or "")
            if not cursor:
                break
        return ""

    async def _is_in(self, team: str, channel: str) -> bool:
        """Whether we may answer in a channel, and are a member: else what follows in a thread would not reach us."""
        if not self.admission.answers_in(channel):
            return False
        try:
            found = (
                await self.api.call(team, "conversations.info", channel=channel, patience=READING_PATIENCE)
            )["channel"]
        except SlackFailure as failure:
            if meaning(failure) == "later":
                raise
            return (
                False  # somebody's direct messages, or a private channel: Slack does not even name it to us
            )
        return bool(found.get("is_member"))


def _root_key(message: Mapping[str, Any]) -> str:
    """The key of the question that one of our messages is the root of, "" if it is none."""
    metadata = message.get("metadata") or {}
    return str(metadata.get("event_payload", {}).get("key", "")) if metadata.get("event_type") == ROOT else ""


def _let_go(failure: SlackFailure) -> Spot | None:
    """No thread then; or raise it again where a later try may do. What was perhaps posted is not posted again."""
    if not failure.lost and meaning(failure) == "later":
        raise failure
    log.warning("a question got no thread", code=failure.code, method=failure.method)
    return None
