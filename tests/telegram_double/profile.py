"""The bot's name and descriptions, what it may know of chats and their members, its own reactions.

Small methods, each of which a bot calls now and then.
"""

from __future__ import annotations

from typing import Any

from aiogram.types import ChatMemberAdministrator

from tests.telegram_double.answers import Asked, Refused, method
from tests.telegram_double.state import Chat

LONGEST = {"name": 64, "description": 512, "short_description": 120}


def _set(asked: Asked, what: str) -> bool:
    text = asked.get(what, "")
    if len(text) > LONGEST[what]:
        raise asked.invalid(f"{what} is too long")
    asked.settings.texts[what, asked.get("language_code", "")] = text
    return True


def _text(asked: Asked, what: str) -> dict[str, str]:
    texts = asked.settings.texts
    return {what: texts.get((what, asked.get("language_code", "")), texts.get((what, ""), ""))}


@method("setMyName")
def set_name(asked: Asked) -> bool:
    return _set(asked, "name")


@method("getMyName")
def get_name(asked: Asked) -> dict[str, str]:
    return {"name": _text(asked, "name")["name"] or asked.world.me.name}


@method("setMyDescription")
def set_description(asked: Asked) -> bool:
    return _set(asked, "description")


@method("getMyDescription")
def get_description(asked: Asked) -> dict[str, str]:
    return _text(asked, "description")


@method("setMyShortDescription")
def set_short_description(asked: Asked) -> bool:
    return _set(asked, "short_description")


@method("getMyShortDescription")
def get_short_description(asked: Asked) -> dict[str, str]:
    return _text(asked, "short_description")


@method("getChat")
def get_chat(asked: Asked) -> dict[str, Any]:
    gifts = (
        "unlimited_gifts",
        "limited_gifts",
        "unique_gifts",
        "premium_subscription",
        "gifts_from_channels",
    )
    return asked.open_chat().as_telegram() | {
        "accent_color_id": 1,
        "max_reaction_count": 11,
        "accepted_gift_types": dict.fromkeys(gifts, False),
    }


@method("getChatMember")
def get_member(asked: Asked) -> dict[str, Any]:
    chat, user = asked.open_chat(), asked.get("user_id", 0)
    if user == asked.world.me.id:
        return member(asked.world.me.as_telegram(), chat.status)
    known = asked.world.users.get(user)
    if known is None:
        raise Refused("Bad Request: user not found")
    return member(known.as_telegram(), "member" if user in chat.members else "left")


@method("getChatMemberCount")
def count_members(asked: Asked) -> int:
    return len(asked.open_chat().members) + 1


@method("getChatAdministrators")
def administrators(asked: Asked) -> list[dict[str, Any]]:
    chat = asked.open_chat()
    if chat.private:
        raise Refused("Bad Request: there are no administrators in the private chat")
    return [member(asked.world.me.as_telegram(), chat.status)] if chat.status == "administrator" else []


@method("leaveChat")
def leave(asked: Asked) -> bool:
    chat: Chat = asked.open_chat()
    chat.status = "left"
    return True


@method("setMessageReaction")
def set_reaction(asked: Asked) -> bool:
    message = asked.message(asked.open_chat(), "message to react not found")
    message.reactions[asked.world.me.id] = [one.get("emoji", "") for one in asked.get("reaction", [])]
    return True


def member(user: dict[str, Any], status: str) -> dict[str, Any]:
    """A ChatMember of the Bot API."""
    told: dict[str, Any] = {"user": user, "status": status}
    if status == "kicked":
        told["until_date"] = 0
    if status == "administrator":
        told |= dict.fromkeys(RIGHTS, False)
    return told


# Everything that an administrator may or may not do.
RIGHTS = tuple(
    name
    for name, known in ChatMemberAdministrator.model_fields.items()
    if known.is_required() and known.annotation is bool
)
