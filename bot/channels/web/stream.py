"""What happens in a place, to whoever watches: read from SQL after the last seen id, rendered, written, again.

Keeps nothing between two reads but the id. Leaves the format to `wire` and who may watch to `door` and `viewers`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog
from aiohttp import web

from bot.bell import rung
from bot.channels.base import Desk
from bot.channels.web.door import Door, bearer, take
from bot.channels.web.errors import HEADERS
from bot.channels.web.viewers import Seat, Viewers
from bot.channels.web.wire import HEARTBEAT, RETRY, frame
from bot.messages import Event, Unavailable

log = structlog.get_logger(__name__)

WRITE = 32 * 1024  # bytes put together before a write: a long history goes out in parts
LONG = 2_000  # characters; a model can write Markdown that takes 0.1 ms a character to read, beside the loop then
CURSOR = re.compile(r"[0-9]{1,18}")  # fits a 64-bit column


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often, in seconds."""

    poll: float = 1.0  # another replica may write what no ring tells us of
    idle_poll: float = 5.0  # once nothing has happened for `idle`
    idle: float = 60.0
    heartbeat: float = 15.0  # proxies cut silent connections after 60 s
    stall: float = 30.0  # a reader that takes nothing for so long is cut off
    recheck: float = 60.0  # whether the session is still good


@dataclass(frozen=True, slots=True, kw_only=True)
class Streams:
    """One per process."""

    desk: Desk
    door: Door
    viewers: Viewers
    pace: Pace = field(default_factory=Pace)

    async def events(self, request: web.Request) -> web.StreamResponse:
        """GET: the events of the session's place, from the one after Last-Event-ID on, until someone leaves."""
        address = self.door.enter(request)
        session = await self.door.session(request)
        take(self.door.limits.connects, str(session.id))
        cursor = _cursor(request.headers.get("Last-Event-ID", ""))
        with (
            self.viewers.seat(session=session.id, address=address) as seat,
            self.desk.listen(session.place_id) as ring,
        ):
            seat.ring = ring
            first = await self.desk.timeline(session.place_id, after=cursor)  # before a status is sent
            response = web.StreamResponse(
                headers={**HEADERS, "Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
            )
            await response.prepare(request)
            stream = _Stream(
                desk=self.desk,
                pace=self.pace,
                request=request,
                response=response,
                place_id=session.place_id,
                cursor=cursor,
            )
            await stream.run(seat, ring, first)
        return response


@dataclass(slots=True, kw_only=True)
class _Stream:
    """One connection."""

    desk: Desk
    pace: Pace
    request: web.Request
    response: web.StreamResponse
    place_id: int
    cursor: int
    grown: float = 0.0  # when, on the loop's clock
    written: float = 0.0
    checked: float = 0.0
    away: bool = False

    async def run(self, seat: Seat, ring: asyncio.Event, first: Sequence[Event]) -> None:
        """Until the reader leaves or stalls, the session ends or the seat is taken. Raises nothing of ours."""
        self.grown = self.written = self.checked = _now()
        try:
            await self._write(RETRY)
            await self._tell(first)
            while not seat.taken and not self._left():
                ring.clear()  # before reading, so that no ring is lost
                if not await self._forward():
                    await rung(ring, within=self._wait())
                if not await self._still_good():
                    return
        except ConnectionError:
            pass  # the reader left
        except TimeoutError:
            log.info("a stalled reader was cut off", place=self.place_id)
            if self.request.transport:
                self.request.transport.abort()
        except Exception:
            log.exception("an event stream failed", place=self.place_id)

    async def _forward(self) -> bool:
        """Tell what is new; False when nothing was."""
        try:
            events = await self.desk.timeline(self.place_id, after=self.cursor)
        except Unavailable:
            if not self.away:
                log.warning("the timeline is away; viewers wait")
            self.away = True
            return False
        self.away = False
        await self._tell(events)
        return bool(events)

    async def _tell(self, events: Sequence[Event]) -> None:
        held = bytearray()
        for event in events:
            held += await _rendered(event)
            if len(held) >= WRITE:
                await self._write(bytes(held))
                held.clear()
            await asyncio.sleep(0)  # rendering a long history must not hold up other readers
        if held:
            await self._write(bytes(held))
        if events:
            self.cursor = events[-1].clock
            self.grown = _now()

    async def _still_good(self) -> bool:
        """Send a heartbeat when one is due, and see now and then whether the session has ended."""
        now = _now()
        if now - self.written >= self.pace.heartbeat:
            await self._write(HEARTBEAT)
        if now - self.checked < self.pace.recheck:
            return True
        self.checked = now
        try:
            return await self.desk.session(bearer(self.request)) is not None
        except Unavailable:
            return True

    async def _write(self, data: bytes) -> None:
        async with asyncio.timeout(self.pace.stall):
            await self.response.write(data)
        self.written = _now()

    def _wait(self) -> float:
        """Seconds until there is something to do without a ring."""
        now = _now()
        poll = self.pace.poll if now - self.grown < self.pace.idle else self.pace.idle_poll
        return max(0.01, min(poll, self.written + self.pace.heartbeat - now))

    def _left(self) -> bool:
        return self.request.transport is None or self.request.transport.is_closing()


async def _rendered(event: Event) -> bytes:
    size = len(event.before) + len(event.text) + (len(event.said.text) if event.said else 0)
    return frame(event) if size < LONG else await asyncio.to_thread(frame, event)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _cursor(given: str) -> int:
    """The id after which to go on; what is no id of ours means from the start."""
    return int(given) if CURSOR.fullmatch(given) else 0
