"""Patterns that could take for ever are refused, the others are not."""

from __future__ import annotations

import pytest

from moderation.patterns import PatternError, compile_pattern


@pytest.mark.parametrize(
    "source",
    [
        r"(a+)+b",
        r"(?:a|a)*b",
        r"(a*){3,}b",
        r"((ab?)c)+d",
        r"x.*y",
        r".+y",
        r"x.{3,}y",
        r"(?:a{0,5}){0,9}b",
        r"(?:(?:a+))*b",
    ],
)
def test_a_pattern_that_may_backtrack_without_bound_is_refused(source):
    with pytest.raises(PatternError, match=r"without a limit|for ever"):
        compile_pattern(source)


@pytest.mark.parametrize(
    "source",
    [r"(?:a+)++b", r"a+b", r"\bhow\s+to\b.{0,60}x", r"(?:ab)+c", r"[.*]+x", r"\.+x", r"(?:a|b)?c", r"(?:\d{4} ){3}\d",
     r"(?>a+|b)*c",
     r"(?P<q>['-])a+(?P=q)", r"a\{2,\}b", r"(?:x(?!.{0,9}y)z)+a"],
)  # fmt: skip
def test_a_pattern_with_bounds_is_accepted(source):
    assert compile_pattern(source).pattern == source


@pytest.mark.parametrize("source", [r"(", r"[a", r"a{2,1}"])
def test_a_broken_pattern_is_refused_with_its_reason(source):
    with pytest.raises(PatternError, match="no regular expression"):
        compile_pattern(source)


def test_a_pattern_that_matches_nothing_at_all_is_refused():
    with pytest.raises(PatternError, match="every text"):
        compile_pattern("a?")


def test_a_russian_pattern_matches_the_copy_in_which_look_alikes_are_latin():
    from moderation.normalise import scoring_copy

    assert compile_pattern("Взрыв").search(scoring_copy("Большой ВЗРЫВ").text)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (r"Ab[C-E]\S", "abd!"),
        (r"Straße?", "strasse"),
        (r"(?P<Gap>X)(?P=Gap)", "xx"),
        (r"\x41b", "ab"),
        (r"(?i)AB", "ab"),
        (r"\bBomb\B", "bombs"),
        (r"[^]A\D]b", "7b"),
    ],
)
def test_capital_letters_in_a_pattern_match_the_copy_which_has_none(source, text):
    assert compile_pattern(source).search(text)
