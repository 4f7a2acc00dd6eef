"""Another server, asked over HTTP as OpenAI's clients ask it: llama.cpp, vLLM, or Frontdesk's own gateway.

Knows OpenAI's streams and which extra fields those servers take; what they run is theirs.
"""

import asyncio
import json
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict
from types import TracebackType
from typing import Any

import aiohttp
from conversations import Answer

from inference.chat import Turn

# Seconds for one answer; the last of many may wait long.
PATIENCE = aiohttp.ClientTimeout(total=1800)


class Peer:
    """One server, asked from any thread. A server without chat completions gets the turns as plain text."""

    def __init__(self, url: str, *, model: str = "", key: str = "") -> None:
        self._url = url.rstrip("/").removesuffix("/v1") + "/v1"
        self._model = model
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._chats = True
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="peer")
        self._session: aiohttp.ClientSession | None = None

    def __enter__(self) -> "Peer":
        self._thread.start()
        try:
            self._run(self._open())
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            self._run(self._session.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def ask(self, turns: Sequence[Turn], tokens: int) -> Answer:
        answer: Answer = self._run(self._ask(turns, tokens))
        return answer

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _open(self) -> None:
        """Finds out what the server calls its model, and whether it chats."""
        connections = aiohttp.TCPConnector(limit=0)
        self._session = aiohttp.ClientSession(connector=connections, headers=self._headers, timeout=PATIENCE)
        if not self._model:
            async with self._session.get(f"{self._url}/models") as response:
                self._model = (await _json(response))["data"][0]["id"]
        body = {"model": self._model, "messages": [{"role": "user", "content": "The"}], "max_tokens": 1}
        async with self._session.post(f"{self._url}/chat/completions", json=body) as response:
            self._chats = response.status not in (404, 405, 501)

    async def _ask(self, turns: Sequence[Turn], tokens: int) -> Answer:
        assert self._session is not None
        asked: dict[str, Any]
        if self._chats:
            path, asked = "chat/completions", {"messages": [asdict(turn) for turn in turns]}
        else:
            path, asked = "completions", {"prompt": "\n".join(turn.content for turn in turns) + "\n"}
        body = {
            **asked,
            "model": self._model,
            "max_tokens": tokens,
            "temperature": 0,
            "ignore_eos": True,  # not OpenAI's: vLLM, llama.cpp and Frontdesk know it
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        pieces: list[str] = []
        times: list[float] = []
        usage: dict[str, int] = {}
        async with self._session.post(f"{self._url}/{path}", json=body) as response:
            if response.status != 200:
                raise RuntimeError(f"the peer answered {response.status}: {(await response.text())[:500]}")
            async for line in response.content:
                if not line.startswith(b"data: {"):
                    continue
                event = json.loads(line[len(b"data: ") :])
                if "error" in event:
                    raise RuntimeError(f"the peer's error: {event['error']}")
                usage = event.get("usage") or usage
                if text := "".join(_text(choice) for choice in event.get("choices", ())):
                    times.append(time.perf_counter())
                    pieces.append(text)
        if not times:
            raise RuntimeError("the peer answered without any text")
        return Answer(
            "".join(pieces), times, usage.get("completion_tokens", len(pieces)), usage.get("prompt_tokens", 0)
        )


def _text(choice: dict[str, Any]) -> str:
    delta = choice.get("delta", {})
    return choice.get("text") or delta.get("content") or delta.get("reasoning_content") or ""


async def _json(response: aiohttp.ClientResponse) -> Any:
    if response.status != 200:
        raise RuntimeError(f"the peer answered {response.status}: {(await response.text())[:500]}")
    return await response.json()
