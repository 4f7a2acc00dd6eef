"""A shelf in memory that keeps the house's promises about names and times, and can be away."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bot.messages import Unavailable


@dataclass
class MemoryShelf:
    clock: Callable[[], float] = time.time
    away: bool = False
    notes: dict[str, tuple[str, float | None]] = field(default_factory=dict)

    async def get(self, name: str) -> str | None:
        self._reach()
        value, until = self.notes.get(name, ("", 0.0))
        return value if until is None or until > self.clock() else None

    async def put(self, name: str, value: str, *, seconds: float | None = None) -> None:
        self._reach()
        self.notes[name] = (value, None if seconds is None else self.clock() + seconds)

    async def take(self, name: str) -> str | None:
        taken = await self.get(name)
        self.notes.pop(name, None)
        return taken

    async def drop(self, name: str) -> None:
        self._reach()
        self.notes.pop(name, None)

    async def claim(self, name: str, owner: str, *, seconds: float) -> bool:
        if await self.get(name) not in (None, owner):
            return False
        await self.put(name, owner, seconds=seconds)
        return True

    async def release(self, name: str, owner: str) -> None:
        if await self.get(name) == owner:
            await self.drop(name)

    async def names(self, prefix: str = "") -> Sequence[str]:
        self._reach()
        return sorted(
            [name for name in self.notes if name.startswith(prefix) and await self.get(name) is not None]
        )

    def _reach(self) -> None:
        if self.away:
            raise Unavailable
