"""A desk that keeps the house's promises in memory, and the web channel on a real socket in front of it."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    MutableMapping,
)
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bot.bell import Bell
from bot.channels.web.api import Api
from bot.channels.web.channel import WebChannel
from bot.channels.web.door import Door, Limits
from bot.channels.web.pages import Pages
from bot.channels.web.stream import Pace, Streams
from bot.channels.web.viewers import Viewers
from bot.messages import (
    Event,
    Incoming,
    NotAccepted,
    Person,
    Place,
    Receipt,
    Refusal,
    Said,
    Session,
    State,
    Unavailable,
)
from bot.notices import notice
from bot.personas import Persona, Site, Words
from moderation import TextRefused, clean
from tests.conftest import guarded

HOME = "https://shop.example"


@pytest.fixture(autouse=True)
def _nothing_blocks_the_loop() -> Iterator[None]:
    with guarded():
        yield


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[MutableMapping[str, Any]]]:
    """What was logged; structlog's own printing of errors reads source files, which would block."""
    with structlog.testing.capture_logs() as entries:
        yield entries


async def until(true: Callable[[], object]) -> None:
    """Wait for what another task does."""
    async with asyncio.timeout(10):
        while not true():  # it has no event of its own
            await asyncio.sleep(0.01)


@pytest.fixture(name="until")
def _until() -> Callable[[Callable[[], object]], Awaitable[None]]:
    return until


