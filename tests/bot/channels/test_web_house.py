"""The web channel in front of the real house: real conversation, real SQLite; only the model is played by the test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest

from bot import personas
from bot.allowance import Allowance
from bot.bell import Bell
from bot.conversation import Conversation
from bot.desk import HouseDesk
from bot.meeting import Meeting
from bot.messages import Unavailable
from bot.metrics import Metrics
from bot.models import Models, Served
from bot.notices import notice
from bot.store import Lease, Store, StoreUnavailable
from moderation import Moderator


@pytest.fixture
async def store(tmp_path) -> AsyncIterator[Store]:
    async with Store.open(f"sqlite:///{tmp_path / 'house.sqlite3'}") as opened:
        yield opened


@pytest.fixture
def desk(store: Store) -> HouseDesk:
    async def cancel(job_id: str) -> None:
        pass

    return HouseDesk(
        conversation=Conversation(
            store=store,
            queue=SimpleNamespace(cancel=cancel),
            moderator=Moderator.from_policy(None),
            models=Models(Served("starter", None), loaded=lambda: ()),
            personas=personas.load(),
            bell=Bell(),
            metrics=Metrics(),
            meeting=Meeting(store=store),
            allowance=Allowance(store=store),
        )
    )


async def begun(store: Store) -> tuple[Lease, int]:
    """Lease what waits and begin its answer, as the dispatcher does."""
    (lease,) = await store.lease(owner="test", ttl=60, limit=1)
    answer = await store.begin(
        lease, variant="starter", persona="host", policy="1", sampling={}, prompt_hash="0"
    )
    return lease, answer.answer_id


async def told(store: Store, lease: Lease, answer_id: int, *texts: str) -> None:
    for seq, text in enumerate(texts, start=1):
        await store.add_piece(
            lease, answer_id, seq=seq, text=text, size=len(text), token_ids=[seq], action="allow"
        )


async def test_a_message_is_answered_and_is_there_after_a_reload(browser, store) -> None:
    async with browser.events() as reader:
        message = await browser.say("Hello")
        lease, answer = await begun(store)
        await told(store, lease, answer, "Good ", "**day**.\n\nHow ", "are you?")
        await store.finish(lease, answer, state="done", finish_reason="stop")
        live = await reader.until("ended")
    async with browser.events() as reader:
        replayed = await reader.until("ended")
    for events in (live, replayed):
        assert events[0].data["html"] == "<p>Hello</p>"
        assert events[0].data["message"] == message
        assert events[-1].data["message"] == answer
        blocks: list[str] = []
        for event in events:
            if event.kind in ("piece", "ended"):
                blocks[event.data["from"] :] = event.data["blocks"]
        assert blocks == ["<p>Good <strong>day</strong>.</p>", "<p>How are you?</p>"]
    async with browser.events(live[-1].id) as reader:
        (rest,) = await reader.take(1)
        assert (rest.kind, rest.data["message"], rest.data["state"]) == ("ended", message, "done")


async def test_a_repeat_is_known_across_sessions_of_the_same_browser(browser, store) -> None:
    first = await browser.say("Hello", key="a-b_c")
    await browser.open()
    answer = await browser.post("messages", {"text": "Hello"}, headers={"Idempotency-Key": "a-b_c"})
    assert await answer.json() == {"message": first, "duplicate": True}


async def test_commands_answer_through_the_timeline(browser) -> None:
    async with browser.events() as reader:
        await browser.say("/help")
        person, house = await reader.take(2)
    assert person.data["author"] == "person"
    assert house.data["author"] == "house"
    assert "<strong>/stop</strong>" in house.data["html"]


async def test_forget_clears_the_screen(browser, store) -> None:
    async with browser.events() as reader:
        await browser.say("my secret", key="1")
        await reader.take(1)
        await browser.say("/forget", key="2")
        events = await reader.until("cleared")
    async with browser.events(events[-1].id - 1) as reader:
        assert (await reader.take(1))[0].kind == "cleared"
    async with browser.events() as reader:
        first = await reader.take(1)
    assert first[0].kind == "cleared"


async def test_stop_and_thumbs_reach_the_house(browser, store) -> None:
    await browser.say("Hello")
    lease, answer = await begun(store)
    await told(store, lease, answer, "Half an answer")
    assert await (await browser.post("stop")).json() == {"stopped": True}
    await store.finish(lease, answer, state="stopped", finish_reason="cancelled")
    assert (await browser.post("feedback", {"message": answer, "value": 1})).status == 200
    async with browser.events() as reader:
        events = await reader.until("ended")
    assert events[-1].data["state"] == "stopped"
    assert events[-1].data["blocks"] == ["<p>Half an answer</p>"]


@pytest.mark.parametrize("text", ["", " \n", "\x00", "a\x1b[0m", "\ud800", "x" * 8_001])
async def test_what_the_house_refuses_is_refused_with_its_sentence(browser, text: str) -> None:
    answer = await browser.post("messages", {"text": text}, headers={"Idempotency-Key": "k"})
    assert answer.status in (413, 422)
    error = (await answer.json())["error"]
    assert error["message"] == notice(error["code"], "en", limit=8_000)


def test_an_outage_of_the_store_is_what_channels_wait_out() -> None:
    assert issubclass(StoreUnavailable, Unavailable)
