"""`frontdesk up` as its operator sees it: what it prints, what it refuses, and how it ends."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bot.embedded import embedded_redis
from bot.settings import Settings, known_variables
from bot.up import NotStarted, port_is_free, worker_program
from inference import random_model

READY = 60.0  # seconds on a machine that does much else
SLACK = "xoxb-1234567890-abcdefghijkl"
OPERATOR = "an-operators-secret-key"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("up") / "tiny"
    random_model.make(path)
    return path


@dataclass
class Up:
    """A `frontdesk up` that a test started."""

    process: subprocess.Popen[str]
    data: Path
    out: list[str] = field(default_factory=list)
    err: list[str] = field(default_factory=list)
    ready: threading.Event = field(default_factory=threading.Event)
    readers: list[threading.Thread] = field(default_factory=list)

    def children(self) -> dict[str, int]:
        """What it started, by name."""
        listed = subprocess.run(
            ["ps", "ww", "-o", "pid=,args=", "--ppid", str(self.process.pid)],
            capture_output=True,
            text=True,
            check=False,
        )
        found = {}
        for line in listed.stdout.splitlines():
            pid, _, command = line.strip().partition(" ")
            found["worker" if "-m worker" in command else "redis" if "-server" in command else command] = int(
                pid
            )
        return found

    def url(self) -> str:
        return next(line.split()[1] for line in self.out if line.startswith("ready"))


def start(data: Path, *options: str, **variables: str) -> Up:
    keep = {name: value for name, value in os.environ.items() if name not in known_variables()}
    process = subprocess.Popen(
        [sys.executable, "-m", "bot", "up", "--port", "0", "--data", str(data), *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**keep, **variables},
        cwd=data.parent,
    )
    up = Up(process, data)

    def read(stream: Iterator[str], lines: list[str]) -> None:
        for line in stream:
            lines.append(line)
            if line.startswith("ready"):
                up.ready.set()

    assert process.stdout is not None
    assert process.stderr is not None
    for stream, lines in ((process.stdout, up.out), (process.stderr, up.err)):
        up.readers.append(threading.Thread(target=read, args=(stream, lines), daemon=True))
        up.readers[-1].start()
    return up


def finish(up: Up) -> int:
    """Its exit status; what it printed is complete then."""
    if up.process.poll() is None:
        up.process.terminate()
    status = up.process.wait(15)
    for reader in up.readers:
        reader.join(5)
    for stream in (up.process.stdout, up.process.stderr):
        if stream is not None:
            stream.close()
    return status


@pytest.fixture
def launch() -> Iterator[Callable[..., Up]]:
    """Starts one, and sees to it that it ends with the test."""
    started: list[Up] = []

    def launched(data: Path, *options: str, **variables: str) -> Up:
        started.append(start(data, *options, **variables))
        return started[-1]

    yield launched
    for one in started:
        finish(one)


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Iterator[Up]:
    data = tmp_path_factory.mktemp("house") / "data"
    running = start(
        data,
        "--model",
        str(model),
        SLACK_BOT_TOKEN=SLACK,
        SLACK_SIGNING_SECRET="signing-secret-of-the-tests",
        SLACK_API_URL="http://127.0.0.1:9/api/",  # nobody is there
        FRONTDESK_API_KEYS=OPERATOR,
        SECRET_OF_OTHERS="kept",
    )
    if not running.ready.wait(READY):
        finish(running)
        pytest.fail(f"not ready: {running.out} {running.err}")
    yield running
    assert finish(running) == 0


def test_it_prints_a_table_and_then_one_line_that_begins_with_ready(up: Up) -> None:
    text = "".join(up.out)
    assert [line.startswith("ready") for line in up.out] == [False] * (len(up.out) - 1) + [True]
    for fact in (up.url(), "web is on", "tiny on cpu", str(up.data)):
        assert fact in text
    assert " in " in up.out[-1]


def test_ready_is_what_readyz_says(up: Up) -> None:
    asked = urllib.request.Request(f"{up.url()}/readyz", headers={"Authorization": f"Bearer {OPERATOR}"})
    with urllib.request.urlopen(asked, timeout=10) as answer:
        body = json.load(answer)
    assert answer.status == 200
    assert [worker["pid"] for worker in body["workers"]] == [up.children()["worker"]]


ANSWERS = {  # of every kind that there is; what the server speaks to whom is tested where it is made
    "GET /healthz": 200,
    "GET /readyz": 200,
    "GET /metrics": 401,
    "GET /": 200,
    "GET /widget.js": 200,
    "GET /widget/app.js": 200,
    "GET /widget/demo": 200,
    "GET /widget/nobody": 404,
    "GET /widget/api/events": 401,
    "POST /widget/api/session": 400,
    "GET /widget/api/elsewhere": 404,
    "GET /v1/models": 401,
    "POST /v1/chat/completions": 401,
    "GET /v1/elsewhere": 404,
    "PUT /v1/models": 405,
    "POST /slack/events": 401,
    "GET /nowhere": 404,
    "POST /healthz": 405,
}


@pytest.mark.parametrize("asked", ANSWERS)
def test_every_answer_tells_browsers_what_they_may_not_do_with_it(up: Up, asked: str) -> None:
    method, _, path = asked.partition(" ")
    connection = http.client.HTTPConnection(up.url().rpartition("/")[2], timeout=10)
    connection.request(method, path)
    answer = connection.getresponse()
    connection.close()
    assert answer.status == ANSWERS[asked]
    said = {name.lower(): value for name, value in answer.getheaders()}
    assert (said["x-content-type-options"], said["referrer-policy"]) == ("nosniff", "no-referrer")
    assert said["content-security-policy"].startswith("default-src 'none'")
    if path == "/widget/demo":
        assert "frame-ancestors 'self'" in said["content-security-policy"]  # and the site's own origins
    elif path != "/widget/nobody":  # a sentence, for whoever embedded it
        assert "frame-ancestors 'none'" in said["content-security-policy"]
    assert not {"server", "set-cookie", "access-control-allow-origin"} & said.keys()


def test_children_see_no_secret(up: Up) -> None:
    for name in ("worker", "redis"):
        environment = Path(f"/proc/{up.children()[name]}/environ").read_bytes().decode()
        assert SLACK not in environment
        assert OPERATOR not in environment


def test_the_log_is_json_lines_in_the_data_folder_and_holds_no_secret(up: Up) -> None:
    text = (up.data / "frontdesk.log").read_text()
    events = [json.loads(line) for line in text.splitlines()]
    assert {"worker", "redis"} <= {event.get("child") for event in events}
    assert SLACK not in text
    assert OPERATOR not in text


def test_another_one_on_the_same_data_is_refused_and_harms_nothing(
    up: Up, model: Path, launch: Callable[..., Up]
) -> None:
    other = launch(up.data, "--model", str(model))
    assert other.process.wait(READY) == 1
    finish(other)
    assert f"process {up.process.pid}" in "".join(other.err)
    assert other.out == []
    assert set(up.children()) == {"worker", "redis"}


def test_a_taken_port_is_a_sentence(up: Up, model: Path, tmp_path: Path, launch: Callable[..., Up]) -> None:
    port = up.url().rpartition(":")[2]
    other = launch(tmp_path / "data", "--model", str(model), "--port", port)
    assert other.process.wait(READY) == 1
    finish(other)
    assert other.err == [f"Port {port} is taken by another program. Choose another: --port 8081\n"]


def test_a_missing_model_is_the_librarys_sentence(tmp_path: Path, launch: Callable[..., Up]) -> None:
    refused = launch(tmp_path / "data", "--model", "no-such-model")
    assert refused.process.wait(READY) == 1
    finish(refused)
    assert "There is no model named 'no-such-model'" in "".join(refused.err)
    assert "Traceback" not in "".join(refused.err)


def test_what_the_bot_cannot_read_ends_everything_with_a_sentence(
    tmp_path: Path, model: Path, launch: Callable[..., Up]
) -> None:
    (tmp_path / "personas.yaml").write_text("personas: [")
    refused = launch(
        tmp_path / "data", "--model", str(model), FRONTDESK_PERSONAS=str(tmp_path / "personas.yaml")
    )
    assert refused.process.wait(READY) == 1
    finish(refused)
    assert "personas.yaml: is not YAML" in "".join(refused.err)
    assert refused.children() == {}


def test_asked_to_end_while_it_starts_it_does_so_at_once(
    tmp_path: Path, model: Path, launch: Callable[..., Up]
) -> None:
    starting = launch(tmp_path / "data", "--model", str(model))
    end = time.monotonic() + READY
    while "worker" not in (children := starting.children()) and time.monotonic() < end:
        time.sleep(0.02)
    starting.process.send_signal(signal.SIGTERM)
    assert starting.process.wait(10) == 0
    finish(starting)
    assert not any(Path(f"/proc/{pid}").exists() for pid in children.values())
    assert starting.out == []


async def test_the_bot_alone_logs_json_to_stderr_and_ends_when_asked(tmp_path: Path, model: Path) -> None:
    async with embedded_redis(tmp_path, heard=lambda *_: None, hurry=asyncio.Event()) as (url, _):
        keep = {name: value for name, value in os.environ.items() if name not in known_variables()}
        told = {"REDIS_URL": url, "FRONTDESK_PORT": "0", "FRONTDESK_DATA": str(tmp_path)}
        bot = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", "bot"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**keep, **told, "FRONTDESK_MODEL": str(model)},
            cwd=tmp_path,
        )
        assert bot.stderr is not None
        async with asyncio.timeout(READY):
            while (event := json.loads(await bot.stderr.readline()))["event"] != "listening":
                pass
        assert event["channels"] == ["web"]
        bot.terminate()
        out, _ = await bot.communicate()
        assert (bot.returncode, out) == (0, b"")


def test_a_host_that_is_not_ours_is_refused_with_a_sentence() -> None:
    with pytest.raises(NotStarted, match="--host"):
        port_is_free(Settings.read(host="192.0.2.1", port=0))


def test_a_taken_port_is_noticed_before_anything_starts() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(NotStarted, match="is taken"):
            port_is_free(Settings.read(host="127.0.0.1", port=other.getsockname()[1]))


def test_the_worker_is_told_where_things_are_and_watches_a_pipe(tmp_path: Path) -> None:
    program = worker_program(Settings.read(data=tmp_path, redis_url="unix:///tmp/redis.sock", model="tiny"))
    assert program.command[-4:] == ("-m", "worker", "--parent-pipe", "0")
    told = {name: program.environment[name] for name in ("REDIS_URL", "FRONTDESK_DATA", "FRONTDESK_MODEL")}
    assert told == {
        "REDIS_URL": "unix:///tmp/redis.sock",
        "FRONTDESK_DATA": str(tmp_path),
        "FRONTDESK_MODEL": "tiny",
    }
