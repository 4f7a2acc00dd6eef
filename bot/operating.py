"""The database for a command at the terminal: opened as the settings say, its troubles told in a sentence.

Knows how an operator's command begins and ends. What it does in between is the command's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import typer

if TYPE_CHECKING:
    from bot.store import Store

T = TypeVar("T")


@asynccontextmanager
async def open_store() -> AsyncGenerator[Store, None]:
    """The house's store, made if there is none yet."""
    from bot.settings import Settings
    from bot.store import Store

    settings = await asyncio.to_thread(Settings.read)
    await asyncio.to_thread(settings.data.mkdir, mode=0o700, parents=True, exist_ok=True)
    async with Store.open(settings.database()) as store:
        yield store


def run(work: Coroutine[Any, Any, T]) -> T:
    """Do it, or say in a sentence why not and leave."""
    from bot.settings import SettingsError
    from bot.store.errors import StoreError, sentence

    try:
        return asyncio.run(work)
    except (SettingsError, StoreError, OSError) as error:
        typer.echo(sentence(error) if isinstance(error, StoreError) else str(error), err=True)
        raise typer.Exit(2 if isinstance(error, SettingsError) else 1) from None


def day(at: float | None) -> str:
    """A moment as operators read it, in UTC; nothing for none."""
    return "" if at is None else f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}"
