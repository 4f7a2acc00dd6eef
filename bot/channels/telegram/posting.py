"""What can be done in one spot for one question: send, change and delete messages, show a draft.

Knows the Bot API's methods. What may be refused for its formatting goes once more as plain text. Leaves when each is
done, and what a failure means, to its users.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from bot.channels.telegram.api import PATIENCE, Api, TelegramFailure
from bot.channels.telegram.content import Content
from bot.channels.telegram.places import Spot, message_id_of, message_key
from bot.channels.telegram.trouble import NOT_FORMATTED
from bot.messages import Question

log = structlog.get_logger(__name__)

GROWING_WITHIN = 8.0  # seconds for the answer to an edit: the end of the answer waits for it
DRAFT_WITHIN = 3.0  # for a draft: it is only a preview
NO_PREVIEW = {"is_disabled": True}


@dataclass(frozen=True, slots=True)
class Sent:
    """A new message of ours: what the house knows it by, and its number in the chat."""

    key: str
    message_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """One question's."""

    api: Api
    spot: Spot
    question: Question

    async def send(self, content: Content, *, reply: bool, urgent: bool) -> Sent:
        """A new message. `reply`: it shows what it replies to, where others write, too. When it is not urgent it does
        not wait for its turn."""
        said = {**self._where(reply=reply), "link_preview_options": NO_PREVIEW}
        return self._sent(await self._say("sendMessage", content, urgent=urgent, **said))

    async def send_rich(self, markdown: str, keyboard: Mapping[str, Any] | None, *, reply: bool) -> Sent:
        """A new message of Markdown that Telegram reads itself."""
        said = await self.api.call(
            "sendRichMessage",
            chat=self.spot.chat,
            urgent=True,
            rich_message={"markdown": markdown, "skip_entity_detection": True},  # it mentions nobody
            reply_markup=keyboard,
            **self._where(reply=reply),
        )
        return self._sent(said)

    async def edit(self, message_id: int, content: Content, *, urgent: bool) -> None:
        """Put other content into a message; that it is there already is no failure."""
        try:
            await self._say(
                "editMessageText",
                content,
                urgent=urgent,
                message_id=message_id,
                link_preview_options=NO_PREVIEW,
            )
        except TelegramFailure as failure:
            if failure.code != "not_modified":
                raise

    async def show_draft(self, content: Content) -> None:
        """What the person sees of an answer that is not there yet, with a button that stops it."""
        await self._say(
            "sendMessageDraft",
            content,
            urgent=False,
            within=DRAFT_WITHIN,
            draft_id=draft_id_of(self.question.message_id),
            message_thread_id=self.spot.thread,
            can_stop=True,
        )

    async def take_buttons(self, message_id: int) -> None:
        """Leave a message without buttons."""
        await self.api.call(
            "editMessageReplyMarkup", chat=self.spot.chat, message_id=message_id, urgent=True, patience=5.0
        )

    async def delete(self, message_id: int) -> None:
        """Take a message away; that it is gone already is no failure."""
        try:
            await self.api.call("deleteMessage", chat=self.spot.chat, message_id=message_id)
        except TelegramFailure as failure:
            if failure.code != "not_found":
                raise

    def _where(self, *, reply: bool) -> dict[str, Any]:
        asked = self._asked() if reply and not self.spot.private else None
        replying = {"message_id": asked, "allow_sending_without_reply": True} if asked else None
        return {"message_thread_id": self.spot.thread, "reply_parameters": replying}

    def _asked(self) -> int | None:
        """The message that is answered, if it is one, and in this chat."""
        here = self.question.key.startswith(f"{self.spot.bot}/{self.spot.chat}/")
        return message_id_of(self.question.key) if here else None

    def _sent(self, said: Mapping[str, Any]) -> Sent:
        message_id = int(said["message_id"])
        chat = int((said.get("chat") or {}).get("id") or self.spot.chat)  # it may have moved
        return Sent(message_key(self.spot.bot, chat, message_id), message_id)

    async def _say(self, method: str, content: Content, *, urgent: bool, **more: Any) -> Any:
        """A call that takes content, once more without its formatting where that may be why it is refused."""
        if not urgent:
            more = {"within": GROWING_WITHIN, **more}
        message = content.message
        given = {
            "chat": self.spot.chat,
            "urgent": urgent,
            "patience": PATIENCE if urgent else 0.0,
            "text": message.text,
            "reply_markup": content.keyboard,
            **more,
        }
        try:
            return await self.api.call(method, entities=list(message.entities) or None, **given)
        except TelegramFailure as failure:
            if failure.code not in NOT_FORMATTED or not message.entities:
                raise
            log.warning("a message was refused: the same goes as plain text", why=failure.description)
        return await self.api.call(method, **{**given, "patience": PATIENCE if urgent else 1.5})


def draft_id_of(message_id: int) -> int:
    """The draft of the answer to a question: 31 bits, never 0."""
    return 1 + message_id % (2**31 - 1)
