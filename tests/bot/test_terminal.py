"""The terminal chat streams, remembers, can be stopped, and turns every refusal into a sentence."""

from __future__ import annotations

import asyncio
import io
import json
import os
import pty
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from bot.terminal import Api, ChatFailed, Conversation, chat, printable


@dataclass
class Server:
    """Speaks /v1 from a thread of its own: streams `pieces`, or refuses with `status`."""

    pieces: list[str] = field(default_factory=lambda: ["Hel", "lo"])
    status: int = 200
    hang: bool = False
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    url: str = ""

    async def completions(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(await request.json())
        self.keys.append(request.headers.get("Authorization", ""))
        if self.status != 200:
            return web.json_response({"error": {"message": "Not like that."}}, status=self.status)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for piece in self.pieces:
            event = {"choices": [{"delta": {"content": piece}}]}
            await response.write(f"data: {json.dumps(event)}\n\n".encode())
        if self.hang:
            await asyncio.sleep(60)
        await response.write(b"data: [DONE]\n\n")
        return response

    async def models(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"data": [{"id": "starter"}]})


@pytest.fixture
def server() -> Iterator[Server]:
    served, loop, up = Server(), asyncio.new_event_loop(), threading.Event()

    async def serve() -> web.AppRunner:
        application = web.Application()
        application.add_routes(
            [web.post("/v1/chat/completions", served.completions), web.get("/v1/models", served.models)]
        )
        runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        served.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner

    def run() -> None:
        asyncio.set_event_loop(loop)
        runner = loop.run_until_complete(serve())
        up.set()
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    assert up.wait(10)
    yield served
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


async def test_an_answer_comes_in_pieces_and_is_remembered(server: Server) -> None:
    out = io.StringIO()
    conversation = Conversation(api=Api(url=server.url, key="fd-key"), out=out)
    await conversation.ask("hi")
    await conversation.ask("again")
    assert out.getvalue() == "Hello\nHello\n"
    assert server.keys == ["Bearer fd-key"] * 2
    assert [message["content"] for message in server.asked[1]["messages"]] == ["hi", "Hello", "again"]
    assert (server.asked[0]["model"], server.asked[0]["stream"]) == ("starter", True)


async def test_after_a_reset_nothing_is_remembered(server: Server) -> None:
    conversation = Conversation(api=Api(url=server.url), out=io.StringIO())
    await conversation.ask("hi")
    conversation.reset()
    await conversation.ask("again")
    assert [message["content"] for message in server.asked[1]["messages"]] == ["again"]


async def test_a_stopped_answer_is_remembered_as_far_as_it_was_shown(server: Server) -> None:
    server.hang = True
    out = io.StringIO()
    conversation = Conversation(api=Api(url=server.url), out=out)
    asking = asyncio.create_task(conversation.ask("hi"))
    while out.getvalue() != "Hello":  # it comes over a socket
        await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    server.hang = False
    await conversation.ask("again")
    assert [message["content"] for message in server.asked[1]["messages"]] == ["hi", "Hello", "again"]


@pytest.mark.parametrize(("status", "says"), [(400, "Not like that."), (401, "FRONTDESK_KEY")])
async def test_a_refusal_is_the_servers_own_sentence_and_the_question_is_not_kept(
    server: Server, status: int, says: str
) -> None:
    server.status = status
    conversation = Conversation(api=Api(url=server.url), out=io.StringIO())
    with pytest.raises(ChatFailed, match=says):
        await conversation.ask("hi")
    server.status = 200
    await conversation.ask("again")
    assert [message["content"] for message in server.asked[1]["messages"]] == ["again"]


def test_what_a_terminal_would_obey_is_not_shown() -> None:
    assert printable("\x1b]0;title\x07a\tb\n\x9b31m") == "]0;titlea\tb\n31m"


def test_the_key_is_not_shown_by_mistake() -> None:
    assert "fd-key" not in repr(Api(url="http://here", key="fd-key"))


def test_a_conversation_ends_when_the_input_does(server: Server) -> None:
    lines, out, said = iter(["hi", "", "/reset", "/help", "again"]), io.StringIO(), []

    def read(prompt: str) -> str:
        try:
            return next(lines)
        except StopIteration:
            raise EOFError from None

    complain: Callable[[str], None] = said.append
    assert chat(Api(url=server.url), read=read, out=out, complain=complain) == 0
    assert out.getvalue() == "Hello\nHello\n"
    assert len(server.asked[1]["messages"]) == 1
    assert "Ctrl-C" in said[-1]


def test_the_first_ctrl_c_stops_the_answer_and_the_second_leaves(server: Server) -> None:
    server.hang = True
    master, slave = pty.openpty()
    command = [sys.executable, "-c", OWN_TERMINAL, sys.executable, "-m", "bot", "chat", "--url", server.url]
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
    os.close(slave)
    try:
        terminal = _Terminal(master)
        terminal.until("> ")
        os.write(master, b"hi\n")
        terminal.until("Hello")
        os.write(master, b"\x03")
        terminal.until("stopped")
        terminal.until("> ")
        os.write(master, b"\x03")
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
        os.close(master)


# Makes the pseudo terminal the child's own, so that Ctrl-C typed into it becomes a signal.
OWN_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


class _Terminal:
    """What is seen on a pseudo terminal."""

    def __init__(self, master: int) -> None:
        self._master = master
        self._seen = ""
        os.set_blocking(master, False)

    def until(self, text: str) -> None:
        """Wait for `text`, and forget everything up to it."""
        end = time.monotonic() + 20
        while text not in self._seen:
            if time.monotonic() > end:
                pytest.fail(f"{text!r} never came; seen: {self._seen!r}")
            try:
                self._seen += os.read(self._master, 4096).decode()
            except BlockingIOError:
                time.sleep(0.02)
        self._seen = self._seen.partition(text)[2]
