"""In which order updates are read: those of one lane after each other, lanes beside each other; and whom one is about.

Knows as much of an update as that takes, and trips over none: it works on any JSON. Leaves what one means to `events`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bot.channels.telegram.parsing import GENERAL, kind_of, parsed
from bot.messages import Unreadable

Body = Mapping[str, Any]

ALBUM = re.compile(r"[0-9A-Za-z_-]{1,64}")


def lane(body: Body) -> str:
    """What an update must not overtake: the messages of its chat and topic, in most cases.

    What people do with buttons and reactions waits behind no message, only behind what the same person has done with
    the same message. Pictures and files that were sent at once wait for each other while they are read. What cannot be
    read delays nothing.
    """
    return (_lane(body) if _readable(body) else "") or f"update/{body.get('update_id')}"


def person(body: Body) -> str:
    """The key of whom an update is about, empty if that does not stand in it."""
    for kind in ("message", "edited_message", "callback_query", "message_reaction", "my_chat_member"):
        if told := _map(body, kind):
            chat, speaks = _map(told, "chat").get("id"), _map(told, "sender_chat").get("id")
            anonymous = speaks if speaks == chat else _map(told, "actor_chat").get("id")
            user = _map(told, "from").get("id") or _map(told, "user").get("id")
            return _key(anonymous or user)
    return _key(_map(_map(body, "stopped_message_generation"), "chat").get("id"))


def _lane(body: Body) -> str:
    for kind in ("message", "edited_message"):
        if message := _map(body, kind):
            return _of_a_message(message)
    if query := _map(body, "callback_query"):
        below = _map(query, "message")
        return f"{_chat(below)}/query/{_map(query, 'from').get('id')}/{below.get('message_id')}"
    if reaction := _map(body, "message_reaction"):
        return f"{_chat(reaction)}/reaction/{person(body)}/{reaction.get('message_id')}"
    if member := _map(body, "my_chat_member"):
        return f"{_chat(member)}/0"  # who unblocks us and writes must be known to be there again
    if stopped := _map(body, "stopped_message_generation"):
        return f"{_chat(stopped)}/draft/{stopped.get('draft_id')}"
    return ""


def _of_a_message(message: Body) -> str:
    thread = message.get("message_thread_id") if message.get("is_topic_message") is True else 0
    there = f"{_chat(message)}/{0 if thread == GENERAL else thread}"
    album = message.get("media_group_id")
    if isinstance(album, str) and ALBUM.fullmatch(album):
        return f"{there}/album/{album}/{message.get('message_id')}"
    return there


def _chat(told: Body) -> Any:
    return _map(told, "chat").get("id")


def _readable(body: Body) -> bool:
    try:
        parsed(body)
    except Unreadable:
        return False
    return kind_of(body) is not None


def _key(value: object) -> str:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def _map(body: Body, name: str) -> Body:
    value = body.get(name)
    return value if isinstance(value, Mapping) else {}
