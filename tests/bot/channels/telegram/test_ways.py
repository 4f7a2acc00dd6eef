"""How an answer may grow in a chat, and how often."""

from __future__ import annotations

from bot.channels.telegram.places import Spot
from bot.channels.telegram.ways import Ways

PRIVATE, GROUP = Spot(1, 5), Spot(1, -5)


def test_private_chats_and_groups_have_ways_of_their_own() -> None:
    ways = Ways(private="draft", group="post")
    assert (ways.best(PRIVATE), ways.best(GROUP)) == ("draft", "post")


def test_without_drafts_answers_grow_by_edits() -> None:
    ways = Ways(private="draft")
    ways.no_drafts()
    assert ways.best(PRIVATE) == "edit"
    ways = Ways(private="post")
    ways.no_drafts()
    assert ways.best(PRIVATE) == "post"


def test_edits_grow_slower_and_are_slow_in_groups() -> None:
    ways = Ways()
    paces = [ways.interval(PRIVATE, "edit", grown) for grown in range(1_000)]
    assert paces == sorted(paces)
    assert (paces[0], paces[-1]) == (1.2, 3.0)
    assert ways.interval(GROUP, "edit", 0) >= 4.0
    assert ways.interval(PRIVATE, "draft", 50) >= 1.0
