"""What Telegram delivers, read: an update as it came in, and what it means for us as a plain frozen value.

Knows buttons, reactions, drafts, coming and going, parsed by python-telegram-bot; messages stand in `sayings`, in which
order updates are read in `lanes`. Asks nobody and does nothing: whether we answer stands in `admission`, what happens
then in `intake`, `commands`, `actions` and `reactions`.

2026-12: each update is parsed on its own. The library's Updater parses a batch as one, and asks for the same batch
again and again, hundreds of times a second, when one update in it cannot be parsed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from telegram import Chat, Message, ReactionTypeEmoji, Update

from bot.channels.telegram.api import Me
from bot.channels.telegram.lanes import lane
from bot.channels.telegram.meanings import (
    DraftStopped,
    Event,
    Meaning,
    Member,
    Pressed,
    Reacted,
    Sender,
)
from bot.channels.telegram.origins import id_of, person_of, spot_of, topic_of, whole
from bot.channels.telegram.parsing import HANDLED, kind_of, parsed
from bot.channels.telegram.places import Spot, update_key
from bot.channels.telegram.sayings import read_edit, read_message
from bot.messages import Unreadable

__all__ = ["HANDLED", "UNSTORABLE", "lane", "read"]

Body = Mapping[str, Any]

UNSTORABLE: Final = "frontdesk_unstorable"  # holds the words of an update that the house could not keep
HERE = frozenset({"member", "administrator", "creator"})
AWAY = frozenset({"left", "kicked"})


def read(body: Body, *, me: Me) -> Event | None:
    """What an update means, or None when it is nothing to us. Raises Unreadable."""
    if UNSTORABLE in body:
        raise Unreadable("the house could not keep it as it came")
    if kind_of(body) is None:
        return None
    try:
        meaning = _meaning(body, me)
        key = update_key(me.id, whole(body["update_id"]))
    except Unreadable:
        raise
    except Exception as error:  # a strange shape that the library lets pass
        raise Unreadable(type(error).__name__) from error
    return Event(key=key, meaning=meaning, raw=body) if meaning else None


def _meaning(body: Body, me: Me) -> Meaning | None:
    update, kind = parsed(body), kind_of(body)
    return _READERS[kind](update, body[kind], me) if kind else None


def _pressed(update: Update, raw: Body, me: Me) -> Meaning | None:
    query = update.callback_query
    sender = person_of(query.from_user) if query else None
    if query is None or sender is None or query.data is None:
        return None
    message = query.message
    gone = message is not None and not message.is_accessible
    if message is None:  # too old; it is answered nevertheless
        spot, message_id = Spot(me.id, sender.id), 0
    elif isinstance(message, Message):
        spot, message_id = spot_of(message, me), message.message_id
    else:
        spot, message_id = Spot(me.id, id_of(message.chat)), message.message_id
    return Pressed(
        spot=spot, message_id=message_id, sender=sender, query=query.id, data=query.data, gone=gone
    )


def _reacted(update: Update, raw: Body, me: Me) -> Meaning | None:
    reaction = update.message_reaction
    if reaction is None:
        return None
    sender = person_of(reaction.user)
    if sender is None and reaction.actor_chat is not None:
        sender = Sender(id=id_of(reaction.actor_chat), name=reaction.actor_chat.title or "")
    if sender is None:
        return None
    return Reacted(
        spot=Spot(me.id, id_of(reaction.chat)),  # Telegram does not tell the topic
        message_id=reaction.message_id,
        sender=sender,
        emoji=frozenset(_emoji(reaction.new_reaction)),
        before=frozenset(_emoji(reaction.old_reaction)),
    )


def _member(update: Update, raw: Body, me: Me) -> Meaning | None:
    change = update.my_chat_member
    if change is None or change.chat.type == Chat.CHANNEL:
        return None
    before, now = _is_here(raw["old_chat_member"]), _is_here(raw["new_chat_member"])
    if now is None or now == before:
        return None  # other rights
    user = change.from_user
    return Member(
        spot=Spot(me.id, id_of(change.chat)),
        sender=Sender(id=user.id, name=user.full_name, language=user.language_code or ""),
        here=now,
    )


def _draft_stopped(update: Update, raw: Body, me: Me) -> Meaning:
    """Of Bot API 10.3, which the library does not know yet."""
    chat, draft = whole(raw["chat"]["id"]), whole(raw["draft_id"])
    return DraftStopped(spot=Spot(me.id, chat, topic_of(raw.get("message_thread_id"))), draft_id=draft)


def _is_here(member: Body) -> bool | None:
    """Whether we are in a chat; None: a status that we do not know."""
    status = member.get("status")
    if status == "restricted":
        return member.get("is_member") is True
    return True if status in HERE else False if status in AWAY else None


def _emoji(reactions: Any) -> list[str]:
    return [each.emoji for each in reactions if isinstance(each, ReactionTypeEmoji)]


_READERS: Final[Mapping[str, Callable[[Update, Any, Me], Meaning | None]]] = {
    "message": read_message,
    "edited_message": read_edit,
    "callback_query": _pressed,
    "message_reaction": _reacted,
    "my_chat_member": _member,
    "stopped_message_generation": _draft_stopped,
}
