"""The widget's requests over a real socket: what is taken in, and what is refused with which sentence."""

from __future__ import annotations

import asyncio
import json

import pytest

from bot.channels.web.api import COMMANDS
from bot.channels.web.door import Limits
from bot.commands import parse
from bot.limits import Limiter
from bot.notices import notice

HOME = "https://shop.example"


async def error_of(answer) -> dict:
    """The error of a refusal, which is JSON with a sentence and nothing else."""
    assert answer.content_type == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    error = (await answer.json())["error"]
    assert set(error) <= {"code", "message", "retry_after"}
    assert error["message"].endswith((".", "。"))
    if "retry_after" in error:
        assert answer.headers["Retry-After"] == str(error["retry_after"])
    return error


# -- sessions ------------------------------------------------------------------------------------------------


async def test_a_session_greets_in_the_language_of_the_page(serve) -> None:
    async with serve() as browser:
        opened = await browser.open(site="shop", origin=HOME, language="zh-CN")
    assert opened["title"] == "商店"
    assert opened["greeting"] == "您好！"
    assert opened["suggestions"] == ["这是什么？"]
    assert opened["language"] == "zh-CN"
    assert set(opened) == {"token", "place", "title", "greeting", "suggestions", "language", "commands"}


def test_the_commands_that_are_offered_are_the_ones_that_work() -> None:
    assert all(parse(command) == command.removeprefix("/") for command in COMMANDS)


async def test_an_old_token_goes_on_with_its_conversation_and_is_used_up(browser, desk) -> None:
    old = browser.token
    await browser.say("hello")
    await browser.open()
    assert browser.token != old
    async with browser.events() as reader:
        assert (await reader.take(1))[0].data["html"] == "<p>hello</p>"
    browser.token = old
    assert (await browser.post("stop")).status == 401


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "", "://", "http://", "https://shop.example.evil.example"]
)
async def test_a_page_that_may_not_carry_the_chat_gets_no_session(serve, origin: str) -> None:
    async with serve() as browser:
        answer = await browser.post("session", {"site": "shop", "origin": origin, "language": "en"})
        assert (answer.status, (await error_of(answer))["code"]) == (403, "foreign_origin")


async def test_an_origin_is_a_scheme_and_a_host_and_no_more(serve) -> None:
    async with serve() as browser:
        for more in ("/", "/page", f"/{'x' * 50_000}", "?", "#", "@evil.example"):
            asked = {"site": "demo", "origin": browser.origin + more, "language": "en"}
            assert (await browser.post("session", asked)).status == 403


async def test_an_unknown_site_gets_no_session(serve) -> None:
    async with serve() as browser:
        answer = await browser.post("session", {"site": "nope", "origin": browser.origin, "language": "zh"})
        assert answer.status == 404
        assert (await error_of(answer))["message"] == notice("unknown_site", "zh")


async def test_odd_languages_are_english(serve) -> None:
    async with serve() as browser:
        for language in ("", "x" * 500, "<b>", "\ud800"):
            assert (await browser.open(language=language))["language"] == "en"
        answer = await browser.post("session", {"site": "demo", "origin": browser.origin, "language": 7})
        assert (await answer.json())["language"] == "en"


async def test_new_sessions_from_one_address_are_limited_but_reloads_are_not(serve) -> None:
    limits = Limits(sessions=Limiter(rate=0.01, burst=1))
    async with serve(limits=limits) as browser:
        for _ in range(5):
            await browser.open()
        browser.token = ""
        answer = await browser.post("session", {"site": "demo", "origin": browser.origin, "language": "en"})
        assert (answer.status, (await error_of(answer))["code"]) == (429, "flood")


# -- messages ------------------------------------------------------------------------------------------------


async def test_a_message_is_acknowledged_once_it_is_with_the_desk(browser, desk) -> None:
    message = await browser.say("Hello\r\nyou")
    assert [incoming.text for incoming in desk.received] == ["Hello\nyou"]
    assert message > 0


async def test_the_same_key_again_changes_nothing(browser, desk) -> None:
    first = await browser.say("hello", key="once")
    answer = await browser.post("messages", {"text": "hello"}, headers={"Idempotency-Key": "once"})
    assert answer.status == 202
    assert await answer.json() == {"message": first, "duplicate": True}
    assert len(desk.received) == 1


