"""A response of server-sent events: headers with the first event, one write an event, comments while nothing comes.

Knows the form only. What the events say is the caller's.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

STALL = 30.0  # seconds; a reader that takes nothing for so long is cut off, and its engine freed
HEARTBEAT = 15.0  # seconds of silence; proxies close what is silent for 30 or 60
COMMENT = b": waiting\n\n"
DONE = b"data: [DONE]\n\n"  # OpenAI's end mark


class EventStream:
    """One stream to one reader. `opening` goes ahead of whatever comes first, in the same write.

    Every method raises ConnectionError once the reader has left, or was cut off.
    """

    def __init__(self, request: web.Request, *, opening: bytes, headers: dict[str, str]) -> None:
        self._request = request
        self._opening = opening
        self._writing = asyncio.Lock()  # heartbeats come from a task of their own
        self._last = asyncio.get_running_loop().time()
        self.response = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream; charset=utf-8",
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",  # else nginx keeps events back
                **headers,
            }
        )

    @property
    def started(self) -> bool:
        """Whether the status is out: an error after that can only be an event."""
        return self.response.prepared

    async def send(self, events: bytes) -> None:
        """Events ready to go, in one write."""
        async with self._writing:
            if not self.response.prepared:
                await self.response.prepare(self._request)
            events, self._opening = self._opening + events, b""
            self._last = asyncio.get_running_loop().time()
            await self._taken(self.response.write(events))

    async def close(self) -> None:
        async with self._writing:
            self._last = float("inf")  # no heartbeat after the end
            await self._taken(self.response.write_eof())

    async def _taken(self, writing: Awaitable[None]) -> None:
        """Wait until the reader has room for more, and cut it off when it has none for too long."""
        try:
            async with asyncio.timeout(STALL):
                await writing
        except TimeoutError:
            if self._request.transport:
                self._request.transport.abort()
            raise ConnectionResetError("the reader takes nothing") from None

    @asynccontextmanager
    async def beating(self, *, every: float = HEARTBEAT) -> AsyncGenerator[None, None]:
        """Comments while nothing else is sent, so that neither proxies nor clients take the silence for death."""
        task = asyncio.create_task(self._beat(every))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def _beat(self, every: float) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._last + every - loop.time())
            if loop.time() - self._last >= every:
                try:
                    await self.send(COMMENT)
                except ConnectionError:
                    return  # whoever sends the next event hears of it


def event(value: dict[str, Any]) -> bytes:
    """One event with a JSON value."""
    return b"data: %s\n\n" % json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
