"""The commands that Telegram offers beside the field for a message: which ones, where, and in which language.

Knows when they must be told anew. Leaves what a command does to `commands`.

2026-12: what was told last is noted on the shelf, for each bot: three times two calls at every start of every process
would say the same again, and would undo what an operator has changed since.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Final

import structlog

from bot.channels.base import Shelf
from bot.channels.telegram.api import Api, TelegramFailure
from bot.messages import Unavailable
from bot.notices import notice

log = structlog.get_logger(__name__)

Command = dict[str, str]

IN_GROUPS: Final = ("ask", "stop", "reset", "model", "usage", "privacy", "forget", "help")
IN_PRIVATE: Final = IN_GROUPS[1:]  # where everything is a question anyway
SCOPES: Final[Mapping[str, Sequence[str]]] = {
    "all_private_chats": IN_PRIVATE,
    "all_group_chats": IN_GROUPS,
    "default": IN_GROUPS,
}
LANGUAGES: Final = ("", "zh")  # as Telegram calls them; "": everybody else's, which is English here


def commands(scope: str, language: str) -> list[Command]:
    """The menu of one scope in one language, as Telegram takes it."""
    return [
        {"command": name, "description": notice(f"telegram_menu_{name}", language or "en")}
        for name in SCOPES[scope]
    ]


async def publish(api: Api, shelf: Shelf) -> None:
    """Tell Telegram the menus, if they are others than those told last. A menu is a courtesy: what goes wrong with it
    is logged, and tried again at the next start."""
    told = _digest()
    try:
        note = f"menu/{(await api.me()).id}"
        if await shelf.get(note) == told:
            return
        for scope in SCOPES:
            for language in LANGUAGES:
                await _set(api, scope, language)
        await shelf.put(note, told)
    except TelegramFailure as failure:
        log.warning("the menu of commands could not be set", code=failure.code)
    except Unavailable:
        log.warning("the menu of commands could not be set", code="the database is away")


async def differences(api: Api) -> dict[str, bool]:
    """The scopes where Telegram offers other commands than ours, and whether any at all. Raises TelegramFailure."""
    offered = {scope: [await _offered(api, scope, language) for language in LANGUAGES] for scope in SCOPES}
    return {scope: any(menus) for scope, menus in offered.items() if menus != _ours(scope)}


def _ours(scope: str) -> list[list[Command]]:
    return [commands(scope, language) for language in LANGUAGES]


async def _offered(api: Api, scope: str, language: str) -> list[Command]:
    said = await api.call("getMyCommands", scope={"type": scope}, language_code=language or None)
    if not isinstance(said, list) or not all(isinstance(each, Mapping) for each in said):
        raise TelegramFailure("unreadable", method="getMyCommands")
    return [{name: str(each.get(name, "")) for name in ("command", "description")} for each in said]


async def _set(api: Api, scope: str, language: str) -> None:
    await api.call(
        "setMyCommands",
        commands=commands(scope, language),
        scope={"type": scope},
        language_code=language or None,
    )


def _digest() -> str:
    said = {scope: _ours(scope) for scope in SCOPES}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
