"""Which models answer, and which one of them a conversation gets: the default, or the canary for its share.

Knows the library's aliases and, from the workers' heartbeats, which models are loaded. Loads no weights; changing the
aliases is the operators' business.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog

from inference.chat import Chat, ChatError
from inference.library import Library, ModelFolder, ModelNotFound, lineup
from inference.library.reference import CANARY, DEFAULT, NoReference, Reference

log = structlog.get_logger(__name__)

LOOK = 1.0  # seconds between two looks at the aliases; a worker that retires waits for three or more
KEPT = 8  # chats of models that answered before: their answers may still be under way, or taken up again


@dataclass(frozen=True, slots=True)
class Served:
    """A model that may answer: its canonical reference, or a plain folder's name, and how it reads a conversation."""

    reference: str
    chat: Chat


class Models:
    """One per process, opened with `Models.open`. `loaded` tells which models' workers answer at the moment."""

    def __init__(
        self, default: Served, *, loaded: Callable[[], Iterable[str]], library: Library | None = None
    ) -> None:
        self._default = default
        self._canary: Served | None = None
        self._share = 0.0
        self._loaded = loaded
        self._library = library
        self._stamp: tuple[int, ...] | None = None  # of the aliases, as they were read last
        self._known = {default.reference: default}  # the latest last
        self._unknown: set[str] = set()  # loaded somewhere, and not in our library

    @classmethod
    @asynccontextmanager
    async def open(
        cls, model: str, *, root: Path, loaded: Callable[[], Iterable[str]]
    ) -> AsyncGenerator[Models, None]:
        """`model` is the alias `default`, which is followed, and the canary with it; or a library name, whose newest
        version is; or a path, which never changes. Raises ModelNotFound and ChatError."""
        library = Library(root=root)
        models = cls(await asyncio.to_thread(_served, library, model), loaded=loaded, library=library)
        look = models._look_at_aliases if model == DEFAULT else partial(models._look_for, model)
        following = asyncio.create_task(models._follow(look, root), name="following the models")
        try:
            yield models
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

    @property
    def loaded(self) -> frozenset[str]:
        """References of the models that workers answer with."""
        return frozenset(self._loaded())

    @property
    def default(self) -> Served:
        """Behind the alias; whether it is loaded is another question."""
        return self._default

    @property
    def canary(self) -> Served | None:
        return self._canary

    def choose(self, conversation: str) -> Served:
        """The model for a conversation: always the same one while the aliases stay as they are and it is loaded."""
        loaded = self.loaded
        canary = self._canary
        if canary and canary.reference in loaded and self._is_tried_by(conversation, canary):
            return canary
        if self._default.reference in loaded:
            return self._default
        before = (served for reference, served in reversed(self._known.items()) if reference in loaded)
        return next((served for served in before if served is not canary), self._default)

    def _is_tried_by(self, conversation: str, canary: Served) -> bool:
        return _position(canary.reference + conversation) < self._share

    def named(self, name: str, *, conversation: str) -> Served | None:
        """What an API client asks for: an alias, or as much of a reference as says which; None where that is neither an
        alias nor a loaded model."""
        if name == DEFAULT:
            return self.choose(conversation)
        if name == CANARY:
            return self._canary
        there = self.answering()
        exact = [served for served in there if served.reference == name]
        return next(iter(exact or [served for served in there if _covers(name, served.reference)]), None)

    def answering(self) -> list[Served]:
        """All that may be asked for by name: the default and what else is loaded."""
        loaded = self.loaded
        others = [served for served in reversed(self._known.values()) if served.reference in loaded]
        return [self._default, *(served for served in others if served is not self._default)]

    async def again(self, reference: str) -> Served:
        """A model that has begun an answer earlier, perhaps before this process was started. Raises ModelNotFound."""
        if reference not in self._known:
            if self._library is None:
                raise ModelNotFound(f"There is no model named {reference!r} any more.")
            try:
                served = await asyncio.to_thread(_served, self._library, reference)
            except ChatError as error:
                raise ModelNotFound(str(error)) from error
            self._known = {reference: served, **self._known}
        return self._known[reference]

    async def library(self) -> list[ModelFolder]:
        """Every complete chat model that there is, loaded or not."""
        if self._library is None:
            return []
        return [model for model in await asyncio.to_thread(self._library.list) if model.kind == "chat"]

    async def _follow(self, look: Callable[[Path], Awaitable[None]], root: Path) -> None:
        trouble = ""
        while True:
            try:
                await look(root)
                await self._know_loaded()
                trouble = ""
            except Exception as error:  # who answers goes on to, and it is looked again
                if str(error) != trouble:
                    trouble = str(error)
                    foreseen = isinstance(error, ModelNotFound | ChatError | OSError)
                    log.exception("the models cannot be followed", cause=trouble, exc_info=not foreseen)
            await asyncio.sleep(LOOK)

    async def _know_loaded(self) -> None:
        """Whatever workers answer with may be asked: amid an exchange, or where others follow other aliases."""
        for reference in self.loaded - self._known.keys() - self._unknown:
            try:
                await self.again(reference)
            except ModelNotFound:
                self._unknown.add(reference)

    async def _look_for(self, model: str, root: Path) -> None:
        """Workers load a name's newest version when they start, and that may be one more than when we did."""
        served = await self._target(model)
        if served.reference != self._default.reference:
            self._known[served.reference] = self._default = served
            log.info("the model has a new version", default=served.reference)

    async def _look_at_aliases(self, root: Path) -> None:
        stamp = await asyncio.to_thread(lineup.stamp, root)
        if stamp == self._stamp:
            return
        found = await asyncio.to_thread(lineup.read, root)
        default = await self._target(DEFAULT)
        canary = await self._read_canary() if found.canary else None
        for served in (canary, default):
            if served is not None:
                self._known.pop(served.reference, None)
                self._known[served.reference] = served
        while len(self._known) > KEPT:
            del self._known[next(iter(self._known))]
        changed = (default, canary) != (self._default, self._canary)
        self._default, self._canary = default, canary
        self._share = found.canary.share or 0.0 if found.canary else 0.0
        self._stamp = stamp  # only now: what failed is tried again
        self._unknown.clear()
        if changed:
            log.info(
                "the models have changed",
                default=default.reference,
                canary=canary.reference if canary else None,
                share=self._share,
            )

    async def _target(self, name: str) -> Served:
        assert self._library is not None  # noqa: S101  # only `open` follows
        folder = await asyncio.to_thread(self._library.find, name)
        known = self._known.get(folder.name)
        return known or Served(folder.name, await asyncio.to_thread(Chat.load, folder.path))

    async def _read_canary(self) -> Served | None:
        """The default is followed whatever is wrong with the canary."""
        try:
            return await self._target(CANARY)
        except (ModelNotFound, ChatError) as error:
            log.error("there is no canary", cause=str(error))  # noqa: TRY400
            return None


def _served(library: Library, reference: str) -> Served:
    folder = library.find(reference)
    return Served(folder.name, Chat.load(folder.path))


def _position(conversation: str) -> float:
    """Where in [0, 1) a conversation lies; the same for every bot, and another for each canary."""
    return int.from_bytes(hashlib.sha256(conversation.encode()).digest()[:8]) / 2**64


def _covers(name: str, reference: str) -> bool:
    with suppress(NoReference):
        return Reference.parse(name).covers(Reference.parse(reference))
    return False
