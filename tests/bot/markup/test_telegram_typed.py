"""What a person wrote in Telegram, as a model reads it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.markup.telegram import from_telegram, render, units


def entity(text: str, kind: str, covered: str, **more: str) -> dict[str, Any]:
    return {"type": kind, "offset": units(text[: text.index(covered)]), "length": units(covered), **more}


@pytest.mark.parametrize(
    ("text", "marked", "read"),
    [
        ("👍 plain *text* [x] <b>", [], "👍 plain *text* [x] <b>"),
        ("👍🏽 bold now", [("bold", "bold")], "👍🏽 **bold** now"),
        ("bold  now", [("bold", "bold  ")], "**bold**  now"),
        ("a\n\nb c", [("bold", "a\n\nb")], "**a**\n\n**b** c"),
        ("both", [("bold", "both"), ("italic", "both")], "***both***"),
        ("a gone b", [("strikethrough", "gone")], "a ~~gone~~ b"),
        ("a b c", [("underline", "b"), ("spoiler", "b"), ("custom_emoji", "a")], "a b c"),
        ("run ls -l now", [("code", "ls -l")], "run `ls -l` now"),
        ("run `x` now", [("code", "`x`")], "run `` `x` `` now"),
        ("see:x = 1\nend", [("pre", "x = 1")], "see:\n```\nx = 1\n```\nend"),
        ("a\n```\nb", [("pre", "```\n")], "a\n````\n```\n````\nb"),
        ("one\ntwo\nthree", [("blockquote", "one\ntwo")], "> one\n> two\nthree"),
        ("say one now", [("expandable_blockquote", "one")], "say \n> one\n now"),
        ("in b code", [("blockquote", "in b code"), ("bold", "b"), ("code", "code")], "> in **b** `code`"),
        ("@ann #tag https://a.example /x", [("mention", "@ann"), ("url", "https://a.example")], None),
    ],
)
def test_entities_are_read_as_markdown(text: str, marked: list[tuple[str, str]], read: str | None) -> None:
    entities = [entity(text, kind, covered) for kind, covered in marked]
    assert from_telegram(text, entities) == (text if read is None else read)


def test_links_and_languages_are_kept() -> None:
    text = "our 你👍 site and x = 1"
    entities = [
        entity(text, "text_link", "你👍 site", url="https://a.example/"),
        entity(text, "pre", "x = 1", language="py"),
    ]
    assert from_telegram(text, entities) == "our [你👍 site](https://a.example/) and \n```py\nx = 1\n```"


def test_a_link_that_shows_its_address_is_the_address() -> None:
    text = "https://a.example/"
    assert from_telegram(text, [entity(text, "text_link", text, url=text)]) == text


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("@us_bot hello", "hello"),
        ("@us_bot, @us_bot: hello", "hello"),
        ("hello @us_bot", "hello"),
        ("👍 hello @us_bot there @us_bot!", "👍 hello there !"),
        ("hello\n@us_bot\nthere", "hello\n\nthere"),
        ("(@us_bot)", "()"),
        ("@us_bot", ""),
    ],
)
def test_what_calls_us_is_left_out(text: str, read: str) -> None:
    calls = [
        {"type": "mention", "offset": units(text[:at]), "length": 7}
        for at in range(len(text))
        if text.startswith("@us_bot", at)
    ]
    assert from_telegram(text, calls, without=calls) == read


def test_what_calls_us_is_left_out_of_what_is_marked_too() -> None:
    text = "@us_bot hello bold"
    call = entity(text, "mention", "@us_bot")
    marked = [entity(text, "bold", text), call]
    assert from_telegram(text, marked, without=[call]) == "**hello bold**"


def test_entities_that_lie_outside_do_no_harm() -> None:
    entities = [
        {"type": "bold", "offset": offset, "length": length}
        for offset in (-3, 0, 1, 99)
        for length in (-1, 0, 3, 99)
    ]
    assert from_telegram("👍ab", entities).replace("*", "") == "👍ab"
    assert from_telegram("ab", [{"type": "bold"}], without=[{"offset": 9, "length": 4}]) == "ab"


SIGNS = "ab 你👍\n`*@"
KINDS = st.sampled_from(
    ["bold", "italic", "strikethrough", "code", "pre", "blockquote", "text_link", "mention", "x"]
)


@settings(max_examples=100, deadline=None)
@given(
    st.text(SIGNS, max_size=30),
    st.lists(st.tuples(KINDS, st.integers(0, 40), st.integers(0, 15)), max_size=6),
)
def test_nothing_that_was_written_is_lost(text: str, marked: list[tuple[str, int, int]]) -> None:
    entities = [
        {"type": kind, "offset": offset, "length": length, "url": "https://u.example"}
        for kind, offset, length in marked
    ]
    left = iter(from_telegram(text, entities))
    assert all(sign in left for sign in text if not sign.isspace())


@pytest.mark.parametrize(
    "markdown",
    ["**b** and `c` [x](https://a.example)", "```py\nx = 1\n```", "> q\n> r\n\nend", "~~s~~ *i*"],
)
def test_what_we_write_is_read_as_it_was_written(markdown: str) -> None:
    rendered = render(markdown)
    assert from_telegram(rendered.text, rendered.entities) == markdown
