"""The chats that have blocked or removed us: nothing is sent there until they want us back.

Knows where that is kept, and for how long it is believed. Leaves noticing it to its users.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.channels.base import Shelf

DAY = 24 * 3600.0  # seconds; a chat whose return we missed is silent no longer than that


@dataclass(frozen=True, slots=True)
class Gone:
    """One per channel. Every verb may raise Unavailable."""

    shelf: Shelf

    async def mark(self, chat: int) -> None:
        """A chat does not want us."""
        await self.shelf.put(_name(chat), "gone", seconds=DAY)

    async def clear(self, chat: int) -> None:
        """It does again."""
        await self.shelf.drop(_name(chat))

    async def is_gone(self, chat: int) -> bool:
        """Whether a chat does not want us, as far as is known."""
        return await self.shelf.get(_name(chat)) is not None


def _name(chat: int) -> str:
    return f"gone/{chat}"