@dataclass
class FakeDesk:
    """The promises of `bot.channels.base.Desk` in a few dictionaries; the test plays model and house."""

    sites: dict[str, Site] = field(
        default_factory=lambda: {
            "demo": Site(persona="host"),
            "shop": Site(persona="host", title=Words(en="Shop", zh="商店"), origins=(HOME,)),
        }
    )
    away: bool = False
    broken: Exception | None = None
    received: list[Incoming] = field(default_factory=list)
    rated: dict[int, int] = field(default_factory=dict)
    stopped: list[int] = field(default_factory=list)
    asked: int = 0  # how often the timeline was read
    bell: Bell = field(default_factory=Bell)
    _sessions: dict[str, Session] = field(default_factory=dict)
    _keys: dict[str, int] = field(default_factory=dict)
    _events: dict[int, list[Event]] = field(default_factory=dict)
    _said: dict[int, Said] = field(default_factory=dict)
    _places: dict[int, int] = field(default_factory=dict)  # message -> place
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def _reach(self) -> None:
        if self.away:
            raise Unavailable("the fake is away")
        if self.broken:
            raise self.broken

    # -- what a channel asks ---------------------------------------------------------------------------------

    async def receive(self, incoming: Incoming) -> Receipt:
        self._reach()
        language = incoming.person.language
        try:
            text = clean(incoming.text).strip()
        except TextRefused:
            raise NotAccepted(Refusal("unreadable", notice("unreadable", language))) from None
        if not text:
            raise NotAccepted(Refusal("empty", notice("empty", language)))
        if len(text) > 8_000:
            raise NotAccepted(Refusal("oversized", notice("oversized", language, limit=8_000)))
        place_id = int(incoming.place.key)
        if incoming.key in self._keys:
            return Receipt(self._keys[incoming.key], place_id, duplicate=True)
        self.received.append(replace(incoming, text=text))
        said = self._say(place_id, Said(next(self._numbers), "person", text, "queued"))
        self._keys[incoming.key] = said.message_id
        return Receipt(said.message_id, place_id, duplicate=False)

    async def stop(self, place_id: int) -> bool:
        self._reach()
        self.stopped.append(place_id)
        return any(
            said.state == "answering" and self._places[said.message_id] == place_id
            for said in self._said.values()
        )

    def site(self, key: str) -> tuple[Site, Persona] | None:
        persona = Persona(
            greeting=Words(en="Hello!", zh="您好！"),
            suggestions=Words(en=("What is this?",), zh=("这是什么？",)),
        )
        return (self.sites[key], persona) if key in self.sites else None

    async def open_session(self, *, site: str, origin: str, language: str, token: str) -> tuple[str, Session]:
        self._reach()
        old = self._sessions.pop(token, None)
        if old and (old.place.site, old.origin) == (site, origin):
            session = replace(old, person=replace(old.person, language=language))
        else:
            number = next(self._numbers)
            place, person = Place("web", str(number), site), Person("web", str(number), language=language)
            session = Session(number, place, number, person, origin)
        fresh = f"fds-{next(self._numbers)}"
        self._sessions[fresh] = session
        return fresh, session

    async def session(self, token: str) -> Session | None:
        self._reach()
        return self._sessions.get(token)

    async def timeline(self, place_id: int, *, after: int) -> list[Event]:
        self._reach()
        self.asked += 1
        return _joined(event for event in self._events.get(place_id, []) if event.clock > after)[:500]

    async def rate(
        self, place: Place, person: Person, *, message_id: int, value: int, reason: str = ""
    ) -> bool:
        self._reach()
        places = [session.place_id for session in self._sessions.values() if session.place == place]
        known = self._places.get(message_id) in places and self._said[message_id].author == "model"
        if known:
            self.rated[message_id] = value
        return known

    def listen(self, place_id: int):
        return self.bell.listen(place_id)

    # -- what the test does ----------------------------------------------------------------------------------

    def expire(self, token: str) -> None:
        del self._sessions[token]

    def begin(self, message_id: int) -> int:
        """Begin the answer to a message; returns its id."""
        place_id = self._places[message_id]
        return self._say(
            place_id, Said(next(self._numbers), "model", "", "answering", reply_to=message_id)
        ).message_id

    def piece(self, answer_id: int, text: str) -> None:
        said = self._said[answer_id]
        grown = replace(said, text=said.text + text)
        self._add(self._places[answer_id], "piece", grown, text=text, before=said.text)

    def end(self, message_id: int, state: State = "done") -> None:
        self._add(self._places[message_id], "ended", replace(self._said[message_id], state=state))

    def note(self, place_id: int, text: str) -> None:
        self._say(place_id, Said(next(self._numbers), "house", text, "done"))

    def forget(self, place_id: int) -> None:
        clock = len(self._events[place_id])
        self._events[place_id] = [Event(clock + 1, "cleared")]
        self.bell.ring(place_id)

    def _say(self, place_id: int, said: Said) -> Said:
        self._places[said.message_id] = place_id
        self._add(place_id, "said", said)
        return said

    def _add(self, place_id: int, kind: str, said: Said, *, text: str = "", before: str = "") -> None:
        events = self._events.setdefault(place_id, [])
        self._said[said.message_id] = said
        clock = events[-1].clock + 1 if events else 1
        events.append(Event(clock, kind, said, text=text, before=before))  # type: ignore[arg-type]
        self.bell.ring(place_id)


def _joined(events: Iterable[Event]) -> list[Event]:
    """Pieces that follow each other as one, like the house."""
    joined: list[Event] = []
    for event in events:
        last = joined[-1] if joined else None
        if last and event.kind == last.kind == "piece":
            joined[-1] = replace(event, text=last.text + event.text, before=last.before)
        else:
            joined.append(event)
    return joined


@dataclass
class Told:
    """One event as a browser reads it."""

    id: int
    kind: str
    data: dict


