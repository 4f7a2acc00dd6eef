"""Whatever is written and however it is cut: nothing lost, nothing twice, nothing before its verdict."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from moderation import Finding, Moderator, ScreenBlocked, ScreenFailed, screened
from tests.moderation.conftest import Bit, Told, each

BITS = [
    "Hello there. ", "It is 3.14, e.g. in maths", "U.S. and Dr. Smith", "https://example.org/a.b?q=1. ", "wait... ",
    "你好。世界！", "なに？", "```python\nx = a.b(1. )\n```\n", "~~~\n", "\n\n", " ", "1. First\n",
    "- a\n", "é", "e\u0301",
    "| a. b | c! d |\n", "| a", "+49 170 ",
    "4111 1111 ", "[EMAIL_1]", "a.b@c.de ",
    "👩‍👩‍👧", "🇩🇪", "❤️", "word " * 40, "x" * 170, "\u0301" * 20, "…", "\"Yes.\" ", "what?! ", "",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(BITS) | st.text(max_size=12), max_size=12).map("".join)


@st.composite
def chunked(draw):
    text = draw(TEXTS)
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=30)))
    return [text[start:end] for start, end in pairwise([0, *cuts, len(text)])]


async def gather(chunks, check, **options):
    return [piece async for piece in screened(each(chunks), Moderator([check], policy="p"), **options)]


@given(chunked(), st.sampled_from([5, 40, 160]), st.sampled_from(["hold", "shadow", "off"]))
@settings(max_examples=60, deadline=None)
def test_released_text_and_drafts_are_exactly_what_came(chunks, max_chars, mode):
    pieces = asyncio.run(gather(chunks, Told(), mode=mode, max_chars=max_chars))
    assert "".join(piece.text for piece in pieces) == "".join(chunks)
    assert [draft.number for piece in pieces for draft in piece.drafts] == list(range(len(chunks)))
    if mode == "hold":
        assert all(len(piece.text) <= max_chars or " " not in piece.text[:-1].strip() for piece in pieces)


@given(chunked())
@settings(max_examples=60, deadline=None)
def test_each_draft_appears_where_its_first_character_does(chunks):
    pieces = asyncio.run(gather(chunks, Told()))
    begins = [sum(map(len, chunks[:number])) for number in range(len(chunks))]
    shown = 0
    for piece in pieces:
        for draft in piece.drafts:
            if draft.text:
                assert shown <= begins[draft.number] < shown + len(piece.text)
        shown += len(piece.text)


PHRASES = st.sampled_from([
    "forbidden", "f̶orbidden", "a very bad phrase", "do it. Do it now! Yes", "| do | it |\n| now |",
    "x = 1\ny = 2\n", "做坏事。现在",
    "12 34 56 78", "no-such@place.org", " ".join(["word"] * 38),
])  # fmt: skip


@st.composite
def hidden_in(draw, phrases):
    """A phrase somewhere in a text, and the text cut anywhere."""
    phrase, before, after = draw(phrases), draw(TEXTS), draw(TEXTS)
    text = before + phrase + after
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=30)))
    return phrase, [text[start:end] for start, end in pairwise([0, *cuts, len(text)])]


async def shown_until(chunks, check, *, max_chars, wait):
    """What is released until the stream ends; and how it does. `wait` of 0: the clock cuts wherever it may."""
    shown: list[str] = []
    ended: type[Exception] | None = None

    async def slowly():
        for number, chunk in enumerate(chunks):
            yield Bit(chunk, number)
            for _ in range(3):
                await asyncio.sleep(0)

    try:
        async for piece in screened(
            slowly(), Moderator([check], policy="p"), max_chars=max_chars, max_wait=wait
        ):
            shown += [piece.text]
    except (ScreenBlocked, ScreenFailed) as error:
        ended = type(error)
    return "".join(shown), ended


@given(hidden_in(PHRASES), st.sampled_from([5, 40, 160]), st.sampled_from([0.0, 60.0]))
@settings(max_examples=60, deadline=None)
def test_no_phrase_passes_by_being_cut(hidden, max_chars, wait):
    phrase, chunks = hidden
    told = Told({phrase: Finding("told", "block")})
    shown, ended = asyncio.run(shown_until(chunks, told, max_chars=max_chars, wait=wait))
    assert ended is ScreenBlocked
    assert phrase not in shown
    assert "".join(chunks).startswith(shown)


NUMBERS = st.sampled_from(
    [
        "+49 170 1234567",
        "4111 1111 1111 1111",
        "DE89 3704 0044 0532 0130 00",
        "jane.doe@example.org",
        "[EMAIL_12]",
    ]
)


@given(
    NUMBERS,
    st.lists(st.integers(1, 60), max_size=8),
    st.sampled_from([40, 160]),
    st.sampled_from([1e-6, 61e-6]),
)
@settings(max_examples=60, deadline=None)
def test_no_part_of_what_is_redacted_is_shown_however_it_is_cut(number, cuts, max_chars, wait):
    told = Told({number: Finding("told", "redact", replacement="#")})
    text = f"Please write to {number} or come by"
    at = [0, *sorted({cut for cut in cuts if cut < len(text)}), len(text)]
    chunks = [text[start:end] for start, end in pairwise(at)]
    # but for a model that pauses for seconds in the middle of a word
    with mock.patch("moderation.hold.LONGER", 1e9):
        shown, ended = asyncio.run(shown_until(chunks, told, max_chars=max_chars, wait=wait))
    assert shown == "Please write to # or come by"
    assert ended is None


class Failing(Told):
    """Judges so many texts, then fails in one way or another."""

    def __init__(self, good: int, how: str) -> None:
        super().__init__()
        self.good = good
        self.how = how

    async def judge(self, text, *, direction):
        self.good -= 1
        if self.good >= 0:
            return await super().judge(text, direction=direction)
        if self.how == "raises":
            raise RuntimeError("out of order")
        if self.how == "cancels itself":
            raise TimeoutError
        return {
            "nonsense": 42,
            "no finding": [object()],
            "a span outside": [Finding("x", "allow", span=(0, 10**6))],
        }[self.how]


HOW = st.sampled_from(["raises", "cancels itself", "nonsense", "no finding", "a span outside"])


@given(chunked(), st.integers(0, 4), HOW, st.sampled_from([5, 160]))
@settings(max_examples=60, deadline=None)
def test_a_check_that_fails_in_whatever_way_shows_nothing_that_was_not_judged(chunks, good, how, max_chars):
    check = Failing(good, how)
    shown, ended = asyncio.run(shown_until(chunks, check, max_chars=max_chars, wait=60.0))
    text = "".join(chunks)
    if check.good < 0:
        assert ended is ScreenFailed
        assert shown == (check.read[-1][-len(shown) :] if shown else "") or text.startswith(shown)
        assert shown != text or not text
    else:
        assert (shown, ended) == (text, None)
