"""A small server that speaks the widget's contract: sessions, messages, stop, feedback and a resumable event stream.

A test scripts what the place says and what goes wrong; nothing here knows a model, a database or the real channel.
"""

from __future__ import annotations

import asyncio
import html
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

WIDGET = Path(__file__).parents[3] / "bot" / "widget"
DIST = WIDGET / "dist"
FRAME_CSP = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src 'self' data:; frame-ancestors *"
)
GREETING = "Hello! I'm the front desk. What can I do for you?"
SUGGESTIONS = ["What is Frontdesk?", "How do I connect Slack?", "How do I install a real model?"]


async def read(path: Path) -> str:
    """A file's text, without holding up the loop."""
    return await asyncio.to_thread(path.read_text, "utf-8")


@dataclass
class Place:
    """One conversation: its events by their clock, and who waits for the next."""

    events: list[tuple[int, str, dict[str, Any]]] = field(default_factory=list)
    clock: int = 0
    next_message: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, kind: str, **data: Any) -> None:
        """Adds an event and wakes every stream."""
        self.clock += 1
        if kind == "cleared":
            self.events.clear()
        self.events.append((self.clock, kind, data))
        self.changed.set()
        self.changed = asyncio.Event()

    def said(self, author: str, text: str = "", *, state: str = "done", reply_to: int | None = None) -> int:
        """A message begins to exist; its id."""
        self.next_message += 1
        shown = f"<p>{html.escape(text)}</p>".replace("\n", "<br>") if text else ""
        self.tell(
            "said", message=self.next_message, author=author, html=shown, state=state, reply_to=reply_to
        )
        return self.next_message

    def piece(self, message: int, start: int, blocks: list[str], open_: str = "", say: str = "") -> None:
        """An answer grows."""
        self.tell("piece", message=message, **{"from": start}, blocks=blocks, open=open_, say=say)

    def grow(self, message: int, add: str, say: str = "") -> None:
        """An answer's open block grows."""
        self.tell("piece", message=message, add=add, say=say)

    def ended(
        self,
        message: int,
        state: str = "done",
        start: int = 0,
        blocks: list[str] | None = None,
        say: str = "",
    ) -> None:
        """A message reaches its last state."""
        self.tell("ended", message=message, state=state, **{"from": start}, blocks=blocks or [], say=say)


