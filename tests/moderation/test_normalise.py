"""The clean copy and the scoring copy, for any Unicode."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.errors import TextRefused
from moderation.normalise import clean, scoring_copy

ANYTHING = st.text(st.characters())  # unpaired surrogates included


@pytest.mark.parametrize("char", ["\x00", "\x07", "\x1b", "\x7f", "\x9b"])
def test_control_characters_are_refused_by_name(char):
    with pytest.raises(TextRefused) as refused:
        clean(f"a{char}b")
    assert refused.value.problem == "control"


@pytest.mark.parametrize("text", ["a\ud800", "\udc00b", "\udc00\ud800"])
def test_unpaired_surrogates_are_refused_by_name(text):
    with pytest.raises(TextRefused) as refused:
        clean(text)
    assert refused.value.problem == "surrogate"


def test_paired_surrogates_become_their_character():
    assert clean("\ud83d\ude00") == "😀"


def test_every_line_end_becomes_a_newline_and_tabs_stay():
    assert clean("a\r\nb\rc\vd\fe\u2028f\tg") == "a\nb\nc\nd\ne\nf\tg"


def test_joined_and_composed_letters_are_the_same():
    assert clean("e\u0301") == "é"


@given(ANYTHING)
def test_cleaning_gives_plain_utf8_or_refuses(text):
    try:
        cleaned = clean(text)
    except TextRefused:
        return
    cleaned.encode("utf-8")
    assert clean(cleaned) == cleaned
    assert all(char in "\n\t" or unicodedata.category(char) != "Cc" for char in cleaned)


@pytest.mark.parametrize(
    "text",
    [
        "BOMB",
        "ｂｏｍｂ",
        "bo\u200bmb",
        "b\ufe0fomb",
        "bоmb",
        "ВOМВ",
        "bοmb",
        "b\xadomb",
        "bo\U000e0062mb",
        "𝐛𝐨𝐦𝐛",
        "b\x00omb",
    ],
)
def test_disguised_letters_are_read_as_what_they_look_like(text):
    assert scoring_copy(text).text == "bomb"


def test_a_span_of_the_copy_leads_back_to_the_original():
    text = "ﬁne ｂо\u200bｍb ok"
    copy = scoring_copy(text)
    at = copy.text.index("bomb")
    start, end = copy.origin(at, at + 4)
    assert text[start:end] == "ｂо\u200bｍb"
    assert copy.origin(1, 2) == (0, 1)
    assert copy.origin(0, 1) == (0, 1)


@given(ANYTHING)
def test_any_text_has_a_copy_whose_spans_lie_in_the_original_in_order(text):
    copy = scoring_copy(text)
    spans = [copy.origin(at, at + 1) for at in range(len(copy.text))]
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert spans == sorted(spans)


def test_marks_join_their_letter_in_the_copy():
    copy = scoring_copy("cafe\u0301 x")
    assert copy.text == "café x"
    assert copy.origin(3, 4) == (3, 5)


def test_marks_without_end_are_read_in_parts():
    assert len(scoring_copy("e" + "\u0301" * 5_000).text) > 4_000
