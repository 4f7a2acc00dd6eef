"""The ways an answer may grow in a workspace, and how often."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from bot.channels.slack.ladder import Ladder, Timing, Wanted, Way


@dataclass
class Clock:
    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("wanted", "best"), [("auto", "stream"), ("native", "stream"), ("edit", "edit"), ("post", "post")]
)
def test_the_setting_says_where_the_ladder_begins(wanted: Wanted, best: Way) -> None:
    assert Ladder(wanted=wanted).best("T1") == best


def test_what_a_workspace_lacks_is_left_out_there_and_asked_for_again_after_hours() -> None:
    clock = Clock()
    ladder = Ladder(clock=clock)
    ladder.lacks("T1", "stream")
    assert ladder.best("T1") == "edit"
    assert ladder.best("T2") == "stream"
    ladder.lacks("T1", "edit")
    assert ladder.best("T1") == "post"
    clock.now += ladder.timing.latch
    assert ladder.best("T1") == "stream"


def test_answers_that_grow_together_share_their_workspaces_budget() -> None:
    ladder = Ladder(timing=Timing(append=0.7, edit=1.3))
    assert ladder.interval("T1", "stream") == 0.7
    with ladder.growing("T1", "stream"), ladder.growing("T1", "stream"), ladder.growing("T1", "edit"):
        assert ladder.interval("T1", "stream") == 1.4
        assert ladder.interval("T1", "edit") == 1.3
        assert ladder.interval("T2", "stream") == 0.7
    assert ladder.interval("T1", "stream") == 0.7
