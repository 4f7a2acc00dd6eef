"""One message that grows: who writes to it, and what happens when its stream is not what it was thought to be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest

from bot.channels.slack.api import SlackFailure
from bot.channels.slack.blocks import Content
from bot.channels.slack.people import People
from bot.channels.slack.places import Spot
from bot.channels.slack.posting import Thread
from bot.channels.slack.stream import Growing
from bot.markup.slack import part
from tests.bot.channels.slack.outgoing import Asked, Out, opened
from tests.slack_double import SlackDouble

TEXT = "One. Two. Three."


@pytest.fixture
async def out(slack: SlackDouble) -> AsyncIterator[Out]:
    async with opened(slack) as side:
        yield side


async def started(out: Out) -> tuple[Asked, Growing]:
    """A stream that has said nothing yet."""
    asked = out.asked()
    thread = Thread(
        api=out.api,
        people=People(api=out.api),
        spot=Spot.of(asked.question.place),
        question=asked.question,
    )
    ts = await thread.start(urgent=False)
    return asked, Growing(thread=thread, ts=ts, number=1, start=0, shown=0, way="stream", born=0.0)


async def grow(message: Growing, end: int) -> None:
    await message.grow(TEXT, end, whole(end), message.thread.mark(1))


async def complete(message: Growing, *, session_status: str | None = None) -> bool:
    return await message.complete(
        TEXT,
        len(TEXT),
        whole(len(TEXT)),
        message.thread.mark(1, end=len(TEXT)),
        session_status=session_status,
    )


def whole(end: int) -> Content:
    return Content(markdown=part(TEXT, 0, end).text)


async def test_one_task_writes_to_a_stream_and_what_comes_meanwhile_goes_with_the_next_append(
    out: Out,
) -> None:
    out.slack.fail("chat.appendStream", delay=0.05, times=None)
    asked = out.asked()
    asked.teller.pause = 0.002
    for piece in range(50):
        asked.teller.say(f"{piece} ")
    asked.teller.end()
    await asked.show()
    appends = out.slack.calls("chat.appendStream")
    assert asked.seen[0].body == asked.teller.text
    assert 2 <= len(appends) < 10
    assert all(b.at - a.at >= 0.05 for a, b in pairwise(appends))


async def test_a_stream_grows_and_takes_the_session_along_at_its_end(out: Out) -> None:
    asked, message = await started(out)
    await grow(message, 5)
    await grow(message, 10)
    assert asked.text == "One. Two. "
    assert await complete(message, session_status="active")
    assert asked.text == TEXT
    assert out.slack.session(asked.root.channel, asked.root.ts).history == ["active"]


async def test_an_append_that_may_have_happened_is_not_made_again(out: Out) -> None:
    asked, message = await started(out)
    await grow(message, 5)
    out.slack.fail("chat.appendStream", lost=True)
    await grow(message, 10)
    assert message.way == "edit"
    assert "".join(block["text"] for block in asked.seen[0].blocks) == "One. Two. "
    assert not await complete(message, session_status="active")
    assert "".join(block["text"] for block in asked.seen[0].blocks) == TEXT


async def test_a_stream_of_which_the_first_append_was_lost_is_mended(out: Out) -> None:
    asked, message = await started(out)
    out.slack.fail("chat.appendStream", dropped=True)
    await grow(message, 5)
    assert "".join(block["text"] for block in asked.seen[0].blocks) == "One. "


async def test_an_append_that_must_wait_leaves_the_stream_as_it_is(out: Out) -> None:
    asked, message = await started(out)
    await grow(message, 5)
    out.api.budget.scale = 1.0
    out.slack.fail("chat.appendStream", retry_after=60)
    with pytest.raises(SlackFailure) as failed:
        await grow(message, 10)
    assert failed.value.retry_after > 50
    assert (message.way, message.shown) == ("stream", 5)
    assert asked.seen[0].streaming


async def test_a_message_that_was_deleted_meanwhile_is_told_as_such(out: Out) -> None:
    _, message = await started(out)
    await grow(message, 5)
    await message.thread.delete(message.ts)
    with pytest.raises(SlackFailure, match="message_not_found"):
        await grow(message, 10)


async def test_a_stream_that_rests_goes_on_by_edits(out: Out) -> None:
    asked, message = await started(out)
    await grow(message, 5)
    await message.rest()
    assert not asked.seen[0].streaming
    await asyncio.gather(message.rest(), message.rest())  # no more than once
    await complete(message)
    assert "".join(block["text"] for block in asked.seen[0].blocks) == TEXT
    assert len(out.slack.calls("chat.stopStream")) == 1
