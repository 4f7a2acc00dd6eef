"""Who there is and where: people, chats, groups and topics; who comes, goes, blocks the bot.

Knows which messages the bot may hear of. Leaves what is written to `writing` and what is pressed to `pressing`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.telegram_double import entities as marks
from tests.telegram_double.message import Message
from tests.telegram_double.profile import member
from tests.telegram_double.sending import post
from tests.telegram_double.settings import Settings
from tests.telegram_double.state import Chat, User, World
from tests.telegram_double.updates import Update, Updates


@dataclass(kw_only=True)
class Happening:
    """`world`, `settings` and `updates` are there for tests that want to look deeper."""

    world: World
    settings: Settings
    updates: Updates

    @property
    def me(self) -> User:
        return self.world.me

    def person(
        self,
        name: str = "Ann",
        *,
        language: str = "en",
        id: int | None = None,  # noqa: A002 (the Bot API's word)
        username: str = "",
        is_bot: bool = False,
    ) -> User:
        return self.world.person(name, language=language, id=id, username=username, is_bot=is_bot)

    def private(self, user: User, *, started: bool = True) -> Chat:
        """The person's chat with the bot. Not started: the bot may not write before the person has."""
        known = user.id in self.world.chats
        chat = self.world.private(user)
        if not started and not known:
            chat.status = "left"
        return chat

    def group(
        self,
        title: str,
        *users: User,
        forum: bool = False,
        supergroup: bool = True,
        admin: bool = True,
        member: bool = True,
    ) -> Chat:
        """A group with the bot in it already. admin: reactions reach the bot, and privacy mode does not matter."""
        chat = self.world.group(title, supergroup=supergroup or forum, forum=forum)
        chat.members |= {user.id: user for user in users}
        chat.status = ("administrator" if admin else "member") if member else "left"
        return chat

    def topic(self, chat: Chat, name: str, *, user: User | None = None) -> int:
        """A new topic; its number is that of the message that opened it."""
        assert chat.forum or chat.private, "only forums and private chats have topics"
        message = post(self.world, chat, user or next(iter(chat.members.values()), self.me))
        message.more = {"forum_topic_created": {"name": name, "icon_color": 7322096}}
        message.topic = message.id
        chat.topics[message.id] = name
        self.settings.topics = self.settings.topics or chat.private
        return message.id

    def delete_topic(self, chat: Chat, topic: int) -> None:
        """The topic is gone, with all that was said in it."""
        del chat.topics[topic]
        for message in [message for message in chat.messages.values() if message.topic == topic]:
            del chat.messages[message.id]

    def mention(self, user: User | None = None) -> str:
        """How to call somebody by name; the bot if nobody else."""
        return f"@{(user or self.me).username}"

    async def block(self, user: User) -> Update:
        return self._becomes(user, self.private(user), "kicked")

    async def unblock(self, user: User) -> Update:
        return self._becomes(user, self.private(user), "member")

    async def add(self, user: User, chat: Chat, *, admin: bool = False) -> Update:
        """Somebody brings the bot into a group."""
        update = self._becomes(user, chat, "administrator" if admin else "member")
        came = post(self.world, chat, user)
        came.more = {"new_chat_members": [self.me.as_telegram()]}
        self._tell(came)
        return update

    async def remove(self, chat: Chat, *, user: User | None = None, kicked: bool = True) -> Update:
        """Somebody throws the bot out of a group."""
        by = user or next(iter(chat.members.values()), None) or self.person("Owner")
        return self._becomes(by, chat, "kicked" if kicked else "left")

    def _becomes(self, by: User, chat: Chat, status: Any) -> Update:
        before, chat.status = chat.status, status
        told = {
            "chat": chat.as_telegram(),
            "from": by.as_telegram(),
            "date": int(self.world.clock()),
            "old_chat_member": member(self.me.as_telegram(), before),
            "new_chat_member": member(self.me.as_telegram(), status),
        }
        return self.updates.add("my_chat_member", told)

    async def migrate(self, chat: Chat, *, user: User | None = None) -> Chat:
        """A group becomes a supergroup with another id; each tells of the other."""
        assert chat.kind == "group", "only small groups become supergroups"
        by = user or next(iter(chat.members.values()), None)
        new = self.world.group(chat.title, supergroup=True, forum=False)
        new.members, new.status = dict(chat.members), chat.status
        left = post(self.world, chat, by)
        left.more = {"migrate_to_chat_id": new.id}
        chat.upgraded = new.id
        came = post(self.world, new, by)
        came.more = {"migrate_from_chat_id": chat.id}
        self._tell(left)
        self._tell(came)
        return new

    def _tell(self, message: Message, *, kind: str = "message", deliver: bool = True) -> None:
        if deliver and self._hears(message):
            message.update = self.updates.add(kind, message.as_telegram())

    def _hears(self, message: Message) -> bool:
        """Whether a message reaches the bot: in privacy mode only what is meant for it does."""
        chat = message.chat
        if not chat.here:
            return False
        if chat.private or self.settings.reads_groups or chat.status == "administrator":
            return True
        replied = message.replied
        if (replied is not None and replied.sender is self.me) or not (message.text or message.media):
            return True
        for entity in message.entities:
            piece = marks.piece(message.text, entity).lower()
            name = f"@{self.me.username.lower()}"
            if entity["type"] == "bot_command" and ("@" not in piece or piece.endswith(name)):
                return True
            if (entity["type"] == "mention" and piece == name) or (
                entity["type"] == "text_mention" and entity["user"]["id"] == self.me.id
            ):
                return True
        return False
