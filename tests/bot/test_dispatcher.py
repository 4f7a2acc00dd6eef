"""Whatever is unanswered gets its answer: in order within a place, at once across places, by one process."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from bot import dispatcher
from bot.dispatcher import Dispatcher
from bot.messages import Ending, NotNow
from bot.notices import notice
from bot.store import StoreUnavailable
from tests.bot.conftest import SOON, becomes


class Shows:
    """A channel that keeps what it was given to show."""

    name = "web"
    delivers = False

    def __init__(self):
        self.shown = []

    def routes(self):
        return []

    async def run(self):
        pass

    async def show(self, question, answer):
        async for part in answer:
            if not isinstance(part, Ending):
                self.shown.append((question.place.key, part.text))


@pytest.fixture
def channel():
    return Shows()


@pytest.fixture
def dispatch(desk, channel):
    def made(owner="here", channels=None):
        return Dispatcher(
            owner=owner,
            store=desk.store,
            conversation=desk.conversation,
            channels={"web": channel} if channels is None else channels,
        )

    return made


async def until(desk, wanted, place_id=1):
    """Wait until a viewer of the place sees `wanted`."""
    async with asyncio.timeout(SOON):
        with desk.conversation.bell.listen(place_id) as rung:
            while True:
                rung.clear()
                if wanted in await desk.seen(place_id):
                    return
                await rung.wait()


@asynccontextmanager
async def running(*dispatchers):
    async with asyncio.TaskGroup() as group:
        stop = asyncio.Event()
        for each in dispatchers:
            group.create_task(_run(each, stop))
        yield
        stop.set()


async def _run(each, stop):
    async with each.answering():
        await stop.wait()


ANSWERED = ("model", "Good morning. How are you?", "done")


async def test_what_was_acknowledged_before_the_start_is_answered(desk, dispatch, channel):
    await desk.say("hello")
    async with running(dispatch()):
        await until(desk, ANSWERED)
    assert channel.shown == [("p", "Good morning."), ("p", " How are you?")]


async def test_messages_of_one_place_are_answered_in_order_one_at_a_time(desk, dispatch):
    for number in range(4):
        await desk.say(f"question {number}")
    async with running(dispatch(), dispatch("another")):
        await until(desk, ("person", "question 3", "done"))
    asked = [desk.prompt(number) for number in range(4)]
    assert [prompt.count("<|im_start|>user") for prompt in asked] == [1, 2, 3, 4]


async def test_another_place_does_not_wait(desk, dispatch):
    def script(job):
        asked = desk.conversation.models.default.chat.tokenizer.decode(list(job.prompt))
        return ["on and on "] * 4_000 if "story" in asked else desk.script

    desk.queue._script = script
    desk.queue._slots = asyncio.Semaphore(2)
    desk.queue._pause = 0.01
    await desk.say("a long story", place="slow")
    async with running(dispatch()):
        await becomes(lambda: desk.queue.asked_for)
        quick = await desk.say("hello", place="quick")
        await until(desk, ANSWERED, quick.place_id)
        assert desk.queue.ended["stop"] == 1
        await desk.conversation.stop(1)


async def test_the_queue_away_is_said_once_and_the_answer_comes_when_it_is_back(desk, dispatch, monkeypatch):
    monkeypatch.setattr(dispatcher, "POSTPONED_SECONDS", 0.02)
    desk.queue.away = True
    await desk.say("hello")
    async with running(dispatch()):
        await until(desk, ("house", notice("waiting", "en"), "done"))
        desk.queue.away = False
        await until(desk, ANSWERED)
    assert [said for said in await desk.seen() if said[0] == "house"] == [
        ("house", notice("waiting", "en"), "done")
    ]


async def test_queue_and_database_both_away_end_nothing_but_the_try(desk, dispatch, monkeypatch):
    monkeypatch.setattr(dispatcher, "POSTPONED_SECONDS", 0.0)
    desk.queue.away = True
    tried = asyncio.Event()

    async def away(*args, **kwargs):
        tried.set()
        raise StoreUnavailable("away")

    await desk.say("hello")
    with monkeypatch.context() as broken:
        broken.setattr(desk.store, "note", away)
        async with running(dispatch()):
            async with asyncio.timeout(SOON):
                await tried.wait()
            await desk.say("still here?")


async def test_a_channel_that_fails_costs_its_own_answer_alone(desk, dispatch, channel, monkeypatch):
    async def broken(question, answer):
        raise RuntimeError("the platform said no")

    monkeypatch.setattr(dispatcher, "POSTPONED_SECONDS", 0.0)
    monkeypatch.setattr(dispatcher, "SHOWINGS", 3)
    await desk.say("hello")
    channel.show = broken
    async with running(dispatch()):
        await until(desk, ("house", notice("failed", "en"), "done"))
        channel.show = Shows.show.__get__(channel)
        await desk.say("hello again")
        await until(desk, ANSWERED)


async def test_a_platform_that_asks_for_patience_costs_no_answer_however_often(
    desk, dispatch, channel, monkeypatch
):
    tries = []

    async def flooded(question, answer):
        tries.append(question.attempt)
        raise NotNow(0.01)

    monkeypatch.setattr(dispatcher, "SHOWINGS", 2)
    await desk.say("hello")
    channel.show = flooded
    async with running(dispatch()):
        await becomes(lambda: len(tries) > 4)
        channel.show = Shows.show.__get__(channel)
        await until(desk, ANSWERED)


async def test_an_answer_whose_channel_is_gone_is_kept(desk, dispatch):
    await desk.say("hello")
    async with running(dispatch(channels={})):
        await until(desk, ANSWERED)


async def test_what_is_unfinished_at_the_end_is_left_for_the_next_start(desk, dispatch, monkeypatch):
    monkeypatch.setattr(dispatcher, "GRACE_SECONDS", 0.05)
    desk.queue._pause = 0.01
    desk.script = ["One. ", *["on and on "] * 4_000]
    await desk.say("a long story")
    async with running(dispatch()):
        await until(desk, ("model", "One.", "answering"))
    lease = await desk.lease("the next start")
    assert lease.attempt == 2


async def test_who_hurries_the_end_still_gives_back_what_is_under_way(desk, dispatch):
    desk.queue._pause = 0.01
    desk.script = ["One. ", *["on and on "] * 4_000]
    await desk.say("a long story")
    stop = asyncio.Event()
    answering = asyncio.create_task(_run(dispatch(), stop))
    await until(desk, ("model", "One.", "answering"))
    stop.set()
    await asyncio.sleep(0.05)
    answering.cancel()
    await asyncio.gather(answering, return_exceptions=True)
    lease = await desk.lease("the next start")
    assert lease.attempt == 2


async def test_an_answer_that_ends_within_the_grace_is_finished(desk, dispatch):
    desk.queue._pause = 0.05
    await desk.say("hello")
    async with running(dispatch()):
        await becomes(lambda: desk.queue.asked_for)
    assert ANSWERED in await desk.seen()


async def test_a_lease_that_another_process_took_ends_the_answer_here(desk, dispatch, channel, monkeypatch):
    monkeypatch.setattr(dispatcher, "LEASE_SECONDS", 0.15)
    desk.queue._pause = 0.01
    desk.script = ["One. ", *["on and on "] * 4_000]
    await desk.say("a long story")
    slow = dispatch("slow")
    async with running(slow):
        await until(desk, ("model", "One.", "answering"))

        async def asleep(lease, *, ttl):
            return False

        monkeypatch.setattr(desk.store, "renew", asleep)
        await becomes(lambda: not slow._carried)
        await desk.conversation.stop(1)


async def test_an_answer_that_ended_and_was_not_brought_is_shown_again_from_its_beginning(
    desk, dispatch, channel, monkeypatch
):
    monkeypatch.setattr(dispatcher, "POSTPONED_SECONDS", 0.0)
    channel.delivers = True
    told = []

    async def broken_at_the_end(question, answer):
        told.append((question.attempt, [part async for part in answer]))
        if len(told) < 3:
            raise RuntimeError("the platform did not answer")

    channel.show = broken_at_the_end
    await desk.say("hello")
    second = await desk.say("and then?")
    async with running(dispatch()):
        await becomes(lambda: len(told) == 4)
        await until(desk, ("person", "and then?", "done"))
        await becomes(lambda: desk.queue.ended["stop"] == 2)
    first = [part.text for part in told[0][1] if not isinstance(part, Ending)]
    assert first == ["Good morning.", " How are you?"]
    for attempt, parts in told[:3]:
        assert [part.text for part in parts[:-1]] == first, attempt
        assert parts[-1].state == "done"
    assert [attempt for attempt, _ in told] == [1, 2, 3, 1]  # the next one of the place waited
    assert await desk.store.lease(owner="here", ttl=15.0, limit=9) == []
    assert second.message_id


async def test_an_answer_that_nobody_can_bring_is_given_up_in_the_end(desk, dispatch, channel, monkeypatch):
    monkeypatch.setattr(dispatcher, "POSTPONED_SECONDS", 0.0)
    monkeypatch.setattr(dispatcher, "SHOWINGS", 3)
    channel.delivers = True
    tries = []

    async def broken(question, answer):
        tries.append([part async for part in answer])
        raise RuntimeError("the platform is gone")

    channel.show = broken
    await desk.say("hello")
    async with running(dispatch()):
        await becomes(lambda: len(tries) == 3)
    assert await desk.store.lease(owner="here", ttl=15.0, limit=9) == []
    assert ANSWERED in await desk.seen()
