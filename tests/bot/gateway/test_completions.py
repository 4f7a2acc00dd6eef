"""The OpenAI client against a real server: streams, whole answers, and every way in which they end."""

from __future__ import annotations

import asyncio
import io
import json
from typing import Any

import openai
import pytest

from moderation import Finding, Moderator
from worker.client import JobFailed, QueueBusy, QueueUnavailable

HELLO: Any = [{"role": "user", "content": "Hello"}]


class Word:
    """A check that finds one word; or fails."""

    name = "word"

    def __init__(self, word: str, action: str, *, fails: bool = False) -> None:
        self._word, self._action, self._fails = word, action, fails

    async def judge(self, text: str, *, direction: str) -> list[Finding]:
        if self._fails:
            raise RuntimeError("out of order")
        at = text.find(self._word)
        if at < 0:
            return []
        span = (at, at + len(self._word))
        return [Finding(self.name, self._action, category="test", span=span, replacement="[…]")]  # type: ignore[arg-type]


def words(word: str, action: str, **options: Any) -> Moderator:
    return Moderator([Word(word, action, **options)], policy="test")


async def listen(stream: Any, heard: list[str]) -> None:
    async for chunk in stream:
        heard += [chunk.choices[0].delta.content or ""]


async def test_the_client_completes(house: Any) -> None:
    async with house.client() as client:
        answer = await client.chat.completions.create(model="tiny", messages=HELLO)
    assert answer.choices[0].message.content == "Hello there. How are you?"
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == "tiny"
    assert answer.id == house.queue.jobs[0].id
    assert answer.usage
    assert answer.usage.prompt_tokens == len(house.queue.jobs[0].prompt)
    assert answer.usage.completion_tokens == 3
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 3


async def test_the_client_streams(house: Any) -> None:
    async with house.client() as client:
        stream = await client.chat.completions.create(model="default", messages=HELLO, stream=True)
        chunks = [chunk async for chunk in stream]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == "Hello there. How are you?"
    assert [c.choices[0].finish_reason for c in chunks][-2:] == [None, "stop"]
    assert {c.id for c in chunks} == {house.queue.jobs[0].id}
    assert all(c.usage is None for c in chunks)


