"""What every channel promises, whoever wrote it: each module of bot.channels is found by its name and tried here."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import pkgutil
from collections.abc import AsyncGenerator

import pytest
from aiohttp import web

from bot import channels
from bot.channels.base import ChannelOptions
from bot.messages import Ending, Notice, Person, Place, Question, Shown

NAMES = [module.name for module in pkgutil.iter_modules(channels.__path__) if module.name != "base"]


def test_the_web_channel_is_found_by_its_name() -> None:
    assert "web" in NAMES


@pytest.fixture(params=NAMES)
def module(request: pytest.FixtureRequest):
    return importlib.import_module(f"bot.channels.{request.param}")


def test_a_channel_is_opened_by_keywords_and_says_what_it_knows(module) -> None:
    assert list(inspect.signature(module.open_channel).parameters) == ["desk", "options"]
    assert module.__doc__


async def test_without_its_variables_a_channel_stays_closed_and_the_web_needs_none(
    module, desk, tmp_path
) -> None:
    async with module.open_channel(desk=desk, options=ChannelOptions(data=tmp_path)) as channel:
        name = module.__name__.rpartition(".")[2]
        assert channel.name == name if name == "web" else channel is None


async def test_a_channel_keeps_the_protocol(module, desk, tmp_path) -> None:
    async with module.open_channel(desk=desk, options=ChannelOptions(data=tmp_path)) as channel:
        if channel is None:
            return  # its variables are not set here; its own tests open it
        web.Application().add_routes(channel.routes())
        running = asyncio.ensure_future(channel.run())
        shown: list[str] = []

        async def answer() -> AsyncGenerator[Shown | Notice | Ending, None]:
            yield Shown(1, 1, "Hello.")
            shown.append("Hello.")
            yield Notice("The end.")
            shown.append("The end.")
            yield Ending(1, "done")
            shown.append("Ended.")

        place = Place(channel.name, "1", "demo")
        question = Question(1, "1", place, 1, Person(channel.name, "ann"), attempt=1)
        await channel.show(question, answer())
        assert shown == ["Hello.", "The end.", "Ended."]  # the answer was taken to its end
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
