"""How wordings are drawn from patterns."""

import random

import pytest

from inference.training.patterns import PatternError, Patterns, parse


def test_a_choice_may_be_empty_and_leaves_no_double_space() -> None:
    patterns = Patterns({})
    drawn = {patterns.draw("how (do|can) (i |)start", random.Random(seed)) for seed in range(50)}
    assert drawn == {"how do start", "how can start", "how do i start", "how can i start"}


def test_words_come_from_the_list_from_fillers_and_from_the_caller() -> None:
    patterns = Patterns({"you": "(you|{odd})"}, {"odd": lambda rng: "blorf"})
    drawn = {patterns.draw("{you} and {name}", random.Random(seed), name="Ann") for seed in range(30)}
    assert drawn == {"you and Ann", "blorf and Ann"}


@pytest.mark.parametrize("pattern", ["how (do", "how do)", "(a|(b)", "a|b", "{open"])
def test_a_pattern_with_wrong_brackets_is_named(pattern: str) -> None:
    with pytest.raises(PatternError):
        parse(pattern)


def test_an_unknown_word_is_named() -> None:
    with pytest.raises(PatternError, match="slakc"):
        Patterns({}).draw("connect {slakc}", random.Random(1))
