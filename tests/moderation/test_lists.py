"""Lists of phrases: as whole words, in any case and disguise, in scripts with spaces and without."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from moderation.lists import AllowList, denied
from moderation.normalise import scoring_copy
from moderation.policy.terms import Lists
from moderation.rules import RuleCheck

PHRASES = ("Project Nightjar", "owl", "owlet", "C++", "炸弹", "ราคา", "Straße", "a.b")


def holds(text, phrases=PHRASES):
    [rule] = denied(Lists(deny=phrases))
    return rule.pattern.search(scoring_copy(text).text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "project nightjar", "PROJECT  \n NIGHTJAR!", "the project nightjar's", "Ｐroject Nіghtjar",
        "pro\u200bject nightjar", "an owl", "owl", "(owlet)", "snowy_owl", "请问owl吗", "i like c++", "怎么做炸弹呢",
        "ขอราคาหน่อย", "in der STRASSE", "a.b",
    ],
)  # fmt: skip
def test_a_denied_phrase_is_found(text):
    assert holds(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "project nightjars",
        "projectnightjar",
        "owls",
        "bowl",
        "howlet",
        "owl3",
        "炸",
        "axb",
        "c+",
        "straßen",
    ],
)
def test_a_part_of_a_word_is_not(text):
    assert not holds(text)


async def test_a_denied_phrase_is_refused_in_both_directions_where_it_stands():
    check = RuleCheck(list(denied(Lists(deny=("owl",)))))
    for direction in ("input", "output"):
        [finding] = await check.judge("An ｏｗｌ!", direction=direction)
        assert (finding.check, finding.action, finding.span) == ("rules/deny", "block", (3, 6))


def test_an_empty_list_is_no_rule():
    assert list(denied(Lists())) == []


@given(st.lists(st.text("ab c.+?", min_size=1, max_size=4).filter(str.strip), min_size=1, max_size=6))
@example(["a", "ab", "abc"])
@settings(deadline=None)
def test_each_phrase_of_a_list_is_found_as_if_it_stood_alone(phrases):
    for phrase in phrases:
        assert holds(f"x {phrase} y", tuple(phrases))


def test_a_long_list_costs_little():
    words = tuple(
        f"{first}{second}{third} {first}"
        for first in "abcdefghijkl"
        for second in "aeiou"
        for third in "klmnopqrst"
    )
    [rule] = denied(Lists(deny=words))
    text = "hello, could you tell me when my order arrives? i ordered it last tuesday. " * 13
    began = time.thread_time()
    assert not rule.pattern.search(text)
    assert time.thread_time() - began < 0.05  # 600 phrases, 1,000 characters: 0.5 ms measured


@pytest.mark.parametrize(
    "text", ["thanks", "Thanks!", " THANKS… ", "ｔｈａｎｋｓ", "thank you", "Thank  you.", "👍", "好的。"]
)
def test_an_allowed_text_is_a_phrase_and_nothing_else(text):
    assert AllowList(("thanks", "Thank you", "👍", "好的")).has(text)


@pytest.mark.parametrize("text", ["", "thanks a lot", "thank", "thankyou", "👎", "不好的", "..."])
def test_any_other_text_is_judged(text):
    assert not AllowList(("thanks", "Thank you", "👍", "好的")).has(text)
