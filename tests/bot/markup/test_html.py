"""What a browser is given for an answer: safe, and never changed once a block is finished."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.markup.html import blocks, count, plain, whole

# Fragments that open, close, continue and reinterpret blocks, so that random joins find the nasty corners.
FRAGMENTS = st.sampled_from(
    [
        *(
            "a",
            "b c",
            " ",
            "  ",
            "    ",
            "\n",
            "\n\n",
            "\r\n",
            "\r",
            "\t",
            "- ",
            "* ",
            "+ ",
            "1. ",
            "2) ",
            "> ",
        ),
        *("#", "# ", "## ", "---", "--", "-", "===", "=", "```", "```py\n", "~~~", "`", "**", "_", "~~", "|"),
        *("| a | b |\n", "|---|:-:|\n", "|-", "[x]: /u\n", "[x]", "[x](http://a.b)", "![i](http://a.b/c)"),
        *("<b>", "<!--", "-->", "<script>", "</p>", "\\", "&amp;", "http://a.b/", "a@b.cd", "\u2028", "\x00"),
        *("你好。", "\\\n", "  \n"),
    ]
)
MARKDOWN = st.lists(FRAGMENTS, max_size=30).map("".join) | st.text(max_size=80)


@settings(max_examples=400, deadline=None)
@example("- a\n---x\n\nb\n", 7)
@example("a\n| x |\n|---|\n\nb\n", 8)
@example("1. a\n\n   b\nc\n\nd\n", 9)
@given(MARKDOWN, st.integers(0, 200))
def test_finished_blocks_of_a_part_are_the_first_finished_blocks_of_the_whole(text: str, cut: int) -> None:
    part, full, over = blocks(text[:cut]), blocks(text), blocks(text, ended=True)
    assert full.finished[: len(part.finished)] == part.finished
    assert over.finished[: len(full.finished)] == full.finished


@settings(max_examples=200, deadline=None)
@given(MARKDOWN, st.integers(0, 40))
def test_blocks_from_an_index_on_are_the_tail_of_all_blocks(text: str, start: int) -> None:
    assert blocks(text, start=start).finished == blocks(text).finished[start:]
    assert count(text) == len(blocks(text).finished)


@settings(max_examples=400, deadline=None)
@given(MARKDOWN)
def test_nothing_but_known_tags_and_attributes_comes_out(text: str) -> None:
    for tag in re.findall(r"<[^>]*>", whole(text)):
        assert re.fullmatch(
            r"</?(p|br|strong|em|s|code|pre|ul|ol|li|blockquote|hr|h[3-6]|table|thead|tbody|tr|th|td|a)"
            r'( (href="(https?|mailto):[^"]*"|align="(left|right|center)"|start="\d+"'
            r'|target="_blank"|rel="noopener noreferrer nofollow"))*>',
            tag,
        ), tag


@settings(max_examples=200, deadline=None)
@given(MARKDOWN)
def test_the_open_part_holds_everything_that_is_not_finished(text: str) -> None:
    shown = blocks(text)
    rest = blocks(text, ended=True).finished[len(shown.finished) :]
    assert blocks(shown.open, ended=True).finished == rest


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("Hello **you**, ~~not~~ *me*", "<p>Hello <strong>you</strong>, <s>not</s> <em>me</em></p>"),
        ("one\ntwo", "<p>one<br>\ntwo</p>"),
        ("# Title", "<h3>Title</h3>"),
        ("<b onclick=x>hi</b>", "<p>&lt;b onclick=x&gt;hi&lt;/b&gt;</p>"),
        ("[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>"),
        ("[x](/admin)", "<p>[x](/admin)</p>"),
        ("see README.md", "<p>see README.md</p>"),
        ("[a]: http://x.y\n", "<p>[a]: "),
    ],
)
def test_markdown_becomes_plain_safe_html(markdown: str, expected: str) -> None:
    assert whole(markdown).startswith(expected)


def test_a_link_opens_apart_and_tells_nothing_of_us() -> None:
    assert whole("https://a.example/?a=1&b") == (
        '<p><a href="https://a.example/?a=1&amp;b" target="_blank" rel="noopener noreferrer nofollow">'
        "https://a.example/?a=1&amp;b</a></p>"
    )


def test_an_image_is_a_link_that_loads_nothing() -> None:
    assert "<img" not in whole("![secret](https://evil.example/?q=data)")
    assert 'href="https://evil.example/?q=data"' in whole("![secret](https://evil.example/?q=data)")
    assert whole("[![logo](https://a.example/i.png)](https://a.example)").count("<a ") == 1
    assert whole("![gone](data:image/png;base64,AAAA)").count("<") == 2  # the paragraph alone


def test_a_table_keeps_its_alignment_without_inline_styles() -> None:
    table = whole("| a | b |\n|---|--:|\n| 1 | 2 |")
    assert '<td align="right">2</td>' in table
    assert "style" not in table


def test_what_a_person_typed_is_shown_as_typed() -> None:
    assert plain("1 < 2 **no**\n<script>") == "<p>1 &lt; 2 **no**<br>&lt;script&gt;</p>"


def test_deep_nesting_is_answered_quickly_and_flatly() -> None:
    assert whole("> " * 5_000 + "x")
    assert whole("[" * 5_000)
    assert whole("*a " * 5_000)
