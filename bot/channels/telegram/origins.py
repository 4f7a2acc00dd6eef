"""Where something in an update comes from, and from whom: the conversation, the person, their ids.

Knows the library's chats and users. Leaves what an update means to `events`, and what a message says to `sayings`.
"""

from __future__ import annotations

from telegram import Chat, Message, User

from bot.channels.telegram.api import Me
from bot.channels.telegram.meanings import Sender
from bot.channels.telegram.parsing import GENERAL
from bot.channels.telegram.places import Spot


def spot_of(message: Message, me: Me) -> Spot:
    """The conversation that a message belongs to."""
    thread = message.message_thread_id if message.is_topic_message else None  # replies have threads, too
    return Spot(me.id, id_of(message.chat), topic_of(thread))


def topic_of(thread: int | None) -> int:
    """The topic of a thread, 0 where that is none."""
    return 0 if thread is None or thread == GENERAL else whole(thread)


def person_of(user: User | None) -> Sender | None:
    """Who it is, None for a bot."""
    if user is None or user.is_bot:
        return None
    return Sender(id=whole(user.id), name=user.full_name, language=user.language_code or "")


def id_of(chat: Chat) -> int:
    """Raises TypeError."""
    return whole(chat.id)


def whole(value: object) -> int:
    """What has to be a whole number. Raises TypeError: the library lets everything pass."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("an id is no whole number")
    return value
