"""The whole house as people get it: `frontdesk up` as a process of its own, a real browser in front of it.

Every test here runs twice: with what `up` brings along (Valkey, SQLite), and with PostgreSQL and Redis given by URL.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

READY_SECONDS = 60.0  # a loaded machine; that it is 10 s or less on an idle one is measured, not tested
OPERATOR = "operator-key-of-the-tests"


@dataclass
class House:
    """A running `frontdesk up`."""

    process: subprocess.Popen[str]
    url: str
    data: Path
    env: dict[str, str]
    lines: list[str] = field(default_factory=list)

    def descendants(self) -> set[int]:
        """The process ids of everything that it started."""
        parents: dict[int, list[int]] = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                pid, rest = int(stat.parent.name), stat.read_text().rsplit(")", 1)[1].split()
                parents.setdefault(int(rest[1]), []).append(pid)
        found: set[int] = set()
        todo = [self.process.pid]
        while todo:
            children = parents.get(todo.pop(), [])
            found.update(children)
            todo += children
        return found


def start(data: Path, *args: str, **env: str) -> House:
    """Start `frontdesk up` on a free port and wait for its ready line."""
    keep = {k: v for k, v in os.environ.items() if not k.startswith(("FRONTDESK_", "REDIS_", "DATABASE_"))}
    full = {**keep, **env}
    process = subprocess.Popen(
        [sys.executable, "-m", "bot", "up", "--port", "0", "--data", str(data), *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        env=full,
    )
    house = House(process, "", data, full)
    ready = threading.Event()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            house.lines.append(line)
            if line.startswith("ready"):
                ready.set()
        ready.set()

    threading.Thread(target=read, daemon=True).start()
    if not ready.wait(READY_SECONDS) or process.poll() is not None:
        process.kill()
        pytest.fail("frontdesk up did not get ready:\n" + "".join(house.lines))
    house.url = next(word for word in house.lines[-1].split() if word.startswith("http"))
    return house


def end(house: House) -> None:
    if house.process.poll() is None:
        house.process.send_signal(signal.SIGTERM)
        house.process.wait(15)
    if house.process.stdout is not None:
        house.process.stdout.close()


def gone(pids: set[int], *, within: float) -> set[int]:
    """Those of the processes that are still there after at most `within` seconds."""
    until = time.monotonic() + within
    left = set(pids)
    while left and time.monotonic() < until:
        left = {pid for pid in left if _alive(pid)}
        time.sleep(0.05)
    return left


def _alive(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


@pytest.fixture(scope="module", params=["embedded", "external"])
def parts(request):
    """The environment that says where the database and the queue are: nothing, or two URLs."""
    if request.param == "embedded":
        return {}
    return {
        "DATABASE_URL": request.getfixturevalue("journey_database"),
        "REDIS_URL": request.getfixturevalue("journey_redis"),
    }


@pytest.fixture(scope="module")
def journey_database(postgres):
    return postgres.url(postgres.new_database())


@pytest.fixture(scope="module")
def journey_redis(tmp_path_factory):
    """A Redis server of the operator's own, reached over TCP with a password."""
    server = shutil.which("redis-server") or shutil.which("valkey-server")
    if server is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no Redis: apt-get install redis-server")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("redis")
    process = subprocess.Popen(
        [
            server,
            "--port",
            str(port),
            "--bind",
            "127.0.0.1",
            "--requirepass",
            "pass-of-the-tests",
            "--save",
            "",
        ],
        cwd=folder,
        stdout=subprocess.DEVNULL,
    )
    yield f"redis://:pass-of-the-tests@127.0.0.1:{port}/0"
    process.terminate()
    process.wait(10)


@pytest.fixture(scope="module")
def house(parts, tmp_path_factory):
    running = start(tmp_path_factory.mktemp("house") / "data", **parts, FRONTDESK_API_KEYS=OPERATOR)
    yield running
    end(running)


@pytest.fixture(scope="module")  # not session: while Playwright's sync API is open, no async test can run
def chromium():
    """Debian's Chromium under Playwright; a missing one is a skip on a laptop and a failure in CI."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path,
            args=[
                "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
                "--disable-component-update", "--disable-sync",
            ],
        )  # fmt: skip
        yield browser
        browser.close()
