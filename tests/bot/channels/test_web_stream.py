"""The event stream over a real socket: everything once, in order, from where a viewer left off."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest

from bot.channels.web.door import Limits
from bot.channels.web.stream import Pace
from bot.channels.web.viewers import Viewers
from bot.limits import Limiter
from bot.markup.html import blocks
from bot.messages import Said

ANSWER = ["Hello ", "there. ", "How are\n\nyou?\n\n", "- one\n", "- two\n\n", "```\ncode\n", "```\nThe end"]
WHOLE = "".join(ANSWER)
HEARD = "Hello there. How are you? one two code The end"


class Screen:
    """What a browser shows: the widget's rules for pieces, in a few lines."""

    def __init__(self) -> None:
        self.blocks: dict[int, list[str]] = {}
        self.open: dict[int, str] = {}
        self.heard = ""
        self.states: dict[int, str] = {}
        self.ids: list[int] = []

    def take(self, events) -> None:
        for event in events:
            data = event.data
            self.ids.append(event.id)
            if event.kind == "said":
                self.blocks[data["message"]] = [data["html"]] if data["html"] else []
            elif "add" in data:
                self.open[data["message"]] += data["add"]
                self.heard += " " + data["say"]
            elif event.kind in ("piece", "ended"):
                shown = self.blocks[data["message"]]
                if event.kind == "piece" or data["blocks"]:
                    shown[data["from"] :] = data["blocks"]
                self.open[data["message"]] = data.get("open", "")
                self.heard += " " + data.get("say", "")
            if "state" in data:
                self.states[data["message"]] = data["state"]


async def test_a_long_open_block_is_not_sent_again_with_each_piece(browser, desk) -> None:
    async with browser.events() as reader:
        message = await browser.say("hi")
        answer = desk.begin(message)
        desk.piece(answer, "A first sentence.")
        *_, first = await reader.take(3)
        desk.piece(answer, " And a second one.")
        (second,) = await reader.take(1)
    assert first.data["open"] == "A first sentence."
    assert second.data["add"] == " And a second one."
    assert "open" not in second.data


async def test_an_answer_arrives_block_by_block(browser, desk) -> None:
    screen = Screen()
    async with browser.events() as reader:
        assert reader.response.headers["Content-Type"] == "text/event-stream"
        assert reader.response.headers["Cache-Control"] == "no-store"
        assert reader.response.headers["X-Accel-Buffering"] == "no"
        message = await browser.say("hi <b>\nyou")
        screen.take(await reader.take(1))
        assert screen.blocks[message] == ["<p>hi &lt;b&gt;<br>you</p>"]
        answer = desk.begin(message)
        screen.take(await reader.take(1))
        for text in ANSWER:
            desk.piece(answer, text)
            screen.take(await reader.take(1))
            shown = desk._said[answer].text
            assert screen.blocks[answer] == list(blocks(shown).finished)
            assert screen.open[answer] == blocks(shown).open
        desk.end(answer)
        desk.end(message)
        screen.take(await reader.take(2))
    assert reader.retry == 1000
    assert screen.blocks[answer] == list(blocks(WHOLE, ended=True).finished)
    assert screen.states == {message: "done", answer: "done"}
    assert " ".join(screen.heard.split()) == HEARD
    assert screen.ids == sorted(set(screen.ids))


@pytest.mark.parametrize("seen", range(len(ANSWER) + 4))
async def test_a_cut_anywhere_costs_nothing_and_repeats_nothing(browser, desk, seen: int) -> None:
    screen = Screen()
    message = await browser.say("hi")
    answer = desk.begin(message)
    async with browser.events() as reader:
        await reader.take(2)
    for text in ANSWER:
        desk.piece(answer, text)
    desk.end(answer)
    everything = desk._events[desk._places[answer]]
    desk._events[desk._places[answer]] = everything[:seen]
    async with browser.events() as reader:
        while not screen.ids or screen.ids[-1] < seen:
            if not seen:
                break
            screen.take(await reader.take(1))
    desk._events[desk._places[answer]] = everything
    async with browser.events(seen) as reader:
        while not screen.ids or screen.ids[-1] < len(everything):
            told = await reader.take(1)
            assert told[0].id > seen
            if seen >= 2 and "from" in told[0].data and told[0].kind == "piece":
                before = "".join(ANSWER[: seen - 2])
                assert told[0].data["from"] == len(blocks(before).finished)  # exactly what is missing
            screen.take(told)
    assert screen.blocks[answer] == list(blocks(WHOLE, ended=True).finished)
    assert " ".join(screen.heard.split()) == HEARD


