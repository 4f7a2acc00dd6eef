"""An update as python-telegram-bot parses it: those kinds that we handle, and of a message only what we read.

Knows what that is. Leaves what it means to `events`.

2026-12: the library insists on every field that its own version of the Bot API has. What somebody writes below a poll
must not be lost because an older server tells less of polls.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from telegram import Update

from bot.messages import Unreadable

Body = Mapping[str, Any]

HANDLED: Final = (  # the kinds of updates that we ask Telegram for
    "message",
    "edited_message",
    "callback_query",
    "message_reaction",
    "my_chat_member",
    "stopped_message_generation",
)
NEWEST: Final = frozenset({"stopped_message_generation"})  # of these; older servers do not know it
GENERAL: Final = 1  # the topic where a forum's other messages are

WHOSE = frozenset({"message_id", "date", "chat", "from", "sender_chat", "author_signature"})
WHERE = frozenset({"message_thread_id", "is_topic_message", "business_connection_id", "is_automatic_forward"})
READ = WHOSE | WHERE | {"document", "media_group_id", "migrate_from_chat_id", "migrate_to_chat_id"}


def kind_of(body: Body) -> str | None:
    """What kind of update it is, None when it is none that we handle."""
    return next((kind for kind in HANDLED if body.get(kind) is not None), None)


def parsed(body: Body) -> Update:
    """Raises Unreadable, which says nothing of what stands in it."""
    kind = kind_of(body)
    try:
        if kind is None:
            return Update(body["update_id"])
        told = dict(body[kind])
        if kind in ("message", "edited_message"):
            told = _needed(told)
        elif kind == "callback_query" and told.get("message") is not None:
            told["message"] = _needed(told["message"])
        elif kind == "my_chat_member":
            told |= {name: _without_rights(told[name]) for name in ("old_chat_member", "new_chat_member")}
        return Update.de_json({"update_id": body["update_id"], kind: told})
    except Exception as error:  # whatever a strange shape makes the library stumble over
        raise Unreadable(type(error).__name__) from error


def _needed(message: Body) -> dict[str, Any]:
    return {name: value for name, value in message.items() if name in READ}


def _without_rights(member: Body) -> dict[str, Any]:
    """Of a status that has none, which `events` reads for itself."""
    return {"user": member["user"], "status": "left"}