async def test_the_same_key_from_someone_else_is_another_message(serve, desk) -> None:
    async with serve() as browser:
        await browser.open()
        first = await browser.say("hello", key="k")
        browser.token = ""
        await browser.open()
        assert await browser.say("hello", key="k") != first


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        (b"", 400, "unreadable"),
        (b"{", 400, "unreadable"),
        (b"[]", 400, "unreadable"),
        (b'"text"', 400, "unreadable"),
        (b"\xff\xfe", 400, "unreadable"),
        (b"[" * 60_000, 400, "unreadable"),
        (b"{}", 400, "unreadable"),
        (b'{"text": 5}', 400, "unreadable"),
        (b'{"text": null}', 400, "unreadable"),
        (b'{"text": ["a"]}', 400, "unreadable"),
        (b'{"text": ""}', 422, "empty"),
        (b'{"text": " \\n\\t "}', 422, "empty"),
        (b'{"text": "a\\u0000b"}', 422, "unreadable"),
        (b'{"text": "\\u001b[2J"}', 422, "unreadable"),
        (b'{"text": "\\ud800"}', 422, "unreadable"),
        (json.dumps({"text": "x" * 9_000}).encode(), 413, "oversized"),
        (json.dumps({"text": "x" * 1_000_000}).encode(), 413, "oversized"),
    ],
)
async def test_bad_input_is_refused_with_a_sentence(
    browser, desk, raw: bytes, status: int, code: str
) -> None:
    answer = await browser.http.post(
        "/widget/api/messages", data=raw, headers={**browser.bearer, "Idempotency-Key": "k"}
    )
    assert (answer.status, (await error_of(answer))["code"]) == (status, code)
    assert not desk.received
    assert await browser.say("still here")


async def test_a_megabyte_without_a_length_is_cut_off_too(browser, desk) -> None:
    async def endless():
        for _ in range(64):
            yield b" " * 16_384

    answer = await browser.http.post(
        "/widget/api/messages", data=endless(), headers={**browser.bearer, "Idempotency-Key": "k"}
    )
    assert (answer.status, (await error_of(answer))["code"]) == (413, "oversized")


async def test_a_body_that_does_not_come_to_its_end_is_not_waited_for(
    browser, desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.channels.web.door.BODY_SECONDS", 0.1)
    left = asyncio.Event()

    async def slow():
        yield b'{"text": '
        await left.wait()

    answer = await browser.http.post(
        "/widget/api/messages", data=slow(), headers={**browser.bearer, "Idempotency-Key": "k"}
    )
    left.set()
    assert (answer.status, (await error_of(answer))["code"]) == (400, "unreadable")
    assert not desk.received


async def test_paired_surrogates_are_a_letter_like_any_other(browser, desk) -> None:
    await browser.http.post(
        "/widget/api/messages",
        data=b'{"text": "\\ud83d\\ude00"}',
        headers={**browser.bearer, "Idempotency-Key": "k"},
    )
    assert desk.received[0].text == "😀"


@pytest.mark.parametrize("key", [None, "", "x" * 65, "a b", "ключ"[:1].encode().hex() + "!", "a/b"])
async def test_a_message_needs_a_key(browser, desk, key: str | None) -> None:
    headers = {} if key is None else {"Idempotency-Key": key}
    answer = await browser.post("messages", {"text": "hi"}, headers=headers)
    assert (answer.status, (await error_of(answer))["code"]) == (400, "unreadable")


async def test_a_flood_is_told_when_to_come_back(browser, desk) -> None:
    answers = [
        await browser.post("messages", {"text": "hi"}, headers={"Idempotency-Key": str(number)})
        for number in range(8)
    ]
    assert [answer.status for answer in answers] == [202] * 5 + [429] * 3
    error = await error_of(answers[-1])
    assert error["code"] == "flood"
    assert error["message"] == notice("flood", "en", seconds=error["retry_after"])
    assert 1 <= error["retry_after"] <= 4
    assert len(desk.received) == 5


async def test_one_address_with_many_sessions_is_limited_too(serve, desk) -> None:
    limits = Limits(messages_at=Limiter(rate=0.01, burst=3))
    async with serve(limits=limits) as browser:
        statuses = []
        for number in range(5):
            browser.token = ""
            await browser.open()
            answer = await browser.post("messages", {"text": "hi"}, headers={"Idempotency-Key": f"{number}"})
            statuses.append(answer.status)
        assert statuses == [202, 202, 202, 429, 429]


# -- the rest ------------------------------------------------------------------------------------------------


async def test_stop_tells_whether_there_was_anything_to_stop(browser, desk) -> None:
    message = await browser.say("hello")
    assert await (await browser.post("stop")).json() == {"stopped": False}
    desk.begin(message)
    assert await (await browser.post("stop")).json() == {"stopped": True}


async def test_a_thumb_is_kept_for_an_answer_of_ones_own(serve, desk) -> None:
    async with serve() as browser:
        await browser.open()
        answer_id = desk.begin(await browser.say("hello"))
        assert (await browser.post("feedback", {"message": answer_id, "value": -1})).status == 200
        assert desk.rated == {answer_id: -1}
        browser.token = ""
        await browser.open()
        answer = await browser.post("feedback", {"message": answer_id, "value": 1})
        assert (answer.status, (await error_of(answer))["code"]) == (404, "unknown_message")
        assert desk.rated == {answer_id: -1}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"message": True, "value": 1}, 400),
        ({"message": 1, "value": 2}, 400),
        ({"message": 1, "value": 1.0}, 400),
        ({"message": "1", "value": 1}, 400),
        ({"message": -1, "value": 1}, 404),
        ({"message": 10**30, "value": 1}, 404),
    ],
)
async def test_odd_feedback_is_refused(browser, body: dict, status: int) -> None:
    answer = await browser.post("feedback", body)
    assert answer.status == status
    await error_of(answer)


