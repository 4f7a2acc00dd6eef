"""When a call may go out: never one too many in any second or minute, and nobody waits for another's chat."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.channels.telegram.api import Api, TelegramFailure
from bot.channels.telegram.budget import ALL, ALL_RESERVE, BURST, CHAT_SECONDS, GROUP_SECONDS, Budget, counted
from bot.channels.telegram.wire import Wire

SEND, EDIT, GROUP = "sendMessage", "editMessageText", -100


def used_up(budget: Budget, chat: int, *, urgent: bool, now: float = 0.0) -> int:
    """How many calls go out at once until one must wait."""
    count = 0
    while not budget.wait(now, SEND, chat, urgent=urgent):
        budget.take(now, SEND, chat)
        count += 1
    return count


@pytest.mark.parametrize(
    "method", ["sendMessage", "sendRichMessage", "sendDocument", "editMessageReplyMarkup"]
)
def test_messages_and_edits_are_counted(method: str) -> None:
    assert counted(method)


@pytest.mark.parametrize(
    "method", ["sendChatAction", "sendMessageDraft", "answerCallbackQuery", "getFile", "deleteMessage"]
)
def test_what_is_no_message_is_not(method: str) -> None:
    assert not counted(method)
    budget = Budget()
    for _ in range(1_000):
        assert not budget.wait(0.0, method, 1)
        budget.take(0.0, method, 1)
    assert not budget.wait(0.0, SEND, 1)


def test_a_chat_takes_a_message_a_second_and_others_do_not_wait() -> None:
    budget = Budget()
    budget.take(0.0, SEND, 1)
    assert budget.wait(0.0, SEND, 1) == pytest.approx(CHAT_SECONDS)
    assert budget.wait(0.0, EDIT, 1) == pytest.approx(CHAT_SECONDS)
    assert budget.wait(0.0, SEND, 2) == 0.0
    assert budget.wait(1.1, SEND, 1) == 0.0


def test_the_end_of_an_answer_need_not_wait_for_its_middle() -> None:
    budget = Budget()
    for now in (0.0, 1.2, 2.4):
        assert not budget.wait(now, EDIT, 1)
        budget.take(now, EDIT, 1)
    assert budget.wait(2.5, EDIT, 1) > 0.9
    assert budget.wait(2.5, EDIT, 1, urgent=True) == 0.0


def test_nothing_goes_at_once_for_ever() -> None:
    assert used_up(Budget(), 1, urgent=False) == 1
    assert used_up(Budget(), 1, urgent=True) == BURST


def test_while_something_urgent_waits_its_chat_is_not_given_to_others() -> None:
    budget = Budget()
    used_up(budget, 1, urgent=True)
    with budget.waiting(SEND, 1, urgent=True):
        assert budget.wait(5.0, EDIT, 1) > 0.0
        assert budget.wait(5.0, EDIT, 2) == 0.0
        assert budget.wait(5.0, SEND, 1, urgent=True) == 0.0
    assert budget.wait(5.0, EDIT, 1) == 0.0


def test_a_group_takes_twenty_a_minute_and_keeps_the_last_for_the_urgent() -> None:
    budget, now = Budget(), 0.0
    for _ in range(15):
        assert not budget.wait(now, EDIT, GROUP)
        budget.take(now, EDIT, GROUP)
        now += 2.0
    assert budget.wait(now, EDIT, GROUP) == pytest.approx(GROUP_SECONDS - now)
    for _ in range(5):
        assert not budget.wait(now, SEND, GROUP, urgent=True)
        budget.take(now, SEND, GROUP)
        now += 2.0
    assert budget.wait(now, SEND, GROUP, urgent=True) == pytest.approx(GROUP_SECONDS - now)
    assert budget.wait(now, SEND, 1) == 0.0


def test_all_chats_together_take_thirty_a_second_at_most() -> None:
    budget, growing = Budget(), ALL - ALL_RESERVE
    for chat in range(1, growing + 1):
        assert not budget.wait(0.0, SEND, chat)
        budget.take(0.0, SEND, chat)
    assert budget.wait(0.0, SEND, 100) > 1.0
    for chat in range(growing + 1, ALL + 1):
        assert not budget.wait(0.0, SEND, chat, urgent=True)
        budget.take(0.0, SEND, chat)
    assert budget.wait(0.0, SEND, 100, urgent=True) > 1.0
    assert ALL <= 30


def test_a_pause_is_the_chats_own_and_holds_for_the_urgent_too() -> None:
    budget = Budget()
    budget.pause(0.0, EDIT, 1, seconds=30)
    assert budget.wait(0.0, SEND, 1, urgent=True) == 30
    assert budget.wait(0.0, SEND, 2) == 0.0
    assert budget.wait(0.0, "sendChatAction", 1) == 0.0
    assert budget.wait(31.0, SEND, 1) == 0.0


def test_a_pause_of_what_is_outside_holds_back_nothing_else() -> None:
    budget = Budget()
    budget.pause(0.0, "setMyCommands", seconds=300)
    budget.pause(0.0, "sendChatAction", 1, seconds=30)
    assert budget.wait(0.0, "setMyCommands") == 300
    assert budget.wait(0.0, "sendChatAction", 1) == 30
    assert budget.wait(0.0, "sendChatAction", 2) == 0.0
    assert budget.wait(0.0, SEND, 1) == 0.0


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    budget = Budget()
    budget.pause(0.0, EDIT, 1, seconds=30)
    budget.pause(1.0, EDIT, 1, seconds=1)
    assert budget.wait(2.0, EDIT, 1) == 28


def test_what_is_over_is_forgotten() -> None:
    budget = Budget()
    for number in range(1, 12_000):
        budget.take(number * 100.0, SEND, number)
        budget.pause(number * 100.0, SEND, number, seconds=1)
    assert len(budget._chats) + len(budget._paused) + len(budget._windows) < 11_000


@given(
    st.lists(
        st.tuples(st.floats(0, 3), st.booleans(), st.sampled_from([1, 2, GROUP, GROUP - 1])), max_size=200
    )
)
def test_no_chat_and_no_group_ever_gets_more_than_telegram_takes(
    arrivals: list[tuple[float, bool, int]],
) -> None:
    budget, now, went = Budget(), 0.0, defaultdict[int, list[float]](list)
    for pause, urgent, chat in arrivals:
        now += pause / 10
        while wait := budget.wait(now, EDIT, chat, urgent=urgent):
            now += wait
        budget.take(now, EDIT, chat)
        went[chat].append(now)
    for chat, times in went.items():
        for size in range(BURST + 1, len(times) + 1):
            stretches = [later - first for first, later in zip(times, times[size - 1 :], strict=False)]
            assert min(stretches) >= size - BURST  # one a second, but for the burst
        if chat < 0:
            assert all(later - first >= 60 for first, later in zip(times, times[20:], strict=False))


class Clock:
    """Time that passes when somebody waits for it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        until = self.now + seconds
        await asyncio.sleep(0)
        self.now = max(self.now, until)


