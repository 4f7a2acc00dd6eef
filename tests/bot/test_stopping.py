"""Who asks to end is heard, work may finish what it does, and who hurries does not wait."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from bot.stopping import Stop, stop_signals, until_stopped


async def test_work_that_is_asked_to_end_may_finish_what_it_does() -> None:
    stop, done = Stop(), []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.1)
            done.append("finished")

    asking = asyncio.get_running_loop().call_later(0.05, stop.asked.set)
    await until_stopped(work(), stop=stop)
    asking.cancel()
    assert done == ["finished"]


async def test_who_hurries_does_not_wait_for_that() -> None:
    stop, done = Stop(), []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(60)
            done.append("finished")

    loop = asyncio.get_running_loop()
    loop.call_later(0.05, stop.asked.set)
    loop.call_later(0.1, stop.hurry.set)
    async with asyncio.timeout(5):
        await until_stopped(work(), stop=stop)
    assert done == []


async def test_an_error_in_the_work_is_raised() -> None:
    async def work() -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        await until_stopped(work(), stop=Stop())


async def test_a_second_signal_hurries_but_an_echo_of_the_first_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bot.stopping.ONE_PRESS", 0.2)
    with stop_signals() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(stop.asked.wait(), 5)
        os.kill(os.getpid(), signal.SIGHUP)
        await asyncio.sleep(0.05)
        assert not stop.hurry.is_set()
        await asyncio.sleep(0.3)
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.wait_for(stop.hurry.wait(), 5)


async def test_a_hangup_that_was_to_be_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with stop_signals() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            await asyncio.sleep(0.05)
            assert not stop.asked.is_set()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
