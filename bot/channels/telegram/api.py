"""Telegram's Bot API: calls within their budget, failures in one shape, chats followed when they move.

Knows which failures may be repeated at once. Leaves one request to `wire`, limits to `budget`, and what a failure is
to `failure`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog
from telegram import InputFile

from bot.channels.telegram.budget import Budget
from bot.channels.telegram.failure import TelegramFailure
from bot.channels.telegram.places import Spot
from bot.channels.telegram.settings import TelegramSettings
from bot.channels.telegram.wire import UPLOAD, Wire, opened

__all__ = ["PATIENCE", "Api", "Me", "Moved", "TelegramFailure", "open_api"]

log = structlog.get_logger(__name__)

TIMEOUT = 20.0  # seconds for one answer
FILE_TIMEOUT = 30.0  # seconds for a file
TRIES = 4  # of a call whose failure is known not to have done anything, or that may be done twice
BACKOFF = 0.5  # seconds after the first such failure, doubled each time
PATIENCE = 150.0  # seconds that a call waits for its turn; floods of two minutes are common
RETRY_AFTER = 5.0  # seconds, when Telegram limits without saying for how long
SENT_TWICE = (
    "send",
    "copy",
    "forward",
)  # begin the methods that must not be repeated when they may have been done
HARMLESS = frozenset({"sendChatAction", "sendMessageDraft", "sendRichMessageDraft"})  # but for these

Moved = Callable[[int, int], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Me:
    """Who we are. `reads_groups`: everything in groups, not only what calls us. `topics`: private chats have some."""

    id: int
    username: str
    name: str
    reads_groups: bool
    topics: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """One per channel. `clock` counts seconds and only ever forward. `moved` hears of a chat's old and new id, once."""

    wire: Wire = field(repr=False)
    budget: Budget = field(default_factory=Budget)
    moved: Moved | None = None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    backoff: float = BACKOFF
    _me: list[Me] = field(default_factory=list)
    _moved: dict[int, int] = field(default_factory=dict)
    _moving: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def me(self) -> Me:
        """Who we are, asked once. Raises TelegramFailure."""
        if not self._me:
            self._me.append(_me(await self.call("getMe")))
        return self._me[0]

    async def call(
        self,
        method: str,
        *,
        chat: int = 0,
        urgent: bool = False,
        patience: float = PATIENCE,
        within: float = TIMEOUT,
        **arguments: Any,
    ) -> Any:
        """Call a method once the budget lets it; returns the result.

        `chat` is sent along as chat_id. Arguments that are None are left out. A call that would have to wait for
        longer than `patience` is not made, or not made again: it fails as what it failed before, or as "flood". Each
        answer must come `within` so many seconds. Raises TelegramFailure.
        """
        deadline = self.clock() + patience
        for attempt in range(TRIES):
            where = self._moved.get(chat, chat)
            await self._turn(method, where, urgent=urgent, deadline=deadline)
            given = {"chat_id": where, **arguments} if where else arguments
            try:
                return await self.wire.exchange(method, _given(given), within=within)
            except TelegramFailure as failure:
                if failure.rate_limited:
                    self._pause(method, where, failure.retry_after)
                wait = 0.0 if failure.code in ("flood", "migrated") else self.backoff * 2**attempt
                late = self.clock() + wait > deadline and not failure.moved_to
                if attempt + 1 == TRIES or late or not _repeatable(failure):
                    raise
                log.info("a call of Telegram's is made again", method=method, code=failure.code)
                if failure.moved_to:
                    await self._follow(where, failure.moved_to)
                await self.sleep(wait)
        raise AssertionError("the last try returns or raises")  # pragma: no cover

    async def updates(
        self,
        *,
        offset: int | None,
        timeout: int,  # noqa: ASYNC109
        allowed: Sequence[str],
    ) -> list[dict[str, Any]]:
        """What has happened from `offset` on, or within `timeout` seconds. Raises TelegramFailure."""
        asked = {"offset": offset, "timeout": timeout, "allowed_updates": list(allowed)}
        said = await self.wire.exchange("getUpdates", _given(asked), within=timeout + TIMEOUT)
        if not isinstance(said, list):
            raise TelegramFailure("unreadable", method="getUpdates")
        return said

    async def download(self, file_id: str, *, limit: int) -> bytes:
        """A file's bytes; one of more than `limit` fails as "too_long". Raises TelegramFailure."""
        said = await self.call("getFile", file_id=file_id)
        if int(said.get("file_size") or 0) > limit:
            raise TelegramFailure("too_long", method="getFile")
        path = str(said.get("file_path") or "")
        if not path:
            raise TelegramFailure("not_found", method="getFile")
        return await self.wire.fetch(path, limit=limit, within=FILE_TIMEOUT)

    async def send_document(self, spot: Spot, name: str, content: bytes, *, caption: str) -> None:
        """A file of ours. Raises TelegramFailure."""
        await self.call(
            "sendDocument",
            chat=spot.chat,
            within=UPLOAD,
            message_thread_id=spot.thread,
            document=InputFile(content, filename=name),
            caption=caption or None,
        )

    async def _turn(self, method: str, chat: int, *, urgent: bool, deadline: float) -> None:
        """Wait until the budget has room, and take it. Calls in other chats pass us meanwhile."""
        with self.budget.waiting(method, chat, urgent=urgent):
            while wait := self.budget.wait(now := self.clock(), method, chat, urgent=urgent):
                if now + wait > deadline:
                    raise TelegramFailure("flood", method=method, retry_after=wait)
                await self.sleep(wait)
        self.budget.take(now, method, chat)

    def _pause(self, method: str, chat: int, seconds: float) -> None:
        wait = seconds or RETRY_AFTER
        log.warning("Telegram asks to slow down", method=method, chat=chat, seconds=wait)
        self.budget.pause(self.clock(), method, chat, seconds=wait)

    async def _follow(self, old: int, new: int) -> None:
        """From now on a chat is called by its new id."""
        async with self._moving:
            if old in self._moved:
                return
            try:
                if self.moved:
                    await self.moved(old, new)
            except Exception:
                log.exception(
                    "that a chat has moved could not be kept", chat=old
                )  # the next call tells it again
                raise
            self._moved[old] = new


@asynccontextmanager
async def open_api(
    *, token: str, settings: TelegramSettings, moved: Moved | None = None, backoff: float = BACKOFF
) -> AsyncGenerator[Api, None]:
    """The Bot API of a bot, for as long as the block lasts. Nothing is asked yet."""
    async with opened(token=token, base_url=settings.base_url, base_file_url=settings.base_file_url) as wire:
        yield Api(wire=wire, moved=moved, backoff=backoff)


def _me(said: Any) -> Me:
    """Raises TelegramFailure when that says nothing of a bot."""
    if not isinstance(said, Mapping) or not isinstance(said.get("id"), int):
        raise TelegramFailure("unreadable", method="getMe")
    return Me(
        id=said["id"],
        username=str(said.get("username", "")),
        name=" ".join(filter(None, (said.get("first_name"), said.get("last_name")))),
        reads_groups=bool(said.get("can_read_all_group_messages")),
        topics=bool(said.get("has_topics_enabled")),
    )


def _given(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if value is not None}


def _repeatable(failure: TelegramFailure) -> bool:
    """Whether the same call may be made again: it was not done, or doing it twice is doing it once."""
    if failure.code in ("flood", "migrated"):
        return True
    passing = failure.code in ("connection", "timeout", "unreadable") or failure.code.startswith("http_5")
    once = failure.method.startswith(SENT_TWICE) and failure.method not in HARMLESS
    return passing and not (failure.lost and once)
