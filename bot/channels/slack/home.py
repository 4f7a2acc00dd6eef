"""What people see of us before they ask: our home (who answers, their usage, their data), suggestions, a greeting.

Knows how it looks and what its buttons are called. Leaves what is kept of people to `belongings`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog

from bot.channels.base import Desk
from bot.channels.slack.admission import Admission
from bot.channels.slack.api import READING_PATIENCE, Api, SlackFailure
from bot.channels.slack.belongings import Belongings
from bot.channels.slack.blocks import Block
from bot.channels.slack.meanings import Event, HomeOpened, Joined, Pressed
from bot.channels.slack.people import People
from bot.channels.slack.places import CHANNEL
from bot.markup.slack import mrkdwn_escaped
from bot.messages import About, Person, Used
from bot.notices import notice

log = structlog.get_logger(__name__)

EXPORT = "frontdesk_export"
FORGET = "frontdesk_forget"
BUTTONS = frozenset({EXPORT, FORGET})

SECTION = 2_900  # characters; Slack takes 3,000 in a section, and escaping is counted
PROMPTS = 4  # more are not shown
PROMPT_TITLE = 75  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """One per channel."""

    desk: Desk
    api: Api
    people: People
    admission: Admission
    belongings: Belongings

    async def opened(self, event: Event, opened: HomeOpened) -> None:
        """A person looks at us."""
        person = await self.people.person(event.team, opened.user)
        if opened.tab == "messages":
            await self._suggest(event.team, opened.channel, person)
        else:
            await self._publish(event.team, opened.user, person)

    async def pressed(self, event: Event, pressed: Pressed) -> None:
        """A person wants their data, or wants it gone: also one whom we do not answer (any more)."""
        person = await self.people.person(event.team, pressed.user)
        if pressed.action == EXPORT:
            given = await self.belongings.give(event.team, pressed.user, person)
            said = "export_sent" if given else "export_failed"
        else:
            await self.belongings.forget(person)
            said = "forgotten"
        await self._publish(event.team, pressed.user, person, said=notice(said, person.language))

    async def joined(self, event: Event, joined: Joined) -> None:
        """We were invited to a channel: say how to ask, once, where we may answer."""
        if not joined.inviter or not self.admission.answers_in(joined.channel):
            return
        person = await self.people.person(event.team, joined.inviter)
        sentence = notice("slack_joined", person.language)
        await self._call(event.team, "chat.postMessage", channel=joined.channel, markdown_text=sentence)

    async def _suggest(self, team: str, channel: str, person: Person) -> None:
        about = self.desk.about(CHANNEL, language=person.language)
        if not about.suggestions or not channel:
            return
        prompts = [{"title": each[:PROMPT_TITLE], "message": each} for each in about.suggestions[:PROMPTS]]
        await self._call(team, "assistant.threads.setSuggestedPrompts", channel_id=channel, prompts=prompts)

    async def _publish(self, team: str, user: str, person: Person, *, said: str = "") -> None:
        about = self.desk.about(CHANNEL, language=person.language)
        used = await self.desk.used(person)
        bar = "" if self.admission.answers(user) else notice("not_for_you", person.language)
        view = {"type": "home", "blocks": _blocks(about, used, person.language, (said, bar))}
        await self._call(team, "views.publish", user_id=user, view=view)

    async def _call(self, team: str, method: str, **arguments: Any) -> None:
        """What a person sees the next time they look is not worth a second try."""
        try:
            await self.api.call(team, method, patience=READING_PATIENCE, **arguments)
        except SlackFailure as failure:
            log.info("the home could not be shown", code=failure.code, method=method)


def _blocks(about: About, used: Used, language: str, lines: Iterable[str]) -> list[Block]:
    """`lines`: what has just happened, and what stands in the way; on top."""
    return [
        *(_section(line) for line in lines if line),
        {"type": "header", "text": _plain("Frontdesk")},
        *([_section(about.greeting)] if about.greeting else []),
        _section(notice("slack_home_how", language)),
        {"type": "divider"},
        _section(notice("model", language, model=about.model)),
        _section(_usage(used, language)),
        {"type": "divider"},
        _section(notice("home_data", language)),
        {"type": "actions", "elements": [_export(language), _forget(language)]},
    ]


def _usage(used: Used, language: str) -> str:
    if not used.answers:
        return notice("home_unused", language)
    since = datetime.fromtimestamp(used.since, UTC).strftime("%Y-%m-%d")
    tokens = used.prompt_tokens + used.completion_tokens
    return notice("home_used", language, answers=f"{used.answers:,}", tokens=f"{tokens:,}", since=since)


def _export(language: str) -> Block:
    return {"type": "button", "action_id": EXPORT, "text": _plain(notice("button_export", language))}


def _forget(language: str) -> Block:
    return {
        "type": "button",
        "action_id": FORGET,
        "style": "danger",
        "text": _plain(notice("button_forget", language)),
        "confirm": {
            "title": _plain(notice("forget_title", language)),
            "text": _plain(notice("forget_text", language)),
            "confirm": _plain(notice("forget_yes", language)),
            "deny": _plain(notice("forget_no", language)),
            "style": "danger",
        },
    }


def _section(text: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": mrkdwn_escaped(text)[:SECTION]}}


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}
