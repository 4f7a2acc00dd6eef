"""Children are kept running, and none is left behind: proven with real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.supervisor import BACK_OFF, CannotStart, Program, kept_running

SLEEPER = "import sys, time; print('up', flush=True); time.sleep(60)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


class Heard:
    """What the children said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, name: str, line: str) -> None:
        self.lines.append(line)

    async def until(self, line: str, *, times: int = 1) -> None:
        await self._until(lambda: self.lines.count(line) >= times)

    async def first(self) -> str:
        await self._until(lambda: bool(self.lines))
        return self.lines[0]

    async def _until(self, said: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not said():  # it comes from a thread that knows no events
                await asyncio.sleep(0.01)


def program(script: str, *, leashed: bool = False, grace: float = 3.0) -> Program:
    return Program(
        name="child",
        command=(sys.executable, "-I", "-c", script),
        environment={"PATH": os.environ["PATH"]},
        leashed=leashed,
        grace=grace,
    )


def alive(pid: int) -> bool:
    """Whether a process exists and is no zombie (in a container nobody may be there to reap orphans)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return not done.stdout.strip().startswith("Z") and done.returncode == 0


def gone_within(pid: int, *, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not alive(pid):
            return True
        time.sleep(0.05)
    return False


async def test_a_childs_lines_are_heard_and_it_ends_with_the_block() -> None:
    heard = Heard()
    async with kept_running(program(SLEEPER), heard=heard, hurry=asyncio.Event()) as kept:
        await heard.until("up")
        assert alive(kept.pid)
    assert not alive(kept.pid)
    assert kept.starts == 1


async def test_a_child_that_is_killed_is_started_again_at_once() -> None:
    heard = Heard()
    async with kept_running(program(SLEEPER), heard=heard, hurry=asyncio.Event()) as kept:
        await heard.until("up")
        killed = kept.pid
        began = time.monotonic()
        os.kill(killed, signal.SIGKILL)
        await heard.until("up", times=2)
        assert time.monotonic() - began < 2  # a process start on a busy machine, and no back-off
        assert kept.pid != killed


async def test_a_child_that_keeps_dying_is_started_ever_more_slowly() -> None:
    heard = Heard()
    began = time.monotonic()
    async with kept_running(program("print('up')"), heard=heard, hurry=asyncio.Event()):
        await heard.until("up", times=3)
        assert time.monotonic() - began >= BACK_OFF[0] + BACK_OFF[1]
        await asyncio.sleep(0.3)
        assert heard.lines.count("up") == 3


async def test_a_child_that_ignores_the_request_is_killed_after_its_grace() -> None:
    heard = Heard()
    async with kept_running(program(STUBBORN, grace=0.3), heard=heard, hurry=asyncio.Event()) as kept:
        await heard.until("up")
        began = time.monotonic()
    assert 0.3 <= time.monotonic() - began < 3
    assert not alive(kept.pid)


async def test_a_child_that_was_asked_to_end_is_not_started_again() -> None:
    heard = Heard()
    async with kept_running(program(SLEEPER), heard=heard, hurry=asyncio.Event()) as kept:
        await heard.until("up")
        kept.ask()
        assert await kept.ended() == -signal.SIGTERM
        await asyncio.sleep(0.3)
        assert kept.starts == 1


async def test_hurry_cuts_the_grace_short() -> None:
    heard, hurry = Heard(), asyncio.Event()
    async with kept_running(program(STUBBORN, grace=60), heard=heard, hurry=hurry) as kept:
        await heard.until("up")
        began = time.monotonic()
        hurry.set()
    assert time.monotonic() - began < 3
    assert not alive(kept.pid)


async def test_what_a_child_started_itself_ends_with_it() -> None:
    script = (
        "import subprocess, sys, time; "
        "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']).pid, flush=True); "
        "time.sleep(60)"
    )
    heard = Heard()
    async with kept_running(program(script), heard=heard, hurry=asyncio.Event()):
        grandchild = int(await heard.first())
        assert alive(grandchild)
    assert gone_within(grandchild, seconds=3)


async def test_a_line_that_cannot_be_heard_holds_nobody_up() -> None:
    lines = []

    def hear(name: str, line: str) -> None:
        if line == "broken":
            raise RuntimeError("what is this?")
        lines.append(line)

    script = "print('broken'); print('good', flush=True); import time; time.sleep(60)"
    async with kept_running(program(script), heard=hear, hurry=asyncio.Event()), asyncio.timeout(10):
        while lines != ["good"]:
            await asyncio.sleep(0.01)


async def test_a_line_without_end_is_heard_in_parts() -> None:
    heard = Heard()
    script = "import sys; sys.stdout.write('x' * 200_000 + '\\nup\\n'); sys.stdout.flush(); input()"
    async with kept_running(program(script), heard=heard, hurry=asyncio.Event()):
        await heard.until("up")
    assert sum(map(len, heard.lines)) == 200_002
    assert max(map(len, heard.lines)) <= 64 * 1024


async def test_a_child_that_cannot_start_is_named() -> None:
    missing = Program(name="worker", command=("/nowhere/at-all",), environment={})
    with pytest.raises(CannotStart, match=r"worker cannot be started: No such file"):
        async with kept_running(missing, heard=Heard(), hurry=asyncio.Event()):
            pass


async def test_a_child_sees_nothing_of_our_environment_but_what_it_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-not-for-children")
    heard = Heard()
    script = "import os; print('SLACK_BOT_TOKEN' in os.environ, flush=True); input()"
    async with kept_running(program(script), heard=heard, hurry=asyncio.Event()):
        await heard.until("False")


PARENT = """
import asyncio, os, sys
from bot.supervisor import Program, kept_running
async def main():
    leash, *command = sys.argv[1:]
    program = Program(
        name="child", command=tuple(command), environment=dict(os.environ), leashed=leash == "leashed"
    )
    def heard(name, line):
        print(line, flush=True)
    async with kept_running(program, heard=heard, hurry=asyncio.Event()) as kept:
        print(kept.pid, flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""
WATCHES_ITS_PIPE = "import os; print('up', flush=True); os.read(0, 1)"


@pytest.mark.parametrize(("leash", "script"), [("leashed", SLEEPER), ("watching", WATCHES_ITS_PIPE)])
def test_no_child_is_left_behind_when_the_parent_is_killed(leash: str, script: str) -> None:
    command = [sys.executable, "-c", PARENT, leash, sys.executable, "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        lines = {parent.stdout.readline().strip() for _ in range(2)}
        assert "up" in lines
        child = int((lines - {"up"}).pop())
        assert alive(child)
        parent.kill()
    assert gone_within(child, seconds=3)


def test_where_the_kernel_keeps_no_such_promise_a_watcher_does() -> None:
    """The way of macOS, tried everywhere: the child ends when the other end of the watcher's pipe closes."""
    script = (
        "import sys; from worker.leash import watch; "
        "sys.exit(watch([sys.executable, '-c', sys.argv[1]], pipe=sys.stdin.fileno()))"
    )
    tells = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    command = [sys.executable, "-c", script, tells]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as watcher:
        assert watcher.stdin is not None
        assert watcher.stdout is not None
        child = int(watcher.stdout.readline())
        assert alive(child)
        watcher.stdin.close()
        assert gone_within(child, seconds=3)
        assert watcher.wait(3) == -signal.SIGKILL % 256


def test_a_watcher_passes_a_request_to_end_on() -> None:
    script = (
        "import sys; from worker.leash import watch; "
        "sys.exit(watch([sys.executable, '-c', sys.argv[1]], pipe=sys.stdin.fileno()))"
    )
    polite = (
        "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(7)); "
        "print('up', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", script, polite]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as watcher:
        assert watcher.stdout is not None
        assert watcher.stdout.readline().strip() == "up"
        watcher.terminate()
        assert watcher.wait(5) == 7


def test_the_leash_script_stands_beside_the_supervisor() -> None:
    from bot.supervisor import LEASH

    assert Path(LEASH).is_file()