async def test_a_stream_tells_its_usage_when_asked(house: Any) -> None:
    async with house.client() as client:
        stream = await client.chat.completions.create(
            model="tiny", messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == 3
    assert chunks[-1].usage.prompt_tokens == len(house.queue.jobs[0].prompt)


async def test_events_end_with_done(house: Any, ask: Any) -> None:
    headers = {"Authorization": "Bearer operator-key-of-the-tests"}
    async with house.session.post(
        f"{house.url}/v1/chat/completions", headers=headers, json=ask(stream=True)
    ) as response:
        text = await response.text()
    assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert response.headers["X-Accel-Buffering"] == "no"
    events = text.split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    assert all(json.loads(e.removeprefix("data: "))["object"] == "chat.completion.chunk" for e in events[:-2])


async def test_the_job_carries_what_was_asked(house: Any) -> None:
    async with house.client() as client:
        await client.chat.completions.create(
            model="tiny",
            messages=HELLO,
            max_tokens=7,
            temperature=0.5,
            top_p=0.9,
            stop=["\n", "END"],
            extra_body={"top_k": 5, "min_tokens": 2, "ignore_eos": True, "repetition_penalty": 1.1},
        )
    job = house.queue.jobs[0]
    assert (job.max_tokens, job.temperature, job.top_p, job.top_k) == (7, 0.5, 0.9, 5)
    assert (job.min_tokens, job.ignore_eos, job.repetition_penalty) == (2, True, 1.1)
    assert job.stop == ("\n", "END")
    assert job.id.startswith("chatcmpl-")
    assert job.reply_to == house.queue.reply_to


async def test_without_a_limit_an_answer_may_fill_the_context(house: Any, chat: Any, ask: Any) -> None:
    await house.post(json=ask())
    await house.post(json=ask(max_tokens=100_000))
    assert [len(j.prompt) + j.max_tokens for j in house.queue.jobs] == [chat.context_length] * 2


@pytest.mark.parametrize(("reason", "told"), [("stop", "stop"), ("length", "length"), ("deadline", "length")])
async def test_the_finish_reason_is_openais(house: Any, ask: Any, reason: str, told: str) -> None:
    house.queue.reason = reason
    _, answer = await house.post(json=ask())
    assert answer["choices"][0]["finish_reason"] == told


async def test_an_answer_that_somebody_cancelled_is_an_error(house: Any, ask: Any) -> None:
    house.queue.reason = "cancelled"
    status, answer = await house.post(json=ask())
    assert (status, answer["error"]["code"]) == (500, "cancelled")


async def test_an_over_long_prompt_is_refused(house: Any) -> None:
    async with house.client() as client:
        for stream in (False, True):
            with pytest.raises(openai.BadRequestError) as caught:
                await client.chat.completions.create(
                    model="tiny", messages=[{"role": "user", "content": "word " * 20_000}], stream=stream
                )
            assert caught.value.code == "context_length_exceeded"
            assert caught.value.type == "invalid_request_error"
    assert house.queue.jobs == []


async def test_an_unknown_model_is_not_found(house: Any) -> None:
    async with house.client() as client:
        with pytest.raises(openai.NotFoundError) as caught:
            await client.chat.completions.create(model="gpt-4o", messages=HELLO)
    assert caught.value.code == "model_not_found"
    assert "'tiny'" in caught.value.message


async def test_a_full_queue_says_when_to_come_again(house: Any) -> None:
    house.queue.refuses = QueueBusy(retry_after=7)
    async with house.client() as client:
        for stream in (False, True):
            with pytest.raises(openai.RateLimitError) as caught:
                await client.chat.completions.create(model="tiny", messages=HELLO, stream=stream)
            assert caught.value.response.headers["Retry-After"] == "7"
            assert (caught.value.type, caught.value.code) == ("rate_limit", "queue_full")
    assert house.queue.cancelled == []
    assert house.store.usage == []


async def test_a_queue_that_is_away_is_a_503(house: Any, ask: Any) -> None:
    house.queue.refuses = QueueUnavailable("redis://secret@host is away")
    status, answer = await house.post(json=ask())
    assert (status, answer["error"]["code"]) == (503, "queue_unavailable")
    assert "secret" not in str(answer)


async def test_a_job_that_fails_is_a_500_without_inner_details(house: Any, ask: Any) -> None:
    house.queue.texts, house.queue.fails = (), JobFailed("engine", "CUDA out of memory at 0x7f")
    status, answer = await house.post(json=ask(stream=True))
    assert status == 500
    assert answer["error"]["type"] == "server_error"
    assert "CUDA" not in str(answer)


async def test_a_stream_that_breaks_midway_ends_with_an_error_event(house: Any) -> None:
    house.queue.texts, house.queue.fails = ("One. ", "Two. "), QueueUnavailable()
    async with house.client() as client:
        stream = await client.chat.completions.create(model="tiny", messages=HELLO, stream=True)
        heard: list[str] = []
        with pytest.raises(openai.APIError) as caught:
            await listen(stream, heard)
    assert "".join(heard) == "One. Two. "
    assert caught.value.code == "queue_unavailable"


async def test_usage_is_kept_after_the_answer(house: Any, ask: Any) -> None:
    house.store.add("fd-shadowy", id=9, screen="shadow")
    await house.post(json=ask(), key="fd-shadowy")
    await house.store.kept.wait()
    row = house.store.usage[0]
    assert (row["key_id"], row["screen"], row["model"]) == (9, "shadow", "tiny")
    assert (row["completion_tokens"], row["engine_ms"]) == (3, 12)
    assert row["prompt_tokens"] == len(house.queue.jobs[0].prompt)


@pytest.mark.parametrize("stream", [True, False])
async def test_usage_is_kept_though_the_client_hangs_up_at_once(house: Any, ask: Any, stream: bool) -> None:
    house.store.writing = asyncio.Event()
    headers = {"Authorization": "Bearer operator-key-of-the-tests", "Connection": "close"}
    async with house.session.post(
        f"{house.url}/v1/chat/completions", headers=headers, json=ask(stream=stream)
    ) as response:
        await response.read()
        async with asyncio.timeout(2):
            await house.store.begun.wait()
        response.close()
    await asyncio.sleep(0.05)  # for the server to notice
    house.store.writing.set()
    async with asyncio.timeout(2):
        await house.store.kept.wait()


async def test_an_answer_outlives_a_database_that_is_away(house: Any, ask: Any) -> None:
    house.store.away = True
    status, answer = await house.post(json=ask())
    assert (status, answer["choices"][0]["finish_reason"]) == (200, "stop")


# -- leaving -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [True, False])
async def test_a_reader_who_leaves_before_the_first_text_stops_the_engine(
    house: Any, ask: Any, stream: bool
) -> None:
    house.queue.texts, house.queue.held = (), asyncio.Event()
    asked = asyncio.create_task(house.post(json=ask(stream=stream)))
    async with asyncio.timeout(2):
        await house.queue.asked.wait()
        asked.cancel()
        await house.queue.cancelling.wait()
    assert house.queue.cancelled == [house.queue.jobs[0].id]


async def test_a_reader_who_closes_a_stream_stops_the_engine(house: Any) -> None:
    house.queue.texts, house.queue.held = ("First sentence. ", "Second one. "), asyncio.Event()
    async with house.client() as client:
        stream = await client.chat.completions.create(model="tiny", messages=HELLO, stream=True)
        async for _ in stream:
            break
        await stream.close()
    async with asyncio.timeout(2):
        await house.queue.cancelling.wait()
        await house.store.kept.wait()
    assert house.queue.cancelled == [house.queue.jobs[0].id]
    assert house.store.usage[0]["completion_tokens"] == 2


async def test_an_answer_read_to_its_end_cancels_nothing(house: Any, ask: Any) -> None:
    await house.post(json=ask())
    await house.store.kept.wait()
    assert house.queue.cancelled == []


# -- the screen --------------------------------------------------------------------------------------------------


async def test_what_the_screen_blocks_is_never_shown(opened: Any) -> None:
    house = await opened(moderator=words("bomb", "block"))
    house.queue.texts, house.queue.held = ("Fine. ", "A bomb is. ", "More. "), asyncio.Event()
    async with house.client() as client:
        stream = await client.chat.completions.create(model="tiny", messages=HELLO, stream=True)
        chunks = [chunk async for chunk in stream]
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == "Fine."
    assert chunks[-1].choices[0].finish_reason == "content_filter"
    assert house.queue.cancelled == [house.queue.jobs[0].id]


async def test_a_redaction_is_shown_in_its_place(opened: Any, ask: Any) -> None:
    house = await opened(moderator=words("4711", "redact"))
    house.queue.texts = ("The number is ", "47", "11.")
    _, answer = await house.post(json=ask())
    assert answer["choices"][0]["message"]["content"] == "The number is […]."


async def test_a_blocked_question_is_a_400(opened: Any) -> None:
    house = await opened(moderator=words("bomb", "block"))
    async with house.client() as client:
        for role in ("user", "system"):
            with pytest.raises(openai.BadRequestError) as caught:
                await client.chat.completions.create(
                    model="tiny", messages=[{"role": role, "content": "A bomb, please"}, *HELLO]
                )
            assert caught.value.code == "content_policy_violation"
    assert house.queue.jobs == []


async def test_a_redacted_question_reaches_the_model_redacted(opened: Any, ask: Any, chat: Any) -> None:
    house = await opened(moderator=words("4711", "redact"))
    await house.post(json=ask("my number is 4711"))
    text = chat.tokenizer.decode(house.queue.jobs[0].prompt)
    assert "4711" not in text
    assert "my number is" in text


async def test_shadow_and_off_show_everything(opened: Any, ask: Any) -> None:
    house = await opened(moderator=words("bomb", "block"))
    house.queue.texts = ("A bomb. ",)
    for screen in ("shadow", "off"):
        house.store.add(f"fd-{screen}", screen=screen)
        _, answer = await house.post(json=ask("bomb?"), key=f"fd-{screen}")
        assert answer["choices"][0]["message"]["content"] == "A bomb. "
        assert answer["choices"][0]["finish_reason"] == "stop"


async def test_a_screen_that_fails_closes_the_answer(opened: Any, ask: Any) -> None:
    house = await opened(moderator=words("", "block", fails=True))
    status, answer = await house.post(json=ask())
    assert (status, answer["error"]["code"]) == (500, "screen_failed")
    assert house.metrics.registry.get_sample_value("frontdesk_screen_failures_total") == 1
    house.store.add("fd-shadow", screen="shadow")
    status, _ = await house.post(json=ask(), key="fd-shadow")
    assert status == 200


async def test_an_answer_that_cannot_be_judged_is_not_shown(opened: Any, ask: Any) -> None:
    class Shaky(Word):
        async def judge(self, text: str, *, direction: str) -> list[Finding]:
            if direction == "output":
                raise RuntimeError("out of order")
            return []

    house = await opened(moderator=Moderator([Shaky("", "block")], policy="test"))
    house.queue.held = asyncio.Event()
    status, answer = await house.post(json=ask(stream=True))
    assert (status, answer["error"]["code"]) == (500, "screen_failed")
    assert house.queue.cancelled == [house.queue.jobs[0].id]
    assert house.metrics.registry.get_sample_value("frontdesk_screen_failures_total") == 1


# -- what is wrong -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"a": NaN}', b"\xff\xfe", b"[" * 100_000, b'"text"'])
async def test_what_is_no_json_object_is_a_400(house: Any, body: bytes) -> None:
    status, answer = await house.post(data=body)
    assert (status, answer["error"]["code"]) == (400, "invalid_json")
    assert answer["error"].keys() == {"message", "type", "param", "code"}


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_beyond_a_megabyte_is_a_413(house: Any, declared: bool) -> None:
    async def trickle() -> Any:
        for _ in range(20):
            yield b" " * 100_000

    data = io.BytesIO(b" " * 2_000_000) if declared else trickle()
    status, answer = await house.post(data=data)
    assert (status, answer["error"]["code"]) == (413, "request_too_large")


async def test_unknown_paths_and_wrong_methods_answer_in_openais_shape(house: Any) -> None:
    status, answer = await house.post("/v1/embeddings", json={})
    assert (status, answer["error"]["code"]) == (404, "unknown_url")
    async with house.session.get(f"{house.url}/v1/chat/completions") as response:
        assert (response.status, response.headers["Allow"]) == (405, "POST")
        assert (await response.json())["error"]["code"] == "method_not_allowed"
    status, answer = await house.post("/v1/models/tiny", json={})
    assert (status, answer["error"]["code"]) == (405, "method_not_allowed")


async def test_a_body_that_does_not_come_to_its_end_is_a_408(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.gateway.body.SECONDS", 0.1)
    left = asyncio.Event()

    async def slow() -> Any:
        yield b"{"
        await left.wait()

    status, answer = await house.post(data=slow())
    left.set()
    assert (status, answer["error"]["code"]) == (408, "request_timeout")
