"""Polling: nothing is confirmed before it is safe, nothing strange holds up the rest, and the pace stays civil."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import SecretStr

from bot.channels.base import ChannelOptions
from bot.channels.telegram import poller as polling
from bot.channels.telegram.api import Api, Me, TelegramFailure, open_api
from bot.channels.telegram.backoff import CONFLICT, WRONG_TOKEN, Backoff
from bot.channels.telegram.events import HANDLED, read
from bot.channels.telegram.inbox import Inbox
from bot.channels.telegram.lease import Lease, Terms
from bot.channels.telegram.poller import LEASE, Poller
from bot.channels.telegram.settings import TelegramSettings
from bot.messages import KeptEvent, Unavailable
from tests.bot.channels.house import House
from tests.bot.channels.telegram.moments import Moments
from tests.telegram_double import TelegramDouble

ME = Me(id=7_000_000_001, username="frontdesk_bot", name="Frontdesk", reads_groups=True, topics=False)
Logged = list[MutableMapping[str, Any]]
Until = Callable[[Callable[[], object]], Awaitable[None]]


def said(number: int, text: str = "hello", **changed: Any) -> dict[str, Any]:
    """An update: Ann writes to us."""
    ann = {"id": 42, "is_bot": False, "first_name": "Ann"}
    chat = {"id": 42, "type": "private"}
    told = {"message_id": number, "date": 1700000000, "chat": chat, "from": ann, "text": text, **changed}
    return {"update_id": number, "message": told}


# -- the pace, with a Telegram that may do whatever it likes ---------------------------------------------------


class OurTurn(Lease):
    """Nobody else is there."""

    @property
    def held(self) -> bool:
        return True

    async def run(self, work: Callable[[], Any]) -> None:
        await work()


@dataclass
class Strange:
    """Stands in for the Api: `tell` answers each poll at once."""

    tell: Callable[[int | None], Sequence[Any]]
    time: Moments = field(default_factory=Moments)
    polls: list[float] = field(default_factory=list)
    offsets: list[int | None] = field(default_factory=list)
    called: list[str] = field(default_factory=list)

    async def me(self) -> Me:
        return ME

    async def call(self, method: str, **arguments: Any) -> Any:
        self.called.append(method)
        return True

    async def updates(self, *, offset: int | None, **_: Any) -> Sequence[Any]:
        self.polls.append(self.time.now)
        self.offsets.append(offset)
        return self.tell(offset)

    @property
    def gaps(self) -> list[float]:
        return [later - earlier for earlier, later in itertools.pairwise(self.polls)]


def over(api: Strange, house: House) -> Poller:
    return Poller(
        api=api,  # type: ignore[arg-type]
        inbox=Inbox(desk=house, api=api),  # type: ignore[arg-type]
        lease=OurTurn(shelf=house.notes, name=LEASE, owner="here"),
        clock=api.time.clock,
        sleep=api.time.sleep,
    )


@asynccontextmanager
async def at_work(poller: Poller) -> AsyncIterator[None]:
    running = asyncio.ensure_future(poller.run())
    try:
        yield
        assert not running.done(), running.exception()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def failing(code: str, **more: Any) -> Callable[[int | None], Sequence[Any]]:
    def tell(offset: int | None) -> Sequence[Any]:
        raise TelegramFailure(code, method="getUpdates", **more)

    return tell


def breaking(error: Exception) -> Callable[[int | None], Sequence[Any]]:
    def tell(offset: int | None) -> Sequence[Any]:
        raise error

    return tell


NUMBERS = itertools.count(1)
BEHAVIOURS: dict[str, Callable[[int | None], Sequence[Any]]] = {
    "a stream of updates": lambda _: [said(next(NUMBERS))],
    "nothing, at once": lambda _: [],
    "the same poisoned update again and again": lambda _: [{"update_id": 7, "message": "poison"}],
    "the same update whatever is confirmed": lambda _: [said(7)],
    "no updates at all": lambda _: [7, None, "x", {}, {"update_id": "x"}, {"update_id": True}],
    "something that cannot be read": breaking(RecursionError()),
    "a mistake of ours": breaking(KeyError("x")),
    "401": failing("unauthorized"),
    "409": failing("conflict"),
    "429": failing("flood", retry_after=3.0),
    "502": failing("http_502"),
    "no connection": failing("connection"),
    "HTML": failing("unreadable"),
}


@pytest.mark.parametrize("tell", BEHAVIOURS.values(), ids=BEHAVIOURS.keys())
async def test_whatever_telegram_answers_there_are_fewer_than_two_polls_a_second(
    tell: Callable[[int | None], Sequence[Any]],
) -> None:
    api = Strange(tell)
    async with at_work(over(api, House())):
        await api.time.pass_(120)
    assert len(api.polls) >= 2
    assert min(api.gaps) > 0.5


@pytest.mark.parametrize(
    "behaviour", ["409", "502", "no connection", "HTML", "no updates at all", "a mistake of ours"]
)
async def test_what_goes_on_failing_is_tried_less_and_less_often(behaviour: str) -> None:
    api = Strange(BEHAVIOURS[behaviour])
    async with at_work(over(api, House())):
        await api.time.pass_(600)
    assert len(api.polls) < 60
    assert max(api.gaps) <= 30.0
    assert api.gaps[-1] > 10 * api.gaps[0]


async def test_telegram_says_how_long_to_wait() -> None:
    api = Strange(failing("flood", retry_after=77.0))
    async with at_work(over(api, House())):
        await api.time.pass_(300)
    assert min(api.gaps) >= 77.0


async def test_a_token_that_is_not_good_is_tried_once_a_minute(logged: Logged) -> None:
    api = Strange(failing("unauthorized"))
    async with at_work(over(api, House())):
        await api.time.pass_(300)
    assert min(api.gaps) >= 60.0
    assert [entry["event"] for entry in logged if entry["log_level"] == "error"] == [WRONG_TOKEN]


async def test_a_poll_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch, until: Until) -> None:
    monkeypatch.setattr(polling, "WAITS", 0)
    monkeypatch.setattr(polling, "HANGS", 0.01)
    api = Strange(lambda _: [])

    async def hang(**_: Any) -> Sequence[Any]:
        api.polls.append(api.time.now)
        await asyncio.Event().wait()
        return []

    api.updates = hang  # type: ignore[method-assign]
    async with at_work(over(api, House())):
        await api.time.pass_(1)
        waits = len(api.time.slept)
        await until(lambda: len(api.time.slept) > waits)
        await api.time.pass_(3)
        assert len(api.polls) == 2


async def test_a_lost_lease_ends_a_poll_that_is_under_way() -> None:
    house, api = House(), Strange(lambda _: [])
    house.notes.clock = api.time.clock
    under_way = 0

    async def hang(**_: Any) -> Sequence[Any]:
        nonlocal under_way
        under_way += 1
        try:
            await asyncio.Event().wait()
        finally:
            under_way -= 1
        return []

    api.updates = hang  # type: ignore[method-assign]
    poller = over(api, house)
    poller.lease = Lease(
        shelf=house.notes, name=LEASE, owner="here", clock=api.time.clock, sleep=api.time.sleep
    )
    async with at_work(poller):
        await api.time.pass_(20)
        assert under_way == 1
        await house.notes.drop(LEASE)
        await house.notes.claim(LEASE, "another", seconds=60)
        await api.time.pass_(Terms().renewed)
        assert under_way == 0
        await api.time.pass_(60 + Terms().tried)
        assert under_way == 1


# -- nothing is confirmed before it is safe --------------------------------------------------------------------


async def test_the_first_poll_asks_for_everything_that_waits() -> None:
    api = Strange(lambda _: [])
    async with at_work(over(api, House())):
        await api.time.pass_(1)
    assert api.called == ["deleteWebhook"]
    assert set(api.offsets) == {None}


async def test_the_offset_moves_when_all_of_a_batch_are_safe() -> None:
    house = House()
    batches = iter([[said(12), said(11), said(13)]])
    api = Strange(lambda _: next(batches, []))
    keep = house.keep

    async def away_for_the_last(channel: str, **event: Any) -> bool:
        if house.away and event["key"].endswith("/13"):
            raise Unavailable("the database is away")
        house.away, before = False, house.away
        try:
            return await keep(channel, **event)
        finally:
            house.away = before

    house.keep = away_for_the_last  # type: ignore[method-assign]
    house.away = True
    async with at_work(over(api, house)):
        await api.time.pass_(60)
        assert api.offsets == [None]
        assert len(house.kept) == 2
        house.away = False
        await api.time.pass_(5)
    assert api.offsets[1] == 14
    assert list(house.kept) == [f"{ME.id}/{number}" for number in (12, 11, 13)]


async def test_the_batch_is_stored_as_it_came() -> None:
    house = House()
    batch = [said(1, entities=[{"type": "of_2028", "offset": 0, "length": 5}], what_is_this={"new": [1]})]
    batches = iter([batch])
    api = Strange(lambda _: next(batches, []))
    async with at_work(over(api, house)):
        await api.time.pass_(1)
    assert house.kept == {f"{ME.id}/1": ("42/0", batch[0])}


async def test_after_a_week_of_silence_numbers_may_begin_anew() -> None:
    batches = iter([[said(900)], [said(5)]])
    api = Strange(lambda _: next(batches, []))
    async with at_work(over(api, House())):
        await api.time.pass_(3)
    assert api.offsets[:3] == [None, 901, 6]


async def test_what_has_no_number_is_left_out_of_a_batch() -> None:
    house = House()
    batches = iter([[{}, said(3), "x"]])
    api = Strange(lambda _: next(batches, []))
    async with at_work(over(api, house)):
        await api.time.pass_(1)
    assert api.offsets[1] == 4
    assert len(house.kept) == 1


async def test_what_the_house_cannot_keep_as_it_came_is_kept_as_its_words() -> None:
    house = House()
    keep = house.keep

    async def particular(channel: str, **event: Any) -> bool:
        if "frontdesk_unstorable" not in event["body"] and event["key"].endswith("/2"):
            raise ValueError("a number that is none")
        return await keep(channel, **event)

    house.keep = particular  # type: ignore[method-assign]
    batches = iter([[said(1), said(2, date=float("nan")), said(3)]])
    api = Strange(lambda _: next(batches, []))
    async with at_work(over(api, house)):
        await api.time.pass_(1)
    assert api.offsets[1] == 4
    lane, body = house.kept[f"{ME.id}/2"]
    assert lane == "update/2"
    assert "nan" in body["frontdesk_unstorable"]


async def test_people_among_themselves_are_not_kept() -> None:
    house = House()
    group = {"id": -1001, "type": "supergroup", "title": "Team"}
    batches = iter([[said(1, "lunch?", chat=group), said(2)]])
    api = Strange(lambda _: next(batches, []))
    async with at_work(over(api, house)):
        await api.time.pass_(1)
    assert api.offsets[1] == 3
    assert list(house.kept) == [f"{ME.id}/2"]


async def test_nothing_is_fetched_while_nobody_knows_who_we_are() -> None:
    house = House()
    api = Strange(lambda _: [])

    async def unknown() -> Me:
        raise TelegramFailure("unauthorized", method="getMe")

    api.me = unknown  # type: ignore[method-assign]
    with pytest.raises(Unavailable):
        await Inbox(desk=house, api=api).take(said(1))  # type: ignore[arg-type]
    assert not house.kept


# -- with a Telegram that keeps its promises -------------------------------------------------------------------


@dataclass(kw_only=True)
class Post:
    """A poller between the double and a house, and a reader that notes what was said."""

    house: House
    poller: Poller
    texts: list[str] = field(default_factory=list)

    async def read(self, kept: KeptEvent) -> None:
        event = read(kept.body, me=ME)
        assert event is not None
        self.texts.append(getattr(event.meaning, "text", ""))


@asynccontextmanager
async def post(telegram: TelegramDouble, house: House) -> AsyncIterator[Post]:
    variables = {name: SecretStr(value) for name, value in telegram.environment("poll").items()}
    settings = TelegramSettings.read(ChannelOptions(variables=variables))
    async with open_api(token=settings.token, settings=settings) as api:
        poller = _poller(api, house)
        at = Post(house=house, poller=poller)
        running = [asyncio.ensure_future(each) for each in (poller.run(), house.handle("telegram", at.read))]
        try:
            yield at
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)


def _poller(api: Api, house: House) -> Poller:
    poller = Poller.over(api, Inbox(desk=house, api=api), house)  # type: ignore[arg-type]
    poller.lease.terms = Terms(tried=0.05)  # seconds between tries are tested elsewhere
    poller.backoff = Backoff(what="getUpdates", spread=lambda *_: 0.0)
    return poller


async def test_what_people_write_arrives_once_and_in_order(telegram: TelegramDouble) -> None:
    house = House()
    ann = telegram.person("Ann")
    async with post(telegram, house) as at:
        for number in range(5):
            await telegram.say(ann, telegram.private(ann), f"part {number}")
        await telegram.until(lambda: len(at.texts) == 5)
        await telegram.until(lambda: not telegram.unconfirmed)
    assert at.texts == [f"part {number}" for number in range(5)]
    (first, *_) = telegram.calls_of("getUpdates")
    assert set(first.arguments["allowed_updates"]) == set(HANDLED)


async def test_one_poisoned_update_among_healthy_ones_delays_none(telegram: TelegramDouble) -> None:
    house = House()
    ann, li = telegram.person("Ann"), telegram.person("Li")
    async with post(telegram, house) as at:
        await telegram.say(ann, telegram.private(ann), "before")
        poison = await telegram.say(ann, telegram.private(ann), "poison", deliver=False)
        told = {**poison.as_telegram(), "date": "yesterday"}
        update = await telegram.deliver({"message": told})
        await telegram.say(ann, telegram.private(ann), "after")
        await telegram.say(li, telegram.private(li), "beside")
        await telegram.until(lambda: len(at.texts) == 3 and not telegram.unconfirmed)
        await telegram.until(lambda: house.idle)
    assert sorted(at.texts) == ["after", "before", "beside"]
    key = f"{ME.id}/{update['update_id']}"
    assert house.unreadable == [key]
    assert house.kept[key] == (f"update/{update['update_id']}", update)
    assert all(later - earlier > 0.5 for earlier, later in itertools.pairwise(telegram.polls))


async def test_what_comes_twice_and_out_of_order_is_read_once(telegram: TelegramDouble) -> None:
    house = House()
    ann = telegram.person("Ann")
    async with post(telegram, house) as at:
        telegram.reordered(3)
        messages = [await telegram.say(ann, telegram.private(ann), text) for text in ("a", "b", "c")]
        await telegram.until(lambda: len(at.texts) == 3 and not telegram.unconfirmed)
        telegram.duplicate(messages[0])
        await telegram.say(ann, telegram.private(ann), "d")
        await telegram.until(lambda: "d" in at.texts and house.idle)
    assert sorted(at.texts) == ["a", "b", "c", "d"]


async def test_a_database_that_is_away_loses_nothing(telegram: TelegramDouble) -> None:
    house = House()
    ann = telegram.person("Ann")
    async with post(telegram, house) as at:
        await telegram.say(ann, telegram.private(ann), "before")
        await telegram.until(lambda: len(at.texts) == 1)
        house.away = True
        await telegram.say(ann, telegram.private(ann), "meanwhile")
        await telegram.until(lambda: telegram.unconfirmed)
        house.away = False
        await telegram.until(lambda: len(at.texts) == 2 and not telegram.unconfirmed)
    assert at.texts == ["before", "meanwhile"]


async def test_what_was_not_confirmed_before_a_crash_comes_again_and_is_read_once(
    telegram: TelegramDouble,
) -> None:
    house = House()
    ann = telegram.person("Ann")
    async with post(telegram, house) as at:
        fault = telegram.fail(
            "getUpdates", status=500, times=None, when=lambda call: "offset" in call.arguments
        )
        await telegram.say(ann, telegram.private(ann), "hello")
        await telegram.until(lambda: at.texts and fault.hits)
    fault.stop()
    assert telegram.unconfirmed
    async with post(telegram, house) as again:
        await telegram.until(lambda: not telegram.unconfirmed)
        await telegram.until(lambda: house.idle)
    assert (at.texts, again.texts) == (["hello"], [])


async def test_a_webhook_that_was_left_behind_is_taken_away_and_nothing_is_dropped(
    telegram: TelegramDouble,
) -> None:
    house = House()
    ann = telegram.person("Ann")
    telegram.settings.webhook.url = "https://left.example.com/hook"
    await telegram.say(ann, telegram.private(ann), "hello")
    async with post(telegram, house) as at:
        await telegram.until(lambda: at.texts == ["hello"])
    (call,) = telegram.calls_of("deleteWebhook")
    assert call.arguments.get("drop_pending_updates") is False


async def test_a_conflict_is_told_to_the_operator_once_and_then_goes_by(
    telegram: TelegramDouble, logged: Logged
) -> None:
    house = House()
    ann = telegram.person("Ann")
    words = (
        "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
    )
    fault = telegram.fail("getUpdates", status=409, description=words, times=3)
    async with post(telegram, house) as at:
        await telegram.until(lambda: fault.hits == 3)
        await telegram.say(ann, telegram.private(ann), "hello")
        await telegram.until(lambda: at.texts == ["hello"])
    told = [entry for entry in logged if entry["log_level"] == "error"]
    assert [entry["event"] for entry in told] == [CONFLICT]
    assert told[0]["said"] == words


@pytest.mark.parametrize(
    "fault", [{"status": 502}, {"html": True}, {"dropped": True}, {"lost": True}, {"retry_after": 1}]
)
async def test_a_telegram_that_stumbles_loses_nothing(telegram: TelegramDouble, fault: Any) -> None:
    house = House()
    ann = telegram.person("Ann")
    failed = telegram.fail("getUpdates", times=2, **fault)
    async with post(telegram, house) as at:
        await telegram.say(ann, telegram.private(ann), "hello")
        await telegram.until(lambda: at.texts == ["hello"] and failed.hits == 2)
        await telegram.until(lambda: not telegram.unconfirmed)


async def test_of_two_processes_one_polls_and_when_it_ends_the_other_does(telegram: TelegramDouble) -> None:
    one, two = House(owner="one"), House(owner="two")
    two.notes = one.notes
    ann = telegram.person("Ann")
    async with AsyncExitStack() as ends, AsyncExitStack() as stays:
        first = await ends.enter_async_context(post(telegram, one))
        await telegram.until(lambda: first.poller.lease.held)
        second = await stays.enter_async_context(post(telegram, two))
        await telegram.say(ann, telegram.private(ann), "hello")
        await telegram.until(lambda: first.texts == ["hello"] and not telegram.unconfirmed)
        assert not second.poller.lease.held
        await ends.aclose()
        await telegram.say(ann, telegram.private(ann), "and now?")
        await telegram.until(lambda: second.texts == ["and now?"])
    assert not [call for call in telegram.calls_of("getUpdates") if call.status == 409]
