"""`frontdesk chat`: a conversation in the terminal, over the same HTTP API that everybody uses.

Knows the terminal and /v1. Holds the conversation in memory; keeps nothing.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, TextIO

import aiohttp

CONNECT = 5.0  # seconds; a server that takes longer to greet is not there
SILENCE = 120.0  # seconds without a byte; the server sends something far more often
HELP = "Write your question. Ctrl-C stops an answer, or leaves when there is none; /reset starts afresh, /quit leaves."


class ChatFailed(Exception):
    """The server gave no answer; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Api:
    """Where to ask and with which key; an empty key sends none."""

    url: str
    key: str = field(default="", repr=False)
    model: str = ""

    async def answer(self, messages: list[dict[str, str]]) -> AsyncGenerator[str, None]:
        """The answer, piece by piece. Raises ChatFailed."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT, sock_read=SILENCE)
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        try:
            async with aiohttp.ClientSession(timeout=timeout, headers=headers) as client:
                model = self.model or await self._first_model(client)
                body = {"model": model, "messages": messages, "stream": True}
                async with client.post(f"{self._root}/chat/completions", json=body) as response:
                    await _refused(response)
                    async with aclosing(_pieces(response.content)) as pieces:
                        async for piece in pieces:
                            yield piece
        except TimeoutError:
            raise ChatFailed(f"{self.url} does not answer.") from None
        except (aiohttp.ClientError, ValueError) as error:
            raise ChatFailed(self._unreachable(error)) from None

    async def _first_model(self, client: aiohttp.ClientSession) -> str:
        async with client.get(f"{self._root}/models") as response:
            await _refused(response)
            models = (await response.json())["data"]
        return str(models[0]["id"]) if models else "default"

    @property
    def _root(self) -> str:
        return f"{self.url.rstrip('/').removesuffix('/v1')}/v1"

    def _unreachable(self, error: Exception) -> str:
        if isinstance(error, aiohttp.ClientConnectorError):
            return f"No Frontdesk answers at {self.url}. Start one with: frontdesk up. Or name another: --url"
        return f"{self.url} broke off or does not speak as Frontdesk does ({type(error).__name__})."


async def _refused(response: aiohttp.ClientResponse) -> None:
    """Raise ChatFailed with the server's own sentence unless it agreed."""
    if response.status < 400:
        return
    try:
        said = str(json.loads(await response.text())["error"]["message"])
    except (ValueError, KeyError, TypeError):
        said = f"The server answered {response.status} {response.reason}."
    if response.status == 401:
        said += " Give a key with FRONTDESK_KEY or --key; frontdesk keys create makes one."
    raise ChatFailed(said)


async def _pieces(content: aiohttp.StreamReader) -> AsyncGenerator[str, None]:
    async for line in content:
        data = line.decode("utf-8", "replace").strip().removeprefix("data:").strip()
        if data == "[DONE]":
            return
        if data.startswith("{"):
            yield _piece(json.loads(data))


def _piece(event: dict[str, Any]) -> str:
    if "error" in event:
        raise ChatFailed(str(event["error"].get("message", "The answer broke off.")))
    choices = event.get("choices") or [{}]
    return str(choices[0].get("delta", {}).get("content") or "")


def printable(text: str) -> str:
    """Without what a terminal would obey: the model's words may hold anything."""
    return "".join(char for char in text if char in "\n\t" or char.isprintable())


class Conversation:
    """What was said so far. An answer that was stopped is remembered as far as it was shown."""

    def __init__(self, *, api: Api, out: TextIO) -> None:
        self._api = api
        self._out = out
        self._messages: list[dict[str, str]] = []

    def reset(self) -> None:
        self._messages.clear()

    async def ask(self, text: str) -> None:
        """Ask and show the answer as it comes. Raises ChatFailed, and then the question counts as not asked."""
        self._messages.append({"role": "user", "content": text})
        shown: list[str] = []
        try:
            async with aclosing(self._api.answer(self._messages)) as pieces:
                async for piece in pieces:
                    shown.append(piece)
                    self._out.write(printable(piece))
                    self._out.flush()
        except ChatFailed:
            if not shown:
                self._messages.pop()
            raise
        finally:
            self._out.write("\n")
            if shown:
                self._messages.append({"role": "assistant", "content": "".join(shown)})


def chat(
    api: Api,
    *,
    first: str = "",
    read: Callable[[str], str] = input,
    out: TextIO = sys.stdout,
    complain: Callable[[str], None],
) -> int:
    """Talk until the person leaves; with `first`, ask just that. The exit status: 1 when the last question failed."""
    conversation, status = Conversation(api=api, out=out), 0
    with asyncio.Runner() as runner:
        if first:
            return _asked(runner, conversation, first, complain=complain)
        if sys.stdin.isatty():
            complain(HELP)
        while True:
            try:
                text = read("> " if sys.stdin.isatty() else "").strip()
            except (EOFError, KeyboardInterrupt):
                return status
            if text in ("/quit", "/exit"):
                return status
            if text == "/reset":
                conversation.reset()
            elif text == "/help":
                complain(HELP)
            elif text:
                status = _asked(runner, conversation, text, complain=complain)


def _asked(
    runner: asyncio.Runner, conversation: Conversation, text: str, *, complain: Callable[[str], None]
) -> int:
    """One question. Ctrl-C stops its answer: the runner turns it into a cancellation, which closes the connection."""
    try:
        runner.run(conversation.ask(text))
    except KeyboardInterrupt:
        complain("stopped")
    except ChatFailed as error:
        complain(printable(str(error)))
        return 1
    return 0
