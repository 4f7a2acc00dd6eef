"""How the house ends: every process with it, within ten seconds, however it is ended."""

from __future__ import annotations

import os
import signal
import time
import urllib.request
from pathlib import Path

import pytest

from tests.journey.conftest import end, gone, start


@pytest.fixture
def up(tmp_path):
    running = start(tmp_path / "data")
    yield running
    end(running)


def test_sigterm_ends_every_process_within_ten_seconds_with_exit_code_0(up):
    started = up.descendants()
    assert len(started) >= 2  # Valkey and the worker
    began = time.monotonic()
    up.process.send_signal(signal.SIGTERM)
    assert up.process.wait(10) == 0
    assert gone(started, within=10 - (time.monotonic() - began)) == set()


def test_a_killed_parent_leaves_no_process_behind(up):
    started = up.descendants()
    up.process.kill()
    up.process.wait(5)
    assert gone(started, within=10) == set()


def test_a_killed_worker_is_started_again(up):
    worker = max(up.descendants(), key=_is_worker)
    assert _is_worker(worker)
    os.kill(worker, signal.SIGKILL)
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if worker not in up.descendants() and any(map(_is_worker, up.descendants())) and _ready(up.url):
            return
        time.sleep(0.1)
    pytest.fail("no new worker got ready")


def _is_worker(pid: int) -> bool:
    try:
        return b"-m\0worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False
