"""The event stream: headers with the first event, and signs of life while nothing comes."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from aiohttp import ClientSession, web
from yarl import URL

from bot.gateway.sse import EventStream, event


@pytest.fixture
async def served() -> Any:
    """Serves one handler at a URL."""
    runners = []

    async def serve(handler: Any) -> str:
        application = web.Application()
        application.router.add_get("/", handler)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        runners.append(runner)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}/"

    yield serve
    for runner in runners:
        await runner.cleanup()


async def test_a_silent_stream_shows_signs_of_life(served: Any) -> None:
    heard = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        stream = EventStream(request, opening=event({"first": True}), headers={})
        async with stream.beating(every=0.02):
            await heard.wait()
            await stream.send(event({"text": "é"}))
            await stream.close()
        return stream.response

    async with ClientSession() as session, session.get(await served(handler)) as response:
        first = await response.content.readuntil(b"\n\n")
        assert await response.content.readuntil(b"\n\n") == b": waiting\n\n"
        heard.set()
        rest = await response.read()
    assert first == b'data: {"first":true}\n\n'
    assert rest.replace(b": waiting\n\n", b"") == 'data: {"text":"é"}\n\n'.encode()


async def test_nothing_is_sent_before_the_first_event(served: Any) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        stream = EventStream(request, opening=b"opening", headers={})
        async with stream.beating():
            assert not stream.started
            raise web.HTTPTooManyRequests
        return stream.response

    async with ClientSession() as session, session.get(await served(handler)) as response:
        assert response.status == 429


async def test_a_reader_who_takes_nothing_is_cut_off(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.gateway.sse.STALL", 0.3)
    ended: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    async def handler(request: web.Request) -> web.StreamResponse:
        stream = EventStream(request, opening=b"", headers={})
        try:
            async with stream.beating(every=0.05):
                for _ in range(400):  # more than the buffers of a loopback connection hold
                    await stream.send(b"x" * 100_000)
        except ConnectionError as error:
            ended.set_result(error)
            raise
        return stream.response

    url = URL(await served(handler))
    with socket.socket() as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(lazy, (url.host, url.port))
        await loop.sock_sendall(lazy, f"GET / HTTP/1.1\r\nHost: {url.host}\r\n\r\n".encode())
        async with asyncio.timeout(10):
            assert str(await ended) == "the reader takes nothing"
