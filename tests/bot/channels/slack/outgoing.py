"""The outgoing side of the channel before a double, the process that may die, and one question of a person."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from bot.channels.slack.api import Api, open_api
from bot.channels.slack.ladder import Timing, Wanted
from bot.channels.slack.places import Spot, message_key, person_key
from bot.channels.slack.showing import Shower
from bot.messages import Person, Question
from tests.bot.channels.telling import Asking, Books, Fate
from tests.slack_double import Message, SlackDouble

QUICK = Timing(append=0.01, edit=0.01, setback=0.02, longest_setback=0.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class MortalApi(Api):
    fate: Fate

    async def call(self, team: str, method: str, **arguments: Any) -> Mapping[str, Any]:
        await self.fate.step()
        answer = await Api.call(self, team, method, **arguments)
        await self.fate.step()
        return answer


@dataclass
class Tokens:
    """Every workspace's own."""

    slack: SlackDouble

    async def token(self, team: str, enterprise: str = "") -> str | None:
        workspace = self.slack.world.workspaces.get(team)
        return workspace.bot_token if workspace else None


@dataclass
class Out:
    """The outgoing side before a Slack."""

    slack: SlackDouble
    api: Api
    books: Books
    shower: Shower

    def asked(self, text: str = "How?", *, channel: str = "", number: int = 1, team: str = "") -> Asked:
        """A question that a person has asked in a channel."""
        workspace = self.slack.world.workspaces[team or self.slack.team]
        where = self.slack.world.channel(channel or workspace.general)
        root = self.slack.world.post(where, workspace.ann, body=text)
        spot = Spot(workspace.team, where.id, root.ts)
        return Asked(
            out=self,
            root=root,
            number=number,
            question=Question(
                message_id=number,
                key=message_key(workspace.team, where.id, root.ts),
                place=spot.place(),
                place_id=number * 10,
                person=Person("slack", person_key(workspace.team, workspace.ann), "ann"),
                attempt=1,
            ),
        )

    def again(self, *, wanted: Wanted = "auto", dies_at: int = 0) -> Shower:
        """The outgoing side of the next process: it knows nothing but what the books do."""
        self.books.fate = Fate(at=dies_at)
        api = MortalApi(
            session=self.api.session,
            tokens=self.api.tokens,
            url=self.api.url,
            budget=self.api.budget,
            backoff=self.api.backoff,
            fate=self.books.fate,
        )
        return Shower.over(api, self.books, wanted=wanted, timing=QUICK)


@dataclass(kw_only=True)
class Asked(Asking):
    """What a person asked in a thread, and sees of the answer."""

    out: Out
    root: Message
    number: int

    @property
    def seen(self) -> list[Message]:
        return self.out.slack.answers(self.root)

    @property
    def text(self) -> str:
        return "\n".join(message.text for message in self.seen)


@asynccontextmanager
async def opened(
    slack: SlackDouble, *, wanted: Wanted = "auto", timing: Timing = QUICK
) -> AsyncIterator[Out]:
    """The outgoing side before a running double."""
    async with open_api(tokens=Tokens(slack), url=slack.api_url, backoff=0.001) as api:
        api.budget.scale = 0.001  # Slack's minute takes no time here; `test_budget` keeps to it
        books = Books()
        yield Out(slack, api, books, Shower.over(api, books, wanted=wanted, timing=timing))
