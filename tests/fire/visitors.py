"""People in front of the widget: they write until they are told that it is safe, and read on wherever a bot answers.

Knows the widget's API. What they are told goes into the ledger.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.fire.ledger import Account, Ledger, Story
from tests.fire.parts import Bot

PATIENCE = 120.0  # seconds in which something has to succeed at last; a deadline, not a pause
AGAIN = 0.2  # seconds between two tries
SILENCE = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=40)  # a stream's heart beats each 15 s
SHORT = aiohttp.ClientTimeout(total=15)


@dataclass
class Visitor:
    """One person with a session. `bots` is shared: who is there now."""

    account: Account
    bots: list[Bot]
    http: aiohttp.ClientSession
    address: str
    token: str = ""
    _at: int = 0
    _keys: Iterator[int] = field(default_factory=itertools.count)

    @property
    def story(self) -> Story:
        return self.account.story

    def _headers(self, **more: str) -> dict[str, str]:
        bearer = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return {"X-Forwarded-For": self.address, **bearer, **more}

    def _next(self) -> str:
        """A bot's address; another one each time."""
        self._at += 1
        return self.bots[self._at % len(self.bots)].url

    async def enter(self) -> None:
        url = self._next()
        _, body = await self._post("session", {"site": "demo", "origin": url, "language": "en"}, url=url)
        self.token = body["token"]

    async def say(self, text: str, *, key: str = "") -> int:
        """Send a message until it is acknowledged, always under the same key."""
        key = key or f"{self.account.name}-{next(self._keys)}"
        status, body = await self._post("messages", {"text": text}, key=key)
        assert status == 202, body
        self.account.acknowledge(key, body["message"], duplicate=body["duplicate"])
        return int(body["message"])

    async def _post(self, path: str, body: Any, *, key: str = "", url: str = "") -> tuple[int, Any]:
        """Another try, at another bot, for every failure that says "not now"."""
        give_up = time.monotonic() + PATIENCE
        while True:
            status, answer = await self.try_once(path, body, key=key, url=url)
            if status and status not in (429, 500, 502, 503):
                return status, answer
            self.account.refused += 1
            assert time.monotonic() < give_up, f"{path} was not taken: {status} {answer}"
            await asyncio.sleep(AGAIN)

    async def try_once(self, path: str, body: Any, *, key: str = "", url: str = "") -> tuple[int, Any]:
        """One request; status 0 when the connection broke, so that nobody knows."""
        headers = self._headers(**({"Idempotency-Key": key} if key else {}))
        try:
            async with self.http.post(
                f"{url or self._next()}/widget/api/{path}", json=body, headers=headers, timeout=SHORT
            ) as answer:
                return answer.status, await answer.json(content_type=None)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            return 0, {}

    async def follow(self, story: Story | None = None) -> None:
        """Read for ever into a story, going on where it is after every cut."""
        story = story or self.story
        while True:
            try:
                async with self._stream(story.cursor) as response:
                    if response.status == 200:
                        async for number, kind, data in _events(response):
                            story.hear(number, kind, data)
            except (aiohttp.ClientError, OSError, TimeoutError):
                pass
            await asyncio.sleep(AGAIN)

    def _stream(self, cursor: int) -> Any:
        given = {"Last-Event-ID": str(cursor)} if cursor else {}
        return self.http.get(
            f"{self._next()}/widget/api/events", headers=self._headers(**given), timeout=SILENCE
        )

    async def read_anew(self, *, until: int) -> Story:
        """The story as somebody reads it who comes now."""
        story = Story()
        reading = asyncio.ensure_future(self.follow(story))
        try:
            await until_true(lambda: story.cursor >= until, "reading anew")
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        return story


async def _events(response: aiohttp.ClientResponse) -> AsyncIterator[tuple[int, str, Any]]:
    fields: dict[str, str] = {}
    while line := await response.content.readline():
        name, _, value = line.decode().rstrip("\n").partition(":")
        if line == b"\n" and "data" in fields:
            yield int(fields["id"]), fields["event"], json.loads(fields["data"])
            fields = {}
        elif name:
            fields[name] = value.strip()


@dataclass
class Crowd:
    """The visitors of a scenario, each read to in the background."""

    ledger: Ledger
    bots: list[Bot]
    visitors: list[Visitor] = field(default_factory=list)

    @property
    def answered(self) -> str:
        return f"{self.ledger.answered} of {self.ledger.acknowledged}"

    async def ask(self, questions: Sequence[str], *, pause: float = 0.0) -> None:
        """Each asks all of it, one after the other, without waiting for answers."""

        async def ask_all(visitor: Visitor) -> None:
            await asyncio.sleep(pause * self.visitors.index(visitor) / len(self.visitors))
            for question in questions:
                await visitor.say(question)
                await asyncio.sleep(pause)

        await asyncio.gather(*map(ask_all, self.visitors))

    async def settle(self, *, seconds: float = PATIENCE) -> None:
        """Wait until everything acknowledged has come to its end."""
        await until_true(lambda: self.ledger.is_settled, self.ledger.unsettled, seconds=seconds)

    async def check(self, expected: Sequence[str] | None = None) -> None:
        """The rules, who reads anew reads the same, and each answer is what it would have been."""
        assert self.ledger.problems() == []
        for visitor in self.visitors:
            anew = await visitor.read_anew(until=visitor.story.cursor)
            assert anew.problems == []
            assert {one.id: one.html for one in anew.messages.values()} == {
                one.id: one.html for one in visitor.story.messages.values()
            }
            if expected is not None:
                texts = visitor.account.texts()
                assert texts == list(expected[: len(texts)]), visitor.account.name


@asynccontextmanager
async def crowd(bots: list[Bot], *, count: int, name: str = "visitor") -> AsyncIterator[Crowd]:
    """So many visitors, entered and reading."""
    ledger = Ledger()
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar()
    ) as http:
        gathered = Crowd(ledger, bots)
        for number in range(count):
            address = f"10.{number // 65536 % 256}.{number // 256 % 256}.{number % 256}"
            gathered.visitors.append(
                Visitor(ledger.account(f"{name}-{number}"), bots, http, address, _at=number)
            )
        await asyncio.gather(*(visitor.enter() for visitor in gathered.visitors))
        reading = [asyncio.ensure_future(visitor.follow()) for visitor in gathered.visitors]
        try:
            yield gathered
        finally:
            for task in reading:
                task.cancel()
            await asyncio.gather(*reading, return_exceptions=True)


async def until_true(
    true: Callable[[], object], what: str | Callable[[], str], *, seconds: float = PATIENCE
) -> None:
    """Wait for something; what it is, is said when it does not come."""
    give_up = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < give_up, f"in vain: {what if isinstance(what, str) else what()}"
        await asyncio.sleep(0.02)