@dataclass
class FakeDesk:
    """The server's side, open to the test."""

    places: dict[str, Place] = field(default_factory=dict)  # by token
    keys: dict[str, int] = field(default_factory=dict)  # Idempotency-Key -> message
    texts: list[str] = field(default_factory=list)  # what was accepted
    sessions: list[dict[str, Any]] = field(default_factory=list)
    feedback: list[dict[str, Any]] = field(default_factory=list)
    last_ids: list[str | None] = field(default_factory=list)  # Last-Event-ID of every stream begun
    attempts: list[str] = field(default_factory=list)  # Idempotency-Key of every POST of a message
    faults: list[tuple[str, int, dict[str, Any]]] = field(
        default_factory=list
    )  # path, status, error: once each
    streams: dict[int, web.StreamResponse] = field(default_factory=dict)
    up: bool = True
    answering: bool = True  # whether an accepted message is queued for an answer
    lose_answer: int = 0  # accept so many messages, but lose the 202
    stops: int = 0
    size: int = 0  # API bytes sent
    begun: int = 0

    @property
    def place(self) -> Place:
        """The newest session's place."""
        return list(self.places.values())[-1]

    def fault(self, path: str, status: int, **error: Any) -> None:
        """The next request for `path` fails."""
        self.faults.append((path, status, {"code": "fault", "message": "", **error}))

    def cut(self) -> None:
        """Every open stream breaks."""
        for response in list(self.streams.values()):
            if response._req is not None and response._req.transport is not None:
                response._req.transport.abort()

    def revoke(self) -> None:
        """No token is good any more."""
        self.places.clear()

    # --- handlers

    def routes(self) -> list[web.RouteDef]:
        """All of the contract's routes, the host pages beside them."""
        return [
            web.get("/", self.demo),
            web.get("/demo.css", self.file(WIDGET / "demo.css", "text/css")),
            web.get("/widget.js", self.file(DIST / "loader.js", "text/javascript")),
            web.get("/widget/app.js", self.file(DIST / "app.js", "text/javascript")),
            web.get("/widget/app.css", self.file(DIST / "app.css", "text/css")),
            web.get("/widget/{site}", self.frame),
            web.post("/widget/api/session", self.guarded(self.session)),
            web.post("/widget/api/messages", self.guarded(self.messages)),
            web.post("/widget/api/stop", self.guarded(self.stop)),
            web.post("/widget/api/feedback", self.guarded(self.take_feedback)),
            web.get("/widget/api/events", self.guarded(self.events)),
        ]

    @staticmethod
    def file(path: Path, kind: str) -> Any:
        """A handler that serves one built file."""

        async def serve(_: web.Request) -> web.Response:
            return web.Response(text=await read(path), content_type=kind)

        return serve

    async def demo(self, _: web.Request) -> web.Response:
        """The demo page under the CSP that it promises to live with."""
        csp = "default-src 'none'; script-src 'self'; style-src 'self'; frame-src 'self'; img-src data:"
        page = (await read(WIDGET / "demo.html")).replace("{{site}}", "demo")
        return web.Response(
            text=page.replace("{{home}}", "https://frontdesk.example"),
            content_type="text/html",
            headers={"Content-Security-Policy": csp},
        )

    async def frame(self, _: web.Request) -> web.Response:
        """The frame's page with its CSP."""
        return web.Response(
            text=await read(DIST / "frame.html"),
            content_type="text/html",
            headers={"Content-Security-Policy": FRAME_CSP, "Referrer-Policy": "no-referrer"},
        )

    def guarded(self, handler: Any) -> Any:
        """Faults that the test ordered come first."""

        async def guard(request: web.Request) -> web.StreamResponse:
            path = request.path.rsplit("/", 1)[1]
            if not self.up:
                assert request.transport is not None
                request.transport.abort()
                return web.Response(status=500)
            for index, (where, status, error) in enumerate(self.faults):
                if where == path:
                    del self.faults[index]
                    return web.json_response({"error": error}, status=status)
            response: web.StreamResponse = await handler(request)
            return response

        return guard

    def answer(self, value: dict[str, Any], status: int = 200) -> web.Response:
        """JSON, counted."""
        response = web.json_response(value, status=status)
        self.size += len(json.dumps(value))
        return response

    def found(self, request: web.Request) -> Place | None:
        """The place behind the bearer token."""
        return self.places.get(request.headers.get("Authorization", "").removeprefix("Bearer "))

    def no_session(self) -> web.Response:
        """401."""
        return web.json_response({"error": {"code": "no_session", "message": "Gone."}}, status=401)

    async def session(self, request: web.Request) -> web.Response:
        """A new token for the old place, or a new place."""
        body = await request.json()
        self.sessions.append(body)
        self.begun += 1
        old = request.headers.get("Authorization", "").removeprefix("Bearer ")
        token = f"token-{self.begun}"
        place = self.places.pop(old, None)
        if place is None:
            place = Place(next_message=self.begun * 1000)
        self.places[token] = place
        return self.answer(
            {
                "token": token,
                "title": "Frontdesk",
                "greeting": "您好！这里是前台，有什么可以帮您？"
                if body["language"].startswith("zh")
                else GREETING,
                "suggestions": ["Frontdesk 是什么？", "如何连接 Slack？", "如何安装真正的模型？"]
                if body["language"].startswith("zh")
                else SUGGESTIONS,
                "language": body["language"],
                "commands": [],
                "place": id(place),
            }
        )

    async def messages(self, request: web.Request) -> web.StreamResponse:
        """Accepts a message once per key."""
        place = self.found(request)
        if place is None:
            return self.no_session()
        key = request.headers["Idempotency-Key"]
        self.attempts.append(key)
        duplicate = key in self.keys
        if not duplicate:
            text = (await request.json())["text"]
            self.texts.append(text)
            self.keys[key] = place.said("person", text, state="queued" if self.answering else "done")
        if self.lose_answer:
            self.lose_answer -= 1
            assert request.transport is not None
            request.transport.abort()
        return self.answer({"message": self.keys[key], "duplicate": duplicate}, status=202)

    async def stop(self, request: web.Request) -> web.Response:
        """Counts the stop; the test ends the answer."""
        if self.found(request) is None:
            return self.no_session()
        self.stops += 1
        return self.answer({"stopped": True})

    async def take_feedback(self, request: web.Request) -> web.Response:
        """Keeps the thumb."""
        if self.found(request) is None:
            return self.no_session()
        self.feedback.append(await request.json())
        return self.answer({})

    async def events(self, request: web.Request) -> web.StreamResponse:
        """The stream, from Last-Event-ID on."""
        place = self.found(request)
        if place is None:
            return self.no_session()
        last = request.headers.get("Last-Event-ID")
        self.last_ids.append(last)
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        )
        await response.prepare(request)
        number = len(self.last_ids)
        self.streams[number] = response
        seen = int(last or 0)
        try:
            await response.write(b"retry: 1000\n\n: hello\n\n")
            while True:
                changed = place.changed
                for clock, kind, data in [event for event in place.events if event[0] > seen]:
                    text = f"id: {clock}\nevent: {kind}\ndata: {json.dumps(data)}\n\n"
                    self.size += len(text)
                    await response.write(text.encode())
                    seen = clock
                await changed.wait()
        except (ConnectionResetError, asyncio.CancelledError):
            return response
        finally:
            del self.streams[number]


@asynccontextmanager
async def served(desk: FakeDesk, *extra: web.RouteDef) -> AsyncIterator[str]:
    """Serves `desk` on a free port of 127.0.0.1; yields its origin."""
    app = web.Application()
    app.add_routes([*extra, *desk.routes()])
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
