"""The whole house as its users meet it: `frontdesk up` as a process, keys made with its command, answers over HTTP.

Knows commands and the /v1 API, no module of ours.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

FRONTDESK = (sys.executable, "-m", "bot")
STARTS_WITHIN = 120.0  # seconds; loading half a gigabyte from a cold disk takes its time
ENDS_WITHIN = 15.0
OURS = ("FRONTDESK_", "DATABASE_URL", "REDIS_URL", "SLACK_", "TELEGRAM_")


@dataclass(frozen=True, slots=True)
class Piece:
    """Text that arrived, in seconds since the request was sent."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Streamed:
    pieces: list[Piece]
    prompt_tokens: int
    tokens: int
    model: str = ""  # that answered

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces)


@dataclass(frozen=True, slots=True)
class House:
    """A running house. `url` is where it listens."""

    url: str
    environment: dict[str, str]
    folder: Path

    def key(self, screen: str) -> str:
        """A new API key of that screen."""
        return self.command("keys", "create", "--name", "benchmark", "--screen", screen).strip()

    def command(self, *words: str) -> str:
        """What `frontdesk` says to these words."""
        done = subprocess.run(
            [*FRONTDESK, *words],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
        )
        if done.returncode:
            raise RuntimeError(f"frontdesk {' '.join(words)}: {done.stderr[-2000:]}")
        return done.stdout

    async def ask(
        self, session: aiohttp.ClientSession, question: str, *, key: str, max_tokens: int, model: str
    ) -> Streamed:
        """One streamed answer, with the moment at which each piece of text arrived."""
        body = {
            "model": model,
            "messages": [{"role": "user", "content": question}],
            "max_tokens": max_tokens,
            "temperature": 0,
            "ignore_eos": True,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        pieces: list[Piece] = []
        usage: dict[str, int] = {}
        answered_by = ""
        began = time.perf_counter()
        headers = {"Authorization": f"Bearer {key}"}
        async with session.post(f"{self.url}/v1/chat/completions", json=body, headers=headers) as response:
            if response.status != 200:
                raise RuntimeError(f"{response.status}: {await response.text()}")
            async for line in response.content:
                at = time.perf_counter() - began
                if not line.startswith(b"data: {"):
                    continue
                event = json.loads(line[len(b"data: ") :])
                if "error" in event:
                    raise RuntimeError(str(event["error"]))
                usage = event.get("usage") or usage
                answered_by = event["model"]
                pieces += [
                    Piece(at, choice["delta"]["content"])
                    for choice in event["choices"]
                    if choice["delta"].get("content")
                ]
        return Streamed(pieces, usage["prompt_tokens"], usage["completion_tokens"], answered_by)


@contextmanager
def running(folder: Path, *, model: Path | None, threads: int) -> Iterator[House]:
    """`frontdesk up` with its data in `folder`, ended when the block is left. Without a model it is the default of the
    library there."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    environment |= {
        "FRONTDESK_DATA": str(folder),
        "FRONTDESK_INTRA_THREADS": str(threads),
        "FRONTDESK_DEVICE": "cpu",
    }
    folder.mkdir(parents=True, exist_ok=True)
    command = [*FRONTDESK, "up", "--data", str(folder), "--port", "0"]
    command += ["--model", str(model)] if model else []
    with (folder / "up.log").open("w") as log:
        process = subprocess.Popen(
            command, env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=log, text=True
        )
        try:
            yield House(_ready(process, log=folder / "up.log"), environment, folder)
        finally:
            _end(process)


def _ready(process: subprocess.Popen[str], *, log: Path) -> str:
    assert process.stdout is not None
    latest = time.monotonic() + STARTS_WITHIN
    for line in process.stdout:
        if found := re.match(r"ready\s+(http\S+)", line):
            return found[1]
        if time.monotonic() > latest:
            break
    raise RuntimeError(f"frontdesk up did not become ready:\n{log.read_text()[-2000:]}")


def _end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=ENDS_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
