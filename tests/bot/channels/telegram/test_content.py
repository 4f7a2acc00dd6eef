"""What stands in one message: the model's words, the house's sentences, in one text with entities that fit it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.channels.telegram.content import Content
from bot.channels.telegram.rich import suits
from bot.markup.telegram import LIMIT, parts, units


def shown(text: str, entity: dict[str, Any]) -> str:
    """What an entity marks."""
    code = text.encode("utf-16-le")
    return code[2 * entity["offset"] : 2 * (entity["offset"] + entity["length"])].decode("utf-16-le")


def test_sentences_stand_below_in_italics() -> None:
    message = Content.of("**Sure** 😀\n", sentences=("Stopped.", "Ask again.")).message
    assert message.text == "Sure 😀\n\nStopped.\n\nAsk again."
    assert [(each["type"], shown(message.text, each)) for each in message.entities] == [
        ("bold", "Sure"),
        ("italic", "Stopped."),
        ("italic", "Ask again."),
    ]


def test_alone_they_are_plain() -> None:
    message = Content.of(" \n", sentences=("I can't help with *that*.",)).message
    assert (message.text, message.entities) == ("I can't help with *that*.", ())


def test_a_sentence_calls_nobody() -> None:
    assert "@somebody" not in Content.of("", sentences=("Ask @somebody.",)).message.text


@pytest.mark.parametrize("markdown", ["", "  ", "\n\n"])
def test_what_shows_nothing_is_empty(markdown: str) -> None:
    assert Content.of(markdown).empty
    assert Content.of(markdown, sentences=("", " ")).empty
    assert not Content.of(markdown, sentences=("Stopped.",)).empty


def test_what_does_not_fit_one_message_says_so() -> None:
    assert Content.of("x" * 3_000, sentences=("y" * 900,)).fits
    assert not Content.of("x" * 3_500, sentences=("y" * 900,)).fits


@given(st.text(alphabet="a😀 *_`\n@|-#1.", max_size=300), st.lists(st.text(max_size=40), max_size=3))
def test_every_entity_lies_within_the_text(markdown: str, sentences: list[str]) -> None:
    for part in parts(markdown):
        message = Content.of(part.text, sentences=tuple(sentences)).message
        assert units(message.text) <= LIMIT
        for entity in message.entities:
            assert entity["length"] > 0
            assert entity["offset"] + entity["length"] <= units(message.text)


@pytest.mark.parametrize(
    ("markdown", "rich"),
    [
        ("| a | b |\n|---|---|\n| 1 | 2 |", True),
        ("Before\n\na | b\n--- | ---\n1 | 2", True),
        ("It is $$x^2$$", True),
        (r"It is \(x\)", True),
        ("It costs $5 or $6.", False),
        ("ls | wc\n-- no table", False),
        ("| a | b |\n|---|---|\n| ![x](https://spy.example/) | 2 |", False),
        ("| a | b |\n|---|---|\n| <img src=x> | 2 |", False),
        ("| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * 4_000, False),
    ],
)
def test_tables_and_formulas_suit_a_rich_message_unless_they_fetch_something(
    markdown: str, rich: bool
) -> None:
    assert suits(markdown) is rich
