"""What a person sent at once, which Telegram tells item by item: gathered into one question.

Knows how the events of its items agree on who goes on with all of them. Leaves what is said there to `intake`.

2026-12: nothing tells how many items there are. Each writes down what it brings, waits, and the first that claims the
album takes what there is by then. What it took is noted before it goes on: an item that came too late goes on alone,
and a first one that dies begins again with the same items.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace

from bot.channels.base import Desk, Shelf
from bot.channels.telegram.meanings import Edited, File, Said, Sender
from bot.channels.telegram.places import CHANNEL, Spot

ALBUM_SECONDS = 1.0  # that the items of an album arrive after each other
KEPT_SECONDS = 3_600.0
CLAIM_SECONDS = 30.0  # until another item takes over from one that died
LOOK_SECONDS = 0.25  # between two looks at what the first has taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Albums:
    """One per channel."""

    desk: Desk
    _open: dict[Said, asyncio.Event] = field(default_factory=dict)  # what is being read; set when it is over

    @contextmanager
    def reading(self, item: Said) -> Iterator[None]:
        """An item is being read until the block ends; what is said after it may wait for that."""
        over = self._open[item] = asyncio.Event()
        try:
            yield
        finally:
            self._open.pop(item, None)
            over.set()

    async def over(self, said: Said) -> None:
        """Wait until what was sent at once before that, in the same place, has been read or could not be.

        In this process: where another reads it, it may come later.
        """
        for item, over in list(self._open.items()):
            if item.spot == said.spot and item.message_id < said.message_id:
                await over.wait()

    async def gathered(self, key: str, item: Said) -> Sequence[Said]:
        """All that belongs to an item, in order; nothing when the event of another one goes on with it.

        `key` is its event's. Raises Unavailable.
        """
        shelf, album = self.desk.shelf(CHANNEL), _Album.of(item)
        await shelf.put(album.item(item.message_id), _encoded(item), seconds=KEPT_SECONDS)
        await asyncio.sleep(ALBUM_SECONDS)
        while not await shelf.claim(album.claim, key, seconds=CLAIM_SECONDS):
            if noted := await shelf.get(album.taken):
                return () if item.message_id in json.loads(noted) else (item,)
            await asyncio.sleep(LOOK_SECONDS)
        return await self._taken(shelf, album, item)

    async def changed(self, edited: Edited) -> Sequence[Said]:
        """All that belongs to an item whose words have changed, with its new ones; nothing where it went on alone, or
        that was long ago. Raises Unavailable."""
        shelf, album = self.desk.shelf(CHANNEL), _Album.of(edited)
        name = album.item(edited.message_id)
        noted, kept = await shelf.get(album.taken), await shelf.get(name)
        taken = json.loads(noted) if noted else []
        if kept is None or edited.message_id not in taken:
            return ()
        item = replace(_decoded(kept), text=edited.text)
        await shelf.put(name, _encoded(item), seconds=KEPT_SECONDS)
        return await self._items(shelf, album, taken)

    async def _taken(self, shelf: Shelf, album: _Album, item: Said) -> Sequence[Said]:
        """What the first takes, the same however often it is asked."""
        noted = await shelf.get(album.taken)
        taken = json.loads(noted) if noted else await self._found(shelf, album)
        if item.message_id not in taken:
            return (item,)
        if not noted:
            await shelf.put(album.taken, json.dumps(taken), seconds=KEPT_SECONDS)
        return await self._items(shelf, album, taken) or (item,)

    async def _items(self, shelf: Shelf, album: _Album, taken: Sequence[int]) -> Sequence[Said]:
        found = [await shelf.get(album.item(message_id)) for message_id in taken]
        return [_decoded(each) for each in found if each]

    async def _found(self, shelf: Shelf, album: _Album) -> list[int]:
        return sorted(int(name.rpartition("/")[2]) for name in await shelf.names(album.items))


@dataclass(frozen=True, slots=True)
class _Album:
    """Its names on the shelf."""

    name: str

    @classmethod
    def of(cls, item: Said | Edited) -> _Album:
        return cls(f"album/{item.spot.bot}/{item.spot.chat}/{item.album}")

    @property
    def claim(self) -> str:
        return f"{self.name}/claim"

    @property
    def taken(self) -> str:
        return f"{self.name}/taken"

    @property
    def items(self) -> str:
        return f"{self.name}/item/"

    def item(self, message_id: int) -> str:
        return f"{self.items}{message_id}"


def _encoded(item: Said) -> str:
    return json.dumps(asdict(item), ensure_ascii=False)


def _decoded(text: str) -> Said:
    told = json.loads(text)
    file = File(**told.pop("file")) if told["file"] else None
    told.pop("file", None)
    return Said(spot=Spot(**told.pop("spot")), sender=Sender(**told.pop("sender")), file=file, **told)
