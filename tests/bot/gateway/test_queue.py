"""The gateway on the queue's second implementation: what busy, gone and cancelled mean for a client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest

from worker.stub import StubQueue

HELLO: Any = [{"role": "user", "content": "Hello"}]


@pytest.fixture
async def queue() -> AsyncIterator[StubQueue]:
    """Answers slowly, one at a time; one more may wait."""
    async with StubQueue.scripted(lambda job: ["Again. "] * 400, limit=1, slots=1, pause=0.01) as stub:
        yield stub


async def test_a_reader_who_leaves_frees_the_slot_for_the_next(opened: Any, queue: StubQueue) -> None:
    house = await opened(queue=queue)
    async with house.client() as client:
        first = await client.chat.completions.create(model="tiny", messages=HELLO, stream=True)
        await anext(aiter(first))
        await first.close()
        async with asyncio.timeout(2):
            second = await client.chat.completions.create(model="tiny", messages=HELLO, max_tokens=3)
    assert second.choices[0].finish_reason == "length"
    assert second.choices[0].message.content == "Again. Again. Again. "
    assert second.usage
    assert second.usage.completion_tokens == 3
    assert queue.cancelled == {queue.asked_for[0].id}


async def test_who_comes_when_too_many_wait_is_told_at_once(opened: Any, queue: StubQueue) -> None:
    house = await opened(queue=queue)
    async with house.client() as client:
        async with asyncio.TaskGroup() as group:
            running = await client.chat.completions.create(model="tiny", messages=HELLO, stream=True)
            await anext(aiter(running))
            waiting = group.create_task(
                client.chat.completions.create(model="tiny", messages=HELLO, stream=True, max_tokens=1)
            )
            async with asyncio.timeout(2):
                while len(queue.asked_for) < 2:
                    await anext(aiter(running))
            with pytest.raises(openai.RateLimitError) as caught:
                await client.chat.completions.create(model="tiny", messages=HELLO)
            assert caught.value.response.headers["Retry-After"] == "1"
            await running.close()
        await waiting.result().close()


async def test_a_queue_that_goes_away_midway_is_said_in_the_stream(opened: Any, queue: StubQueue) -> None:
    house = await opened(queue=queue)
    async with house.client() as client:
        stream = await client.chat.completions.create(model="tiny", messages=HELLO, stream=True)
        await anext(aiter(stream))
        queue.go_away()
        with pytest.raises(openai.APIError) as caught:
            async for _ in stream:
                pass
    assert caught.value.code == "queue_unavailable"


async def test_the_system_prompt_is_named_as_what_requests_share(opened: Any, queue: StubQueue) -> None:
    house = await opened(queue=queue)
    system: Any = {"role": "system", "content": "You are a gardener."}
    async with house.client() as client:
        for question in ("Hello", "What grows here?"):
            await client.chat.completions.create(
                model="tiny", messages=[system, {"role": "user", "content": question}], max_tokens=1
            )
    first, second = queue.asked_for
    assert first.prefix == second.prefix > 0
    assert first.prompt[: first.prefix] == second.prompt[: second.prefix]
    assert first.prompt[first.prefix :] != second.prompt[second.prefix :]
