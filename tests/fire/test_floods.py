"""Too much at once: events that come twice, readers that take nothing, a disk that is full."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from tests.fire.chats import Chats, chatting
from tests.fire.conftest import QUESTIONS
from tests.fire.parts import TOLD_WITHIN, Bot, health_says
from tests.fire.visitors import Visitor, crowd, until_true

pytestmark = pytest.mark.timeout(400)  # seconds, on a machine that does much else

STALLED = 300  # readers
EACH = 200 * 1024  # bytes of the bot's memory that one of them may cost
LONG = "& < > " * 1300  # too long for the model, so it is refused at once; as HTML three times as long
DISK = "8m"


async def test_two_bots_race_for_events_that_come_twice_and_out_of_order(light, postgres_url, figures):
    """Telegram repeats and reorders; the widget sends each message to both bots at once, under one key."""
    async with chatting(12) as chats:
        fire = light(database_url=postgres_url)
        fire.variables |= chats.telegram.environment()
        bots = [fire.bot(), fire.bot()]
        await fire.up(*bots, fire.worker())
        async with crowd(bots, count=6) as people:
            both = [_send_to_both(one, text) for one in people.visitors for text in QUESTIONS[1:4]]
            await asyncio.gather(*both, _write_and_repeat(chats))
            await people.settle()
            await chats.settle()
            await asyncio.sleep(3)  # what would come a second time has time to
            await people.check()
            chats.check(doubled=0)
            figures(
                answered=people.answered,
                known_already=people.ledger.doubled,
                answered_in_Telegram=chats.answered,
                updates_repeated=2 * len(chats.people),
            )


async def _send_to_both(visitor: Visitor, text: str) -> None:
    key = f"{visitor.account.name}-{QUESTIONS.index(text)}"
    await asyncio.gather(*(visitor.say(text, key=key) for _ in range(2)))


async def _write_and_repeat(chats: Chats) -> None:
    chats.telegram.reordered(len(chats.people))
    said = await chats.write("who are u")
    for message in said * 2:
        chats.telegram.duplicate(message)
        await asyncio.sleep(0.05)


async def test_stalled_readers_cost_little_and_hold_up_nobody(light, expected, figures):
    """They ask for a long history and take nothing of it; others are answered meanwhile."""
    fire = light()
    bot = fire.bot()
    await fire.up(bot, fire.worker())
    async with crowd([bot], count=1) as talker:
        async with crowd([bot], count=STALLED // 3, name="stalled") as stalled:
            await stalled.ask([LONG] * 2)
            await stalled.settle()
            assert stalled.ledger.problems() == []
        memory = psutil.Process(bot.pid).memory_info
        before = memory().rss
        async with _stalled(bot, stalled.visitors, each=3):
            await talker.ask(QUESTIONS[:3])
            await talker.settle()
            grown = memory().rss - before
            await talker.check(expected)
        assert grown < STALLED * EACH
        figures(
            stalled_readers=STALLED,
            kB_each=grown / STALLED / 1024,
            answered=talker.answered,
            refused_with_a_notice=stalled.ledger.acknowledged - stalled.ledger.answered,
        )


@asynccontextmanager
async def _stalled(bot: Bot, visitors: list[Visitor], *, each: int) -> AsyncIterator[None]:
    """Connections that ask for events, have next to no room for them, and read nothing."""
    sockets = []
    try:
        for visitor in visitors:
            for _ in range(each):
                plug = socket.socket()
                sockets.append(plug)
                plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)  # as little as there is
                await asyncio.to_thread(plug.connect, ("127.0.0.1", bot.port))
                lines = ["GET /widget/api/events HTTP/1.1", f"Host: 127.0.0.1:{bot.port}"]
                lines += [f"Authorization: Bearer {visitor.token}", f"X-Forwarded-For: {visitor.address}"]
                plug.sendall("\r\n".join([*lines, "", ""]).encode())
        for plug in sockets:
            plug.settimeout(30)
            assert await asyncio.to_thread(plug.recv, 12, socket.MSG_PEEK) == b"HTTP/1.1 200"
        yield
    finally:
        for plug in sockets:
            plug.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own in memory, small enough to be filled."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def test_the_disk_is_full_for_a_while(small_disk, light, expected, figures):
    """SQLite has no room: nothing is acknowledged meanwhile; with room again everything goes on by itself."""
    fire = light(database_url=f"sqlite:///{small_disk / 'frontdesk.sqlite3'}")
    bot = fire.bot()
    await fire.up(bot, fire.worker(token_seconds=0.005))
    async with crowd([bot], count=4) as people:
        asking = asyncio.ensure_future(people.ask(QUESTIONS[:5], pause=1.0))
        await until_true(lambda: sum(one.story.pieces for one in people.visitors) > 4, "some of the answers")
        ballast = small_disk / "ballast"
        await asyncio.to_thread(_fill, ballast)
        await until_true(lambda: people.ledger.refused > 8, "a message that is not taken")
        told = await health_says(bot, "database", well=False)
        acknowledged = people.ledger.acknowledged
        await asyncio.sleep(2)
        assert people.ledger.acknowledged == acknowledged
        ballast.unlink()
        healed = await health_says(bot, "database", well=True)
        await asking
        await people.settle()
        await people.check(expected)
        assert told < TOLD_WITHIN
        figures(
            answered=people.answered,
            sent_again=people.ledger.refused,
            full_told_after=told,
            well_told_after=healed,
        )


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"\0" * 4096):
            pass