@pytest.mark.parametrize("path", ["messages", "stop", "feedback"])
@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", "Bearer wrong", "Basic YTpi", "Bearer " + "x" * 5_000, "Bearer a\tb"],
)
async def test_without_a_good_token_nothing_happens(browser, path: str, header: str | None) -> None:
    browser.token = ""
    headers = {"Idempotency-Key": "k"} | ({} if header is None else {"Authorization": header})
    answer = await browser.post(path, {"text": "hi", "message": 1, "value": 1}, headers=headers)
    assert (answer.status, (await error_of(answer))["code"]) == (401, "no_session")


async def test_a_session_that_ended_is_told_so(browser, desk) -> None:
    desk.expire(browser.token)
    answer = await browser.post("messages", {"text": "hi"}, headers={"Idempotency-Key": "k"})
    assert (answer.status, (await error_of(answer))["code"]) == (401, "no_session")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://[", HOME])
async def test_a_request_from_another_page_is_refused(browser, desk, origin: str) -> None:
    answer = await browser.post(
        "messages", {"text": "hi"}, headers={"Idempotency-Key": "k", "Origin": origin}
    )
    assert (answer.status, (await error_of(answer))["code"]) == (403, "foreign_origin")
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert not desk.received


async def test_requests_from_our_own_page_pass_by_name_and_by_public_url(serve) -> None:
    async with serve(public_url="https://Chat.example/") as browser:  # browsers write it small
        await browser.open()
        for origin in (browser.origin, "https://chat.example"):
            assert (await browser.post("stop", headers={"Origin": origin})).status == 200
        browser.token = ""
        await browser.open(origin="https://chat.example")


async def test_unknown_paths_and_methods_are_json_too(browser) -> None:
    for method, path in [("GET", "session"), ("PUT", "messages"), ("GET", "x/y"), ("POST", "")]:
        answer = await browser.http.request(method, f"/widget/api/{path}")
        assert (answer.status, (await error_of(answer))["code"]) == (404, "unknown_path")


async def test_a_database_that_is_away_is_said_and_nothing_is_taken_in(browser, desk) -> None:
    desk.away = True
    for path in ("messages", "stop", "feedback", "session"):
        answer = await browser.post(
            path,
            {"text": "hi", "site": "demo", "origin": browser.origin, "message": 1, "value": 1},
            headers={"Idempotency-Key": "k"},
        )
        assert (answer.status, (await error_of(answer))["code"]) == (503, "unavailable")
    assert (await browser.http.get("/widget/api/events", headers=browser.bearer)).status == 503
    desk.away = False
    assert await browser.say("hi", key="k")


async def test_our_own_mistakes_are_a_sentence_and_no_trace(browser, desk, logged) -> None:
    desk.broken = RuntimeError("secret detail")
    answer = await browser.post("stop")
    assert answer.status == 500
    assert "secret" not in await answer.text()
    assert [entry["event"] for entry in logged] == ["a widget request failed"]
    assert (await error_of(answer))["code"] == "failed"


async def test_sentences_come_in_the_language_of_the_session(serve) -> None:
    async with serve() as browser:
        await browser.open(language="zh")
        answer = await browser.post("messages", {"text": " "}, headers={"Idempotency-Key": "k"})
        assert (await error_of(answer))["message"] == notice("empty", "zh")
        answer = await browser.post("messages", {"text": 1}, headers={"Idempotency-Key": "k"})
        assert (await error_of(answer))["message"] == notice("unreadable", "zh")


async def test_a_client_that_leaves_midway_is_still_heard(browser, desk, until) -> None:
    reached, go_on = asyncio.Event(), asyncio.Event()
    receive = desk.receive

    async def slowly(incoming):
        reached.set()
        await go_on.wait()
        return await receive(incoming)

    desk.receive = slowly
    sending = asyncio.ensure_future(browser.say("/reset"))
    await reached.wait()
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    go_on.set()
    await until(lambda: desk.received)


# -- addresses -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("proxies", "forwarded", "limited"),
    [
        (
            0,
            ["1.1.1.1", "2.2.2.2", "3.3.3.3"],
            True,
        ),  # nobody in front: the header is the client's own invention
        (
            1,
            ["9.9.9.9, 1.1.1.1", "8.8.8.8, 1.1.1.1", "1.1.1.1"],
            True,
        ),  # the right-most hop is the proxy's word
        (1, ["1.1.1.1", "2.2.2.2", "3.3.3.3"], False),
        (2, ["1.1.1.1, 7.7.7.7", "2.2.2.2, 7.7.7.7", "3.3.3.3, 7.7.7.7"], False),
        (1, ["2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff::3"], True),  # one household's /64
        (1, ["nonsense", "<b>", ""], True),
    ],
)
async def test_an_address_is_what_the_trusted_proxy_saw(serve, proxies, forwarded, limited) -> None:
    limits = Limits(requests=Limiter(rate=0.01, burst=2))
    async with serve(limits=limits, trusted_proxies=proxies) as browser:
        statuses = [
            (await browser.post("stop", headers={"X-Forwarded-For": hops})).status for hops in forwarded
        ]
    assert statuses == [401, 401, 429 if limited else 401]
