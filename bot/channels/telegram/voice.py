"""What the house itself says in Telegram: sentences, questions with buttons, and the words beside a pressed button.

Knows how a sentence gets there once, however often its event is read. One that can never be said is logged and let go:
what it is about has happened. Leaves the sentences to `bot.notices`, and answers to `showing`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import structlog

from bot.channels.base import Desk
from bot.channels.telegram.api import Api, TelegramFailure
from bot.channels.telegram.gone import Gone
from bot.channels.telegram.keyboards import Keyboard, nothing
from bot.channels.telegram.mending import mendable
from bot.channels.telegram.places import CHANNEL, Spot
from bot.markup.telegram import Rendered, parts, render

log = structlog.get_logger(__name__)

SAID_SECONDS = 2 * 86_400.0  # longer than an event can be read again
PATIENCE = 10.0  # seconds that a sentence waits for its turn
STALE = 60.0  # seconds, as a group's full minute takes; what would have to wait for longer is no news
TOAST = 200  # characters beside a pressed button
_MARKS = re.compile(r"([\\`*_~|#<>\[\]])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """One per channel."""

    desk: Desk
    api: Api
    gone: Gone

    async def say(
        self,
        spot: Spot,
        sentence: str,
        *,
        reply_to: int = 0,
        keyboard: Keyboard | None = None,
        once: str = "",
        seconds: float = SAID_SECONDS,
    ) -> None:
        """Into a chat. `once`: what it must not be said again for, so many seconds long.

        Raises Unavailable, and TelegramFailure where a later try may do.
        """
        shelf, note = self.desk.shelf(CHANNEL), f"said/{once}"
        if once and await shelf.get(note):
            return
        said = parts(sentence)
        for number, part in enumerate(said):
            await self._send(
                "sendMessage",
                spot,
                render(part.text),
                message_thread_id=spot.thread,
                reply_parameters=_reply(reply_to) if reply_to and not number else None,
                reply_markup=keyboard if number == len(said) - 1 else None,
            )
        if once:
            await shelf.put(note, "1", seconds=seconds)

    async def unsay(self, once: str) -> None:
        """What was said for that may be said again."""
        await self.desk.shelf(CHANNEL).drop(f"said/{once}")

    async def change(
        self, spot: Spot, message_id: int, sentence: str, *, keyboard: Keyboard | None = None
    ) -> None:
        """Put other words, and other buttons or none, in the place of a message of ours. Raises as `say`."""
        await self._send(
            "editMessageText",
            spot,
            render(sentence),
            message_id=message_id,
            reply_markup=keyboard or nothing(),
        )

    async def mark(self, spot: Spot, message_id: int, keyboard: Keyboard) -> None:
        """Put other buttons below a message of ours. Raises as `say`."""
        await self._call("editMessageReplyMarkup", spot, message_id=message_id, reply_markup=keyboard)

    async def toast(self, query: str, sentence: str = "") -> None:
        """Say that a pressed button was heard. It has done what it does: where this fails, it is let go."""
        try:
            await self.api.call(
                "answerCallbackQuery",
                patience=PATIENCE,
                callback_query_id=query,
                text=sentence[:TOAST] or None,
            )
        except TelegramFailure as failure:
            log.info("a pressed button could not be answered", code=failure.code)

    async def _send(self, method: str, spot: Spot, said: Rendered, **arguments: Any) -> None:
        words = {"text": said.text, "link_preview_options": {"is_disabled": True}, **arguments}
        try:
            await self._call(method, spot, entities=list(said.entities) or None, **words)
        except _EntitiesRefused:
            await self._call(method, spot, **words)

    async def _call(self, method: str, spot: Spot, **arguments: Any) -> None:
        try:
            await self.api.call(method, chat=spot.chat, patience=PATIENCE, **arguments)
        except TelegramFailure as failure:
            if failure.code == "not_modified":
                return
            if failure.code == "entities" and arguments.get("entities"):
                raise _EntitiesRefused from None
            if failure.code == "forbidden":
                await self.gone.mark(spot.chat)
            if mendable(failure) and not failure.lost and failure.retry_after <= STALE:
                raise
            log.warning("a sentence could not be said", code=failure.code, method=method, chat=spot.chat)


class _EntitiesRefused(Exception):
    """The same as plain text will do."""


def plain(words: str) -> str:
    """Words of others in a sentence of ours, where they mean no Markdown."""
    return _MARKS.sub(r"\\\1", " ".join(words.split()))


def _reply(message_id: int) -> dict[str, Any]:
    return {"message_id": message_id, "allow_sending_without_reply": True}
