"""What a screen reader hears of an answer: whole sentences, each once."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.markup.speech import spoken, spoken_until

TEXT = st.text(st.sampled_from("ab .!?。”*\n1"), max_size=60)


@settings(deadline=None)
@given(TEXT, st.integers(0, 60))
def test_what_counts_as_spoken_never_shrinks(text: str, cut: int) -> None:
    assert spoken_until(text[:cut]) <= spoken_until(text)


@settings(deadline=None)
@given(TEXT, st.lists(st.integers(0, 60), max_size=5))
def test_every_letter_is_spoken_once_however_the_text_is_cut(text: str, cuts: list[int]) -> None:
    ends = [*sorted(cuts), len(text)]
    said, before = "", ""
    for number, end in enumerate(ends):
        after = text[:end]
        said += spoken(before, after, ended=number == len(ends) - 1)
        before = after
    letters = [char for char in said if char in "ab"]
    assert letters == [char for char in text if char in "ab"]


def test_only_whole_sentences_are_spoken() -> None:
    assert spoken("", "Hello there. How are") == "Hello there."
    assert spoken("Hello there. How are", "Hello there. How are you? I") == "How are you?"
    assert spoken("Pi is 3.", "Pi is 3.14 or") == ""
    assert spoken("", "你好。请问") == "你好。"


def test_the_signs_of_markdown_are_not_spoken() -> None:
    assert spoken("", "**Yes.** See [the page](http://a.b) and `code`.\n") == "Yes. See the page and code."


def test_the_end_of_an_answer_speaks_what_is_left() -> None:
    assert spoken("One. Two", "One. Two three", ended=True) == "Two three"
