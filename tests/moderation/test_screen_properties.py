"""Whatever is written and however it is cut: nothing lost, nothing twice, nothing before its verdict."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from moderation import Finding, Moderator, ScreenBlocked, screened
from tests.moderation.conftest import Told, each

BITS = [
    "Hello there. ", "It is 3.14, e.g. in maths", "U.S. and Dr. Smith", "https://example.org/a.b?q=1. ", "wait... ",
    "你好。世界！", "なに？", "```python\nx = a.b(1. )\n```\n", "~~~\n", "\n\n", " ", "1. First\n",
    "- a\n", "é", "e\u0301",
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
@settings(max_examples=300, deadline=None)
def test_released_text_and_drafts_are_exactly_what_came(chunks, max_chars, mode):
    pieces = asyncio.run(gather(chunks, Told(), mode=mode, max_chars=max_chars))
    assert "".join(piece.text for piece in pieces) == "".join(chunks)
    assert [draft.number for piece in pieces for draft in piece.drafts] == list(range(len(chunks)))
    if mode == "hold":
        assert all(len(piece.text) <= max_chars for piece in pieces)


@given(chunked())
@settings(max_examples=200, deadline=None)
def test_each_draft_appears_where_its_first_character_does(chunks):
    pieces = asyncio.run(gather(chunks, Told()))
    begins = [sum(map(len, chunks[:number])) for number in range(len(chunks))]
    shown = 0
    for piece in pieces:
        for draft in piece.drafts:
            if draft.text:
                assert shown <= begins[draft.number] < shown + len(piece.text)
        shown += len(piece.text)


@given(chunked(), chunked())
@settings(max_examples=200, deadline=None)
def test_no_character_of_a_blocked_word_is_shown_however_it_is_cut(before, after):
    told = Told({"f̶orbidden": Finding("told", "block")})
    chunks = [*before, " f̶or", "bid", "den", *after]

    async def read():
        shown = []
        try:
            async for piece in screened(each(chunks), Moderator([told], policy="p")):
                shown += [piece.text]
        except ScreenBlocked:
            return "".join(shown)
        raise AssertionError("the word passed")

    assert "f̶orbidden" not in asyncio.run(read())