async def test_pieces_that_came_meanwhile_are_told_as_one(browser, desk) -> None:
    answer = desk.begin(await browser.say("hi"))
    for text in ANSWER:
        desk.piece(answer, text)
    desk.end(answer)
    async with browser.events() as reader:
        told = await reader.until("ended")
    assert [event.kind for event in told] == ["said", "said", "piece", "ended"]
    assert told[2].data["from"] == 0
    assert told[2].id == len(ANSWER) + 2


@pytest.mark.parametrize("last", ["", "x", "-1", "1.5", "9" * 40, "१", " 0", "0"])
async def test_an_id_that_is_none_of_ours_means_from_the_start(browser, desk, last: str) -> None:
    await browser.say("hi")
    async with browser.events(last.encode("utf-8").decode("latin-1")) as reader:
        assert (await reader.take(1))[0].id == 1


async def test_a_huge_id_only_waits(browser, desk) -> None:
    await browser.say("hi")
    async with browser.events("9" * 18) as reader:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await reader.next()


async def test_a_tab_that_closes_leaves_the_answer_going_and_finds_it_after_reload(browser, desk) -> None:
    answer = desk.begin(await browser.say("hi"))
    async with browser.events() as reader:
        desk.piece(answer, "Hello ")
        await reader.until("piece")
    assert not desk.stopped
    desk.piece(answer, "again.\n")
    desk.end(answer)
    async with browser.events() as reader:
        told = await reader.until("ended")
    assert told[-1].data["blocks"] == ["<p>Hello again.</p>"]


async def test_house_notices_are_markdown_and_people_are_not(browser, desk) -> None:
    place = desk._places[await browser.say("**me**")]
    desk.note(place, "- **/stop** stops")
    async with browser.events() as reader:
        person, house = await reader.take(2)
    assert person.data["html"] == "<p>**me**</p>"
    assert house.data == {
        "message": house.data["message"],
        "author": "house",
        "html": "<ul>\n<li><strong>/stop</strong> stops</li>\n</ul>",
        "state": "done",
        "reply_to": None,
    }


async def test_forgetting_clears_what_is_shown(browser, desk) -> None:
    place = desk._places[await browser.say("hi")]
    async with browser.events() as reader:
        await reader.take(1)
        desk.forget(place)
        (told,) = await reader.take(1)
    assert (told.kind, told.data) == ("cleared", {})


async def test_what_another_replica_wrote_is_found_without_a_ring(browser, desk) -> None:
    async with browser.events() as reader:
        desk.bell.ring = lambda place_id: None
        await browser.say("hi")
        assert (await reader.take(1))[0].kind == "said"


async def test_a_silent_stream_gets_heartbeats(serve, until) -> None:
    async with serve(pace=Pace(heartbeat=0.1, poll=5)) as browser:
        await browser.open()
        async with browser.events() as reader:
            reading = asyncio.ensure_future(reader.next())
            await until(lambda: reader.heartbeats == 3)
            reading.cancel()


async def test_a_quiet_place_is_read_less_often(serve, desk) -> None:
    async with serve(pace=Pace(poll=0.02, idle=0.1, idle_poll=30)) as browser:
        await browser.open()
        async with browser.events():
            await asyncio.sleep(0.5)
            asked = desk.asked
            await asyncio.sleep(0.3)
            assert desk.asked == asked