class Reader:
    """An open event stream; `heartbeats` counts the comments."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response
        self.heartbeats = 0
        self.retry = 0

    async def next(self) -> Told | None:
        """The next event, None at the end of the stream."""
        fields: dict[str, str] = {}
        while line := await self.response.content.readline():
            name, _, value = line.decode().rstrip("\n").partition(":")
            if line == b"\n" and "data" in fields:
                return Told(int(fields["id"]), fields["event"], json.loads(fields["data"]))
            if line == b":\n":
                self.heartbeats += 1
            elif name == "retry":
                self.retry = int(value)
            elif name:
                fields[name] = value.strip()
        return None

    async def take(self, count: int) -> list[Told]:
        async with asyncio.timeout(10):
            told = [await self.next() for _ in range(count)]
        assert None not in told
        return told  # type: ignore[return-value]

    async def until(self, kind: str) -> list[Told]:
        told = await self.take(1)
        while told[-1].kind != kind:
            told += await self.take(1)
        return told


@dataclass
class Browser:
    """A frame with its session; speaks HTTP over a real socket."""

    http: TestClient
    token: str = ""

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    @property
    def origin(self) -> str:
        return str(self.http.make_url("/")).rstrip("/")

    async def post(self, path: str, body: object = None, *, headers: dict | None = None, **more: object):
        return await self.http.post(
            f"/widget/api/{path}", json=body, headers={**self.bearer, **(headers or {})}, **more
        )

    async def open(self, *, site: str = "demo", origin: str = "", language: str = "en") -> dict:
        answer = await self.post(
            "session", {"site": site, "origin": origin or self.origin, "language": language}
        )
        assert answer.status == 200, await answer.text()
        opened = await answer.json()
        self.token = opened["token"]
        return opened

    async def say(self, text: str, *, key: str = "k1") -> int:
        answer = await self.post("messages", {"text": text}, headers={"Idempotency-Key": key})
        assert answer.status == 202, await answer.text()
        return (await answer.json())["message"]

    @asynccontextmanager
    async def events(self, last: object = None, **headers: str) -> AsyncGenerator[Reader, None]:
        given = {} if last is None else {"Last-Event-ID": str(last)}
        async with self.http.get(
            "/widget/api/events", headers={**self.bearer, **given, **headers}
        ) as response:
            assert response.status == 200, await response.text()
            yield Reader(response)


@pytest.fixture
def desk() -> FakeDesk:
    return FakeDesk()


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A stand-in for the widget's built files."""
    (tmp_path / "loader.js").write_text("/* loader */" * 100)
    (tmp_path / "app.js").write_text("/* app */" * 500)
    (tmp_path / "app.css").write_text("b{}")
    (tmp_path / "frame.html").write_text('<!doctype html><html lang="{{lang}}" data-site="{{site}}"></html>')
    return tmp_path


Serve = Callable[..., AbstractAsyncContextManager[Browser]]


@pytest.fixture
def serve(desk: FakeDesk, built: Path) -> Serve:
    """Starts a server: `async with serve(pace=..., limits=...) as browser`."""

    @asynccontextmanager
    async def serving(
        *,
        pace: Pace | None = None,
        limits: Limits | None = None,
        viewers: Viewers | None = None,
        public_url: str = "",
        trusted_proxies: int = 0,
    ) -> AsyncIterator[Browser]:
        door = Door(
            desk=desk,
            public_url=public_url,
            trusted_proxies=trusted_proxies,
            limits=limits or Limits(),
        )
        viewers = viewers or Viewers()
        channel = WebChannel(
            pages=await asyncio.to_thread(Pages.load, desk=desk, public_url=public_url, built=built),
            api=Api(desk=desk, door=door),
            streams=Streams(desk=desk, door=door, viewers=viewers, pace=pace or Pace(poll=0.2)),
            viewers=viewers,
        )
        application = web.Application()
        application.add_routes(channel.routes())
        server = TestServer(application, handler_cancellation=True)
        running = asyncio.ensure_future(channel.run())
        async with TestClient(server, cookie_jar=aiohttp.DummyCookieJar()) as http:
            try:
                yield Browser(http)
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)

    return serving


@pytest.fixture
async def browser(serve: Serve) -> AsyncIterator[Browser]:
    """A browser with an open session on the demo page."""
    async with serve() as opened:
        await opened.open()
        yield opened
