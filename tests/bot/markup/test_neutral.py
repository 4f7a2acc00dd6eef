"""What a model writes to reach beyond its answer, as a browser is given it: words, and links that do nothing alone."""

from __future__ import annotations

import pytest

from bot.markup.html import whole


@pytest.mark.parametrize(
    "mention",
    [
        "@everyone",
        "@here",
        "@channel",
        "<@U012AB3CD>",
        "<!channel>",
        "<#C012|general>",
        "[x](tg://user?id=1)",
    ],
)
def test_a_mention_calls_nobody(mention: str) -> None:
    shown = whole(f"hello {mention}!")
    assert shown.startswith("<p>hello ")
    assert shown.count("<") == 2  # the paragraph alone


@pytest.mark.parametrize(
    "link",
    [
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](java\tscript:alert(1))",
        "[x](&#106;avascript:alert(1))",
        "[x](\\x01javascript:alert(1))",
        "<javascript:alert(1)>",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "[x](vbscript:x)",
        "[x](file:///etc/passwd)",
        "[x](//evil.example)",
        "![x](javascript:alert(1))",
    ],
)
def test_a_link_that_would_run_or_read_something_is_no_link(link: str) -> None:
    assert "href" not in whole(link)


@pytest.mark.parametrize(
    "link", ["https://a.example", "<https://a.example>", "[x](https://a.example)", "![x](https://a.example)"]
)
def test_a_link_opens_apart_loads_nothing_and_tells_nothing_of_us(link: str) -> None:
    shown = whole(link)
    assert 'target="_blank" rel="noopener noreferrer nofollow"' in shown
    assert not any(tag in shown for tag in ("<img", "<iframe", "<link", "src="))