async def test_a_database_that_goes_away_is_waited_for(serve, desk) -> None:
    async with serve(pace=Pace(poll=0.05)) as browser:
        await browser.open()
        async with browser.events() as reader:
            message = await browser.say("hi")
            await reader.take(1)
            desk.away = True
            await asyncio.sleep(0.2)
            desk.away = False
            desk.begin(message)
            assert (await reader.take(1))[0].data["author"] == "model"


async def test_a_stream_ends_when_its_session_does(serve, desk) -> None:
    async with serve(pace=Pace(poll=0.05, recheck=0.1)) as browser:
        await browser.open()
        async with browser.events() as reader:
            desk.expire(browser.token)
            async with asyncio.timeout(5):
                assert await reader.next() is None
        answer = await browser.http.get("/widget/api/events", headers=browser.bearer)
        assert answer.status == 401


async def test_a_fourth_stream_of_a_session_takes_the_place_of_its_oldest(browser) -> None:
    async with (
        browser.events() as first,
        browser.events() as second,
        browser.events(),
        browser.events(),
        asyncio.timeout(5),
    ):
        assert await first.next() is None
        await browser.say("hi")
        assert await second.next()


async def test_one_address_cannot_take_every_seat(serve, until) -> None:
    viewers = Viewers(per_address=2)
    async with serve(viewers=viewers) as browser:
        await browser.open()
        async with browser.events(), browser.events():
            answer = await browser.http.get("/widget/api/events", headers=browser.bearer)
            assert answer.status == 429
            assert (await answer.json())["error"]["code"] == "crowded"
        await until(lambda: not viewers._addresses)
        assert not viewers._seats
        async with browser.events():
            pass


async def test_reconnecting_in_a_loop_is_slowed_down(serve) -> None:
    async with serve(limits=Limits(connects=Limiter(rate=0.01, burst=2))) as browser:
        await browser.open()
        for _ in range(2):
            async with browser.events():
                pass
        answer = await browser.http.get("/widget/api/events", headers=browser.bearer)
        assert answer.status == 429
        assert int(answer.headers["Retry-After"]) > 0


async def test_a_foreign_page_and_a_stranger_get_no_stream(browser) -> None:
    answer = await browser.http.get(
        "/widget/api/events", headers={**browser.bearer, "Origin": "https://evil.example"}
    )
    assert answer.status == 403
    assert (await browser.http.get("/widget/api/events")).status == 401


async def test_streams_end_at_once_when_the_channel_stops(serve) -> None:
    viewers = Viewers()
    async with serve(viewers=viewers, pace=Pace(poll=30, heartbeat=60)) as browser:
        await browser.open()
        async with browser.events() as reader, asyncio.timeout(2):
            began = time.monotonic()
            viewers.close()
            assert await reader.next() is None
            assert time.monotonic() - began < 1
        assert (await browser.http.get("/widget/api/events", headers=browser.bearer)).status == 503


async def test_a_reader_who_takes_nothing_is_cut_off(serve, desk, until, logged) -> None:
    """The server writes until every buffer on the way is full, waits, and lets go."""
    viewers = Viewers()
    async with serve(viewers=viewers, pace=Pace(stall=0.3)) as browser:
        await browser.open()
        message = await browser.say("hi")
        for number in range(60):  # more than the buffers of a loopback connection hold
            desk._say(desk._places[message], Said(1_000 + number, "person", "x" * 200_000, "done"))
        with socket.socket() as lazy:
            lazy.setblocking(False)
            lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            url = browser.http.make_url("/widget/api/events")
            loop = asyncio.get_running_loop()
            await loop.sock_connect(lazy, (url.host, url.port))
            request = f"GET {url.path} HTTP/1.1\r\nHost: {url.host}\r\nAuthorization: Bearer {browser.token}\r\n\r\n"
            await loop.sock_sendall(lazy, request.encode())
            await until(lambda: viewers._seats)
            await until(lambda: not viewers._seats)
    assert [entry["event"] for entry in logged] == ["a stalled reader was cut off"]
