"""What can be done in one thread for one question: post, stream, change, delete, and find again what we posted.

Knows the Web API's methods and our metadata. Leaves when each is done, and what a failure means, to its users.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.channels.slack.api import PATIENCE, Api, Bot, SlackFailure
from bot.channels.slack.blocks import Content
from bot.channels.slack.people import People
from bot.channels.slack.places import Spot, team_and_user, ts_of
from bot.channels.slack.trouble import BLOCKS_REFUSED, NOTHING_SHOWN, STREAM_OVER
from bot.messages import Question

EVENT = "frontdesk_answer"  # the type of our messages' metadata
ASIDE = 0  # the part number of what stands beside the answer: "please wait", a Stop button
PAGE = 200  # messages read at once
START_PATIENCE = 5.0  # seconds that a stream may wait to begin; a plain post is better than a later stream
GROWING_PATIENCE = 5.0  # seconds that a bit more of an answer may wait; it goes with the next bit then

Mark = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """A message of ours in the thread. `mark` is our metadata's payload, empty when there is none yet."""

    ts: str
    mark: Mark
    empty: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """One question's."""

    api: Api
    people: People
    spot: Spot
    question: Question

    def mark(self, number: int, **more: int | bool) -> dict[str, Any]:
        """The metadata of a message that carries a part of the answer."""
        return {"question": self.question.message_id, "part": number, **more}

    async def post(self, content: Content, mark: Mark, *, patience: float = PATIENCE) -> str:
        """A new message, whole; returns its ts."""
        said = {
            "thread_ts": self.spot.thread,
            "metadata": _metadata(mark),
            "unfurl_links": False,
            "unfurl_media": False,
            "patience": patience,
        }
        return str((await self._say("chat.postMessage", content, **said))["ts"])

    async def update(self, ts: str, content: Content, mark: Mark, *, urgent: bool) -> None:
        """Put other content into a message."""
        await self._say(
            "chat.update",
            content,
            ts=ts,
            metadata=_metadata(mark),
            urgent=urgent,
            patience=PATIENCE if urgent else GROWING_PATIENCE,
        )

    async def start(self, *, urgent: bool) -> str:
        """A new message that will grow, empty; returns its ts."""
        person = {}
        if not self.spot.channel.startswith("D"):  # a direct message has one reader
            team, user = team_and_user(self.question.person.key)
            home = await self.people.home(team, user)
            person = {"recipient_team_id": home, "recipient_user_id": user}
        answer = await self._call(
            "chat.startStream",
            thread_ts=self.spot.thread,
            urgent=urgent,
            patience=START_PATIENCE,
            **person,
        )
        return str(answer["ts"])

    async def append(self, ts: str, text: str) -> None:
        """Let a growing message grow."""
        await self._call("chat.appendStream", ts=ts, markdown_text=text, patience=GROWING_PATIENCE)

    async def stop(
        self, ts: str, *, text: str = "", content: Content, mark: Mark, session_status: str | None = None
    ) -> None:
        """Let a growing message grow for a last time; what of `content` is not the model's goes below."""
        given = {
            "ts": ts,
            "markdown_text": text or None,
            "metadata": _metadata(mark),
            "session_status": session_status,
            "urgent": True,
        }
        await self._call("chat.stopStream", blocks=content.below or None, **given)

    async def halt(self, ts: str) -> None:
        """See that a message grows no more, whatever it shows; what is over is no failure."""
        try:
            await self._end(ts, None)
        except SlackFailure as failure:
            if failure.code != NOTHING_SHOWN:
                raise
            await self._end(ts, "…")

    async def delete(self, ts: str, *, patience: float = PATIENCE) -> None:
        """Take a message away."""
        await self._call("chat.delete", ts=ts, urgent=True, patience=patience)

    async def ours(self, *, patience: float = PATIENCE) -> list[Found]:
        """Our messages in the thread that are newer than the question, oldest first."""
        bot = await self.api.bot(self.spot.team)
        since = ts_of(self.question.key) or self.spot.thread
        found, cursor = [], ""
        while True:
            page = await self._call(
                "conversations.replies",
                ts=self.spot.thread,
                oldest=since,
                limit=PAGE,
                include_all_metadata=True,
                cursor=cursor or None,
                urgent=True,
                patience=patience,
            )
            messages = page.get("messages", ())
            found += [_found(each) for each in messages if each["ts"] > since and is_by(bot, each)]
            cursor = str((page.get("response_metadata") or {}).get("next_cursor") or "")
            if not cursor:
                return found

    async def _end(self, ts: str, text: str | None) -> None:
        try:
            await self._call("chat.stopStream", ts=ts, markdown_text=text, urgent=True)
        except SlackFailure as failure:
            if failure.code not in STREAM_OVER:
                raise

    async def _say(self, method: str, content: Content, **more: Any) -> Mapping[str, Any]:
        """A call that takes content, once more without blocks where they are refused."""
        try:
            return await self._call(method, blocks=content.blocks, text=content.excerpt, **more)
        except SlackFailure as failure:
            if failure.code not in BLOCKS_REFUSED:
                raise
        return await self._call(method, markdown_text=content.alone, **more)

    async def _call(self, method: str, **arguments: Any) -> Mapping[str, Any]:
        return await self.api.call(self.spot.team, method, channel=self.spot.channel, **arguments)


def _metadata(mark: Mark) -> dict[str, Any]:
    return {"event_type": EVENT, "event_payload": dict(mark)}


def is_by(bot: Bot, message: Mapping[str, Any]) -> bool:
    """Whether a message is ours."""
    return message.get("user") == bot.user_id or message.get("bot_id") == bot.bot_id


def _found(message: Mapping[str, Any]) -> Found:
    metadata = message.get("metadata") or {}
    mark = metadata.get("event_payload", {}) if metadata.get("event_type") == EVENT else {}
    return Found(str(message["ts"]), mark, not message.get("text") and not message.get("blocks"))
