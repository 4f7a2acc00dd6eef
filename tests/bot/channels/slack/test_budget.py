"""When a call may go out: never one too many in any minute, and nobody waits for another's channel."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.channels.slack.budget import TIERS, WINDOW, Budget

TEAM, POST, UPDATE = "T1", "chat.postMessage", "chat.update"


def used_up(budget: Budget, method: str, *, urgent: bool) -> int:
    """How many calls go out at once until one must wait; each in a channel of its own."""
    count = 0
    while not budget.wait(0.0, TEAM, method, f"C{count}", urgent=urgent):
        budget.take(0.0, TEAM, method, f"C{count}")
        count += 1
    return count


def test_the_last_calls_of_a_minute_are_kept_for_the_urgent() -> None:
    budget = Budget()
    assert used_up(budget, UPDATE, urgent=False) == 45
    assert used_up(budget, UPDATE, urgent=True) == 5
    assert budget.wait(0.0, TEAM, UPDATE, urgent=True) == WINDOW


def test_a_quarter_of_the_streams_is_kept_for_answers_that_go_on() -> None:
    assert used_up(Budget(), "chat.startStream", urgent=False) == 15


def test_workspaces_and_methods_do_not_share_a_minute() -> None:
    budget = Budget()
    used_up(budget, UPDATE, urgent=True)
    assert budget.wait(0.0, "T2", UPDATE) == 0.0
    assert budget.wait(0.0, TEAM, "chat.delete") == 0.0


def test_a_channel_takes_a_message_a_second_and_others_do_not_wait() -> None:
    budget = Budget()
    budget.take(0.0, TEAM, POST, "C1")
    assert budget.wait(0.0, TEAM, POST, "C1") > 1.0
    assert budget.wait(0.0, TEAM, "chat.startStream", "C1") > 1.0
    assert budget.wait(0.0, TEAM, POST, "C2") == 0.0
    assert budget.wait(1.1, TEAM, POST, "C1") == 0.0


def test_a_pause_of_posts_is_the_channels_own() -> None:
    budget = Budget()
    budget.pause(0.0, TEAM, POST, "C1", seconds=30)
    assert budget.wait(0.0, TEAM, POST, "C1") == 30
    assert budget.wait(0.0, TEAM, POST, "C2") == 0.0
    assert budget.wait(31.0, TEAM, POST, "C1") == 0.0


def test_a_pause_of_a_tier_is_the_workspaces() -> None:
    budget = Budget()
    budget.pause(0.0, TEAM, UPDATE, "C1", seconds=30)
    assert budget.wait(10.0, TEAM, UPDATE, "C2", urgent=True) == 20
    assert budget.wait(0.0, "T2", UPDATE, "C2") == 0.0
    assert budget.wait(0.0, TEAM, "chat.appendStream", "C1") == 0.0


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    budget = Budget()
    budget.pause(0.0, TEAM, UPDATE, seconds=30)
    budget.pause(1.0, TEAM, UPDATE, seconds=1)
    assert budget.wait(2.0, TEAM, UPDATE) == 28


def test_what_is_over_is_forgotten() -> None:
    budget = Budget()
    for number in range(6_000):
        budget.take(number * 100.0, f"T{number}", POST, "C1")
    assert len(budget._windows) < 11_000


@given(
    st.lists(st.tuples(st.floats(0, 20), st.booleans(), st.sampled_from(["C1", "C2", "C3"])), max_size=300)
)
def test_no_minute_ever_holds_more_than_the_tier(arrivals: list[tuple[float, bool, str]]) -> None:
    budget, now, went = Budget(), 0.0, []
    for pause, urgent, channel in arrivals:
        now += pause / 20
        now += budget.wait(now, TEAM, "chat.startStream", channel, urgent=urgent)
        while wait := budget.wait(now, TEAM, "chat.startStream", channel, urgent=urgent):
            now += wait
        budget.take(now, TEAM, "chat.startStream", channel)
        went.append(now)
    limit = TIERS["chat.startStream"]
    assert all(later - earlier >= 60 for earlier, later in zip(went, went[limit:], strict=False))
