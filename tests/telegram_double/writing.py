"""What people write: messages and edits, files and albums, and everything that is neither text nor file.

Every act changes the world first and then becomes an update, if the bot may hear of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.telegram_double import entities as marks
from tests.telegram_double import media
from tests.telegram_double.happening import Happening
from tests.telegram_double.message import Message
from tests.telegram_double.sending import post
from tests.telegram_double.state import Chat, User

ANONYMOUS = 1_087_968_824  # Telegram's own account, in whose name hidden administrators write


@dataclass(kw_only=True)
class Writing(Happening):
    """People's keyboards."""

    async def say(
        self,
        user: User | None,
        chat: Chat,
        text: str,
        *,
        topic: int = 0,
        reply_to: Message | int = 0,
        entities: Sequence[dict[str, Any]] | None = None,
        deliver: bool = True,
        **more: Any,
    ) -> Message:
        """Write a message. entities: what the person marks; mentions, commands and addresses are found besides.
        more: further fields of the Message, as Telegram tells them (sender_chat, forward_origin ...)."""
        message = self._post(user, chat, topic=topic, reply_to=reply_to)
        message.change(text, marks.found(text, entities or ()))
        message.edits = [text]
        message.more = more
        self._tell(message, deliver=deliver)
        return message

    async def say_anonymously(self, chat: Chat, text: str, **more: Any) -> Message:
        """Write in a group as its administrator who stays hidden behind it."""
        hidden = self.world.users.get(ANONYMOUS) or self.person(
            "Group", id=ANONYMOUS, username="GroupAnonymousBot", is_bot=True
        )
        return await self.say(hidden, chat, text, sender_chat=chat.as_telegram(), **more)

    def _post(
        self, user: User | None, chat: Chat, *, topic: int, reply_to: Message | int, **fields: Any
    ) -> Message:
        assert not chat.upgraded, "nobody writes in a group that became a supergroup"
        assert not topic or topic in chat.topics, f"there is no topic {topic}"
        if chat.private and chat.status == "left":
            chat.status = "member"  # whoever writes has started the bot
        replied = chat.messages.get(reply_to) if isinstance(reply_to, int) else reply_to
        assert replied is not None or not reply_to, f"there is no message {reply_to} to reply to"
        if user is not None:
            chat.members.setdefault(user.id, user)
        if replied is not None:
            topic = topic or replied.topic
        thread = 0 if replied is None or topic or chat.kind != "supergroup" else replied.thread or replied.id
        said = post(
            self.world,
            chat,
            user,
            topic=topic,
            thread=thread,
            reply_to=replied.id if replied else 0,
            **fields,
        )
        # Telegram shows what opened a topic as the message that everything in it replies to.
        said.replied = replied if replied is not None else chat.messages.get(topic)
        return said

    async def edit(
        self, message: Message, text: str, *, entities: Sequence[dict[str, Any]] | None = None
    ) -> Message:
        """Change the words (or the caption) of a person's message."""
        message.change(text, marks.found(text, entities or ()))
        message.edited = int(self.world.clock())
        self._tell(message, kind="edited_message")
        return message

    def delete(self, message: Message) -> None:
        """Somebody deletes a message; Telegram tells no bot."""
        message.chat.messages.pop(message.id, None)

    async def send_file(
        self,
        user: User,
        chat: Chat,
        name: str,
        content: bytes | str,
        *,
        caption: str = "",
        media_group: str | None = None,
        mime: str = "text/plain",
        topic: int = 0,
        reply_to: Message | int = 0,
        size: int | None = None,
        **more: Any,
    ) -> Message:
        """Send a document. size: what Telegram says it has, if not what it really has."""
        data = content.encode() if isinstance(content, str) else content
        file = self.world.keep_file(data, f"documents/file_{len(self.world.files)}.txt")
        file.size = len(data) if size is None else size
        told: dict[str, Any] = {"file_id": file.id, "file_unique_id": file.unique_id, "file_size": file.size}
        told |= ({"file_name": name} if name else {}) | ({"mime_type": mime} if mime else {})
        return self._send(
            user,
            chat,
            {"document": told},
            caption=caption,
            media_group=media_group,
            topic=topic,
            reply_to=reply_to,
            content=data,
            more=more,
        )

    async def send_other(
        self,
        user: User,
        chat: Chat,
        kind: str = "voice",
        *,
        caption: str = "",
        media_group: str | None = None,
        topic: int = 0,
        reply_to: Message | int = 0,
        **more: Any,
    ) -> Message:
        """Send what is neither text nor a document: voice, photo, video, sticker, location, contact, poll ..."""
        return self._send(
            user,
            chat,
            media.shape(self.world, kind),
            caption=caption,
            media_group=media_group,
            topic=topic,
            reply_to=reply_to,
            content=b"",
            more=more,
        )

    def _send(
        self,
        user: User,
        chat: Chat,
        held: dict[str, Any],
        *,
        caption: str,
        media_group: str | None,
        topic: int,
        reply_to: Message | int,
        content: bytes,
        more: dict[str, Any],
    ) -> Message:
        message = self._post(user, chat, topic=topic, reply_to=reply_to, media=held, content=content)
        message.change(caption, marks.found(caption))
        message.edits = [caption]
        message.media_group, message.more = media_group or "", more
        self._tell(message)
        return message
