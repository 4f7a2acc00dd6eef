"""What holds for every text: no character is lost, every entity is valid, every message fits and calls nobody."""

from __future__ import annotations

import re

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bot.markup.telegram import (
    JOINER,
    LIMIT,
    SOURCE,
    Part,
    Rendered,
    cut,
    neutral,
    part,
    parts,
    reach,
    render,
    units,
)
from tests.bot.markup.telegram_texts import (
    DOCUMENT,
    SOUP,
    TEXT,
    bare,
    distinct,
    outside_code,
    shown,
    words_of,
)

LIMITS = st.sampled_from([120, 200, 400, 1_000])
CALLS = re.compile(r"(?<!\w)@[A-Za-z0-9_]{2,32}(?!\w)")
INNER = {"bold", "italic", "strikethrough"}


def assert_valid(rendered: Rendered) -> None:
    """As Telegram takes entities: within the text, on borders of characters, one in the other only where it may."""
    length = units(rendered.text)
    around: list[dict[str, object]] = []
    before = (-1, 0)
    assert len(rendered.entities) <= 100
    for entity in rendered.entities:
        start, size = entity["offset"], entity["length"]
        assert 0 <= start < start + size <= length
        assert shown(rendered, entity).strip()
        assert before <= (start, -size)
        before = (start, -size)
        while around and int(str(around[-1]["offset"])) + int(str(around[-1]["length"])) <= start:
            around.pop()
        for outer in around:
            assert start + size <= int(str(outer["offset"])) + int(str(outer["length"]))
            assert outer["type"] != entity["type"]
            assert outer["type"] in INNER | {"blockquote", "text_link"}
            assert outer["type"] != "text_link" or entity["type"] in INNER
            assert entity["type"] != "blockquote"
            assert entity["type"] not in ("code", "pre") or outer["type"] == "blockquote"
        around.append(entity)
        assert set(entity) - {"url", "language"} == {"type", "offset", "length"}
        assert ("url" in entity) == (entity["type"] == "text_link")
    assert not CALLS.search(outside_code(rendered))


def assert_all_said(text: str, rendered: Rendered) -> None:
    """All that is no markup is shown in its order, and nothing else but decoration and numbers."""
    said = words_of(text)
    if not bare(said.replace("\0", "")):  # nothing to show: shown as it is written
        return
    if rendered.text.strip("\n") == neutral(
        text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
    ).strip("\n"):
        return
    number = r"(?:\d{1,10}[.)])?"
    pattern = number.join(re.escape(bare(each)) for each in said.split("\0"))
    assert re.fullmatch(pattern, bare(rendered.text)), (text, rendered.text)


def assert_no_word_lost(text: str, found: list[Part], limit: int) -> None:
    """But for words that are themselves cut, where a line has no blank for long."""
    said = distinct("\n".join(render(each.text, limit).text for each in found))
    meant = [word for each in found for word in distinct(each.body)]
    assert sorted(said) == sorted(meant)
    assert len(set(distinct(text)) - set(meant)) < len(found)
    for kind in ("W", "C"):  # a table laid out in rows has its head within
        assert [word for word in said if word[0] == kind] == [word for word in meant if word[0] == kind]


@settings(max_examples=100, deadline=None)
@example("| a | b |\n|---|---|\n| 1 | 2 | more |\n")
@given(TEXT)
def test_a_message_says_all_that_its_markdown_says_and_nothing_else(text: str) -> None:
    rendered = render(text, 100_000)
    assert_all_said(text, rendered)
    assert_valid(rendered)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TEXT, LIMITS)
def test_every_part_is_a_piece_of_the_source_and_all_of_it_is_shown_in_what_fits(
    text: str, limit: int
) -> None:
    at = 0
    for each in parts(text, limit):
        assert not text[at : each.start].strip()
        assert each.body == text[each.start : each.end]
        at = each.end
        rendered = render(each.text, limit)
        assert units(rendered.text) <= limit
        assert rendered.text.strip()
        assert_valid(rendered)
        assert_all_said(each.text, render(each.text, 100_000))
    assert not text[at:].strip()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(DOCUMENT, LIMITS)
def test_no_word_of_a_text_is_lost_in_any_form_and_none_is_moved(text: str, limit: int) -> None:
    assert_no_word_lost(text, parts(text, limit), limit)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(TEXT, min_size=1, max_size=3), st.integers(1, 30))
def test_every_part_of_a_long_text_fits_what_telegram_takes(texts: list[str], times: int) -> None:
    text = ("\n\n".join(texts) + "\n\n") * times
    text = text[: 3 * SOURCE]
    for each in parts(text):
        rendered = render(each.text)
        assert units(rendered.text) <= LIMIT
        assert_valid(rendered)


@settings(max_examples=60, deadline=None)
@given(TEXT, st.floats(0, 1), st.floats(0, 1), LIMITS)
def test_a_part_with_any_borders_is_valid(text: str, one: float, other: float, limit: int) -> None:
    start, end = sorted((int(len(text) * one), int(len(text) * other)))
    only = part(text, start, end, limit)
    assert only.body == text[start:end]
    assert only.closing == ""
    assert_valid(render(only.text, 100_000))
    assert_all_said(only.text, render(only.text, 100_000))


# -- growing texts -----------------------------------------------------------------------------------------------------


class Stream:
    """Messages as a channel edits them while a text grows."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.closed: list[Part] = []
        self.start = self.shown = 0

    def grow(self, text: str, *, ended: bool = False) -> None:
        while (end := cut(text, self.start, self.limit, ended=ended)) is not None:
            assert end >= self.shown
            self._show(text, end)
            self.closed.append(part(text, self.start, end, self.limit))
            self.start = end
        self._show(text, len(text) if ended else max(self.shown, reach(text, self.start, self.limit)))
        if ended:
            self.closed.append(part(text, self.start, len(text), self.limit))

    def _show(self, text: str, end: int) -> None:
        self.shown = end
        rendered = render(part(text, self.start, end, self.limit).text, self.limit)
        assert units(rendered.text) <= self.limit
        assert_valid(rendered)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TEXT, LIMITS, st.integers(40, 200))
def test_what_a_growing_text_was_shown_in_is_the_whole_and_each_showing_fitted(
    text: str, limit: int, pace: int
) -> None:
    stream = Stream(limit)
    for length in range(0, len(text), pace):
        stream.grow(text[:length])
    stream.grow(text, ended=True)
    assert "".join(each.body for each in stream.closed) == text


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(DOCUMENT, LIMITS, st.integers(40, 200))
def test_no_word_of_a_growing_text_is_lost(text: str, limit: int, pace: int) -> None:
    stream = Stream(limit)
    for length in range(0, len(text), pace):
        stream.grow(text[:length])
    stream.grow(text, ended=True)
    assert_no_word_lost(text, stream.closed, limit)


@settings(max_examples=60, deadline=None)
@given(TEXT, LIMITS, st.data())
def test_a_cut_is_the_same_however_much_follows(text: str, limit: int, data: st.DataObject) -> None:
    early, late = sorted((data.draw(st.integers(0, len(text))), data.draw(st.integers(0, len(text)))))
    end = cut(text[:early], 0, limit)
    later = cut(text[:late], 0, limit)
    assert end in (None, later)
    assert later is None or reach(text[:early], 0, limit) <= later


@settings(max_examples=100, deadline=None)
@given(SOUP)
def test_a_text_is_neutral_once_it_has_been_made_so(text: str) -> None:
    assert neutral(neutral(text)) == neutral(text)
    assert neutral(text).replace(JOINER, "") == text.replace(JOINER, "")
    assert not CALLS.search(neutral(text))