class Deaf:
    """A Telegram that limits one chat for ever."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []

    async def exchange(self, method: str, arguments: Mapping[str, Any], *, within: float) -> Any:
        self.calls.append((method, arguments["chat_id"]))
        if arguments["chat_id"] == 1:
            raise TelegramFailure("flood", method=method, retry_after=137.0)
        return {"message_id": 1}


async def test_a_flood_of_two_minutes_holds_back_one_chat_and_is_waited_for() -> None:
    clock, wire = Clock(), Deaf()
    api = Api(wire=cast(Wire, wire), clock=clock, sleep=clock.sleep)
    with pytest.raises(TelegramFailure) as failed:
        await api.call(EDIT, chat=1, patience=0.0, message_id=1, text="x")
    assert failed.value.retry_after == 137.0
    with pytest.raises(TelegramFailure) as failed:
        await api.call(EDIT, chat=1, patience=0.0, message_id=1, text="x")
    assert failed.value.rate_limited
    assert wire.calls == [(EDIT, 1)]  # it was asked once
    await api.call(SEND, chat=2, text="x")
    assert clock.now == 0.0
    with pytest.raises(TelegramFailure):
        await api.call(SEND, chat=1, urgent=True, text="x")
    assert clock.now == 137.0
    assert wire.calls[-1] == (SEND, 1)
