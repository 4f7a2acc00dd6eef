"""A TextStream's pieces are the whole decoding, cut before a stop string, and never show half a character."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.text import TextStream
from tests.inference import families

BYTE_LEVEL = families.qwen().backend_tokenizer
METASPACE = families.mistral().backend_tokenizer  # bytes fall back to <0x..> tokens
TOKENIZERS = pytest.mark.parametrize("tokenizer", [BYTE_LEVEL, METASPACE], ids=["byte-level", "metaspace"])

WORDS = [
    "Hello",
    " there",
    " ",
    "\n",
    "é",
    "你好",
    "👩‍👩‍👧",
    "🇩🇪",
    "e\u0301",
    "\ufffd",
    ".",
    "the end",
    "aab",
    "ab",
]
TEXTS = st.lists(st.sampled_from(WORDS) | st.text(max_size=5), max_size=12).map("".join)


def streamed(tokenizer, ids, stop=()):
    """The pieces, one for each id, and the last one of `finish`."""
    stream = TextStream(tokenizer, stop=stop)
    return [*(stream.feed(i) for i in ids), stream.finish()]


def cut(text, stop):
    """`text` up to the stop string that is completed first, as somebody would see it who reads letter by letter."""
    for end in range(len(text) + 1):
        found = [s for s in stop if text[:end].endswith(s)]
        if found:
            return text[: end - max(map(len, found))]
    return text


@TOKENIZERS
@given(text=TEXTS)
@settings(max_examples=300, deadline=None)
def test_the_pieces_together_are_the_whole_decoding(tokenizer, text):
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    assert "".join(streamed(tokenizer, ids)) == tokenizer.decode(ids)


@given(ids=st.lists(st.integers(0, BYTE_LEVEL.get_vocab_size() - 1), max_size=30))
@settings(max_examples=500, deadline=None)
def test_any_bytes_a_model_may_utter_come_out_as_they_decode(ids):
    assert "".join(streamed(BYTE_LEVEL, ids)) == BYTE_LEVEL.decode(ids)


@TOKENIZERS
@given(text=TEXTS.map(lambda text: text.replace("\ufffd", "")))
@settings(max_examples=300, deadline=None)
def test_no_piece_shows_half_a_character(tokenizer, text):
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    assert all("\ufffd" not in piece for piece in streamed(tokenizer, ids))


@TOKENIZERS
@given(data=st.data(), text=TEXTS)
@settings(max_examples=300, deadline=None)
def test_a_stop_string_ends_the_text_wherever_the_tokens_cut_it(tokenizer, data, text):
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    whole = tokenizer.decode(ids)
    inside = st.builds(
        lambda at, n: whole[at : at + n], st.integers(0, max(0, len(whole) - 1)), st.integers(1, 6)
    )
    stop = data.draw(st.lists(inside.filter(bool) if whole else st.just("x"), min_size=1, max_size=3))
    assert "".join(streamed(tokenizer, ids, stop)) == cut(whole, stop)


def test_a_possible_beginning_of_a_stop_string_waits_until_it_is_certain():
    ids = {letter: BYTE_LEVEL.token_to_id(letter) for letter in "abcd"}
    stream = TextStream(BYTE_LEVEL, stop=["abc"])
    assert [stream.feed(ids[letter]) for letter in "aababd"] == ["", "a", "", "ab", "", "abd"]
    assert [stream.feed(ids[letter]) for letter in "dabc"] == ["d", "", "", ""]
    assert stream.stopped
    assert stream.feed(ids["d"]) == ""
    assert stream.finish() == ""


def test_what_was_held_back_is_shown_when_the_answer_ends():
    ids = [BYTE_LEVEL.token_to_id(letter) for letter in "ab"]
    assert streamed(BYTE_LEVEL, ids, ["abc"]) == ["", "", "ab"]


def test_half_a_character_shows_only_at_the_end():
    half = BYTE_LEVEL.encode("你", add_special_tokens=False).ids[:-1]
    assert streamed(BYTE_LEVEL, half) == ["", "", "\ufffd"]


@pytest.mark.parametrize("tokenizer", [BYTE_LEVEL, METASPACE])
def test_bytes_that_are_no_characters_are_shown_as_they_come_and_lose_none_after_them(tokenizer):
    whole = tokenizer.encode("你", add_special_tokens=False).ids
    letter = tokenizer.token_to_id("a")
    ids = [letter, *whole[-3:-2] * 200, *whole, letter]
    parts = streamed(tokenizer, ids)
    assert "".join(parts) == tokenizer.decode(ids)
    assert max(map(len, parts)) < 20


@pytest.mark.parametrize("name", ["half", "special"])
def test_an_answer_that_never_makes_a_character_costs_no_more_at_its_end_than_at_its_beginning(name):
    seen = []

    class Counted:
        get_added_tokens_decoder = BYTE_LEVEL.get_added_tokens_decoder

        def decode(self, ids, **options):
            seen.append(len(ids))
            return BYTE_LEVEL.decode(ids, **options)

    token = {
        "half": BYTE_LEVEL.encode("你", add_special_tokens=False).ids[0],
        "special": BYTE_LEVEL.token_to_id("<|im_end|>"),
    }[name]
    stream = TextStream(Counted())
    for _ in range(1_000):
        stream.feed(token)
    assert max(seen, default=0) < 50


def test_special_tokens_leave_no_text():
    end = BYTE_LEVEL.token_to_id("<|im_end|>")
    letter = BYTE_LEVEL.token_to_id("a")
    assert streamed(BYTE_LEVEL, [end, letter, end, letter]) == ["", "a", "", "a", ""]


def test_a_stray_byte_costs_no_text_that_was_shown():
    ids = METASPACE.encode("é你", add_special_tokens=False).ids
    stray = METASPACE.token_to_id("<0x80>")
    letter = METASPACE.token_to_id("a")
    text = "".join(streamed(METASPACE, [*ids, stray, letter]))
    assert text.startswith("é你")
    assert text.endswith("a")


def test_an_empty_stop_string_is_refused():
    with pytest.raises(ValueError, match="empty"):
        TextStream(BYTE_LEVEL, stop=["a", ""])
