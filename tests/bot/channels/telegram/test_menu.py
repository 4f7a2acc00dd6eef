"""The menu of commands: told once, in every scope and language, and anew only when it has changed."""

from __future__ import annotations

from collections.abc import AsyncIterator, MutableMapping
from typing import Any

import pytest

from bot.channels.telegram.api import Api, open_api
from bot.channels.telegram.commands import OURS
from bot.channels.telegram.menu import LANGUAGES, SCOPES, commands, differences, publish
from bot.channels.telegram.settings import TelegramSettings
from tests.bot.channels.shelf import MemoryShelf
from tests.telegram_double import TelegramDouble


@pytest.fixture
async def api(telegram: TelegramDouble) -> AsyncIterator[Api]:
    settings = TelegramSettings.model_validate(telegram.environment())
    async with open_api(token=settings.token, settings=settings, backoff=0.0) as api:
        yield api


async def test_every_scope_and_language_has_its_menu(telegram: TelegramDouble, api: Api) -> None:
    await publish(api, MemoryShelf())
    for scope in SCOPES:
        english, chinese = (telegram.settings.commands_of(scope, language) for language in LANGUAGES)
        assert list(english) == list(chinese) == list(SCOPES[scope])
        assert english["stop"] == "stop the answer"
        assert chinese["stop"] == "停止当前回答"
    assert await differences(api) == {}


async def test_a_question_needs_no_command_where_everything_is_one(
    telegram: TelegramDouble, api: Api
) -> None:
    await publish(api, MemoryShelf())
    assert "ask" in telegram.settings.commands_of("all_group_chats")
    assert "ask" not in telegram.settings.commands_of("all_private_chats")


def test_what_is_offered_is_obeyed() -> None:
    offered = {name for scope in SCOPES.values() for name in scope}
    assert offered <= OURS
    assert OURS - offered == {"start"}  # Telegram has a button for it


async def test_what_was_told_is_not_told_again(telegram: TelegramDouble, api: Api) -> None:
    shelf = MemoryShelf()
    await publish(api, shelf)
    told = len(telegram.calls_of("setMyCommands"))
    await publish(api, shelf)
    assert len(telegram.calls_of("setMyCommands")) == told == len(SCOPES) * len(LANGUAGES)


async def test_what_an_operator_has_changed_since_stays(telegram: TelegramDouble, api: Api) -> None:
    shelf = MemoryShelf()
    await publish(api, shelf)
    own = [*commands("all_private_chats", ""), {"command": "coffee", "description": "ours alone"}]
    await api.call("setMyCommands", commands=own, scope={"type": "all_private_chats"})
    await publish(api, shelf)
    assert "coffee" in telegram.settings.commands_of("all_private_chats")
    assert await differences(api) == {"all_private_chats": True}


async def test_a_menu_of_an_older_release_is_replaced(telegram: TelegramDouble, api: Api) -> None:
    shelf = MemoryShelf()
    await shelf.put(f"menu/{telegram.me.id}", "what an older one has told")
    await publish(api, shelf)
    assert await differences(api) == {}


async def test_another_bot_gets_its_own(telegram: TelegramDouble, api: Api) -> None:
    shelf = MemoryShelf()
    await publish(api, shelf)
    (note,) = shelf.notes
    shelf.notes = {note.replace(str(telegram.me.id), "7"): shelf.notes[note]}
    telegram.settings.commands.clear()
    await publish(api, shelf)
    assert await differences(api) == {}


async def test_what_goes_wrong_stops_nothing_and_is_made_good_at_the_next_start(
    telegram: TelegramDouble, api: Api, logged: list[MutableMapping[str, Any]]
) -> None:
    shelf = MemoryShelf()
    telegram.fail("setMyCommands", status=400, when=lambda call: call.arguments.get("language_code") == "zh")
    await publish(api, shelf)
    assert [line["code"] for line in logged if "menu" in line["event"]] == ["bad_request"]
    assert await differences(api) != {}
    await publish(api, shelf)
    assert await differences(api) == {}


async def test_a_database_that_is_away_stops_nothing(
    telegram: TelegramDouble, api: Api, logged: list[MutableMapping[str, Any]]
) -> None:
    await publish(api, MemoryShelf(away=True))
    assert [line["code"] for line in logged if "menu" in line["event"]] == ["the database is away"]
    assert telegram.calls_of("setMyCommands") == []
