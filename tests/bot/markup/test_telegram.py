"""What Telegram is given for an answer: text and entities that look as the Markdown meant it."""

from __future__ import annotations

import pytest

from bot.markup.telegram import (
    JOINER,
    LIMIT,
    Part,
    Rendered,
    cut,
    neutral,
    part,
    parts,
    reach,
    render,
    units,
)
from tests.bot.markup.telegram_texts import shown


def entities(rendered: Rendered) -> list[tuple[str, str]]:
    return [(entity["type"], shown(rendered, entity)) for entity in rendered.entities]


# -- words -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("markdown", "text", "expected"),
    [
        (
            "**b** *i* ~~s~~ `c`",
            "b i s c",
            [("bold", "b"), ("italic", "i"), ("strikethrough", "s"), ("code", "c")],
        ),
        ("***both***", "both", [("bold", "both"), ("italic", "both")]),
        ("**a `c` b**", "a c b", [("bold", "a "), ("code", "c"), ("bold", " b")]),
        ("**`c`**", "c", [("code", "c")]),
        ("[`c` d](https://a.example)", "c d", [("text_link", "c d")]),
        ("👍🏽 **b👩‍👩‍👧**", "👍🏽 b👩‍👩‍👧", [("bold", "b👩‍👩‍👧")]),
        ("1 \\* 2 &lt; 3 <b>x</b>", "1 * 2 < 3 <b>x</b>", []),
        ("one\ntwo\\\nthree", "one\ntwo\nthree", []),
        ("[a]: https://a.example\n\n[a]", "[a]: https://a.example\n\n[a]", []),
        ("**注意：**这里", "注意：这里", [("bold", "注意：")]),
        (
            "这是**“重点”**内容，**《书》**。",
            "这是“重点”内容，《书》。",
            [("bold", "“重点”"), ("bold", "《书》")],
        ),
        ("***강조(a)***는", "강조(a)는", [("bold", "강조(a)"), ("italic", "강조(a)")]),
        ("你好** 世界** 5 * 6 文本*文本 **a:**b", "你好** 世界** 5 * 6 文本*文本 **a:**b", []),
    ],
)
def test_what_is_marked_is_an_entity_and_code_stands_alone(
    markdown: str, text: str, expected: list[tuple[str, str]]
) -> None:
    rendered = render(markdown)
    assert rendered.text == text
    assert entities(rendered) == expected


@pytest.mark.parametrize(
    ("markdown", "text", "url"),
    [
        ("[x](https://a.example/b_(c))", "x", "https://a.example/b_(c)"),
        ("[x](tg://resolve?domain=a)", "x", "tg://resolve?domain=a"),
        ("![pic](https://a.example/i.png)", "pic", "https://a.example/i.png"),
        ("![](https://a.example/i.png)", "https://a.example/i.png", "https://a.example/i.png"),
        ("[![pic](https://b.example/i.png)](https://a.example)", "pic", "https://a.example"),
        ("[](https://a.example/%20)", "https://a.example/%20", "https://a.example/%20"),
        ("<https://a.example>", "https://a.example", "https://a.example"),
        ("https://a.example/@ann", f"https://a.example/@{JOINER}ann", "https://a.example/@ann"),
    ],
)
def test_a_link_goes_where_it_says(markdown: str, text: str, url: str) -> None:
    rendered = render(markdown)
    assert rendered.text == text
    assert [(entity["type"], entity["length"], entity["url"]) for entity in rendered.entities] == [
        ("text_link", units(text), url)
    ]


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        *(
            (words, words)
            for words in ("[x](javascript:alert)", "[x](/admin)", "[x](#top)", "[x](data:text/html,a)")
        ),
        *((words, words) for words in ("[x](tg://user?id=1)", "[x](tg:user?id=1)", "[x](TG://%75ser?id=1)")),
        *(
            (words, words)
            for words in ("[x](https:)", "README.md", "https://a.example/x*y*_z_", "ann@a.example")
        ),
        ("[Ann](mailto:ann@a.example)", "Ann (ann@a.example)"),
        ("<ann@a.example> [ann@a.example](mailto:ann@a.example)", "ann@a.example ann@a.example"),
    ],
)
def test_what_calls_somebody_or_leads_nowhere_is_words(markdown: str, text: str) -> None:
    assert render(markdown) == Rendered(text=text)


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("@ann", "@{}ann"),
        ("**@ann**, (@ann) /@ann", "@{0}ann, (@{0}ann) /@{0}ann"),
        ("&#64;ann \\@ann @**ann**", "@{0}ann @{0}ann @{0}ann"),
        ("ann@a.example a@b @ann@a.example", "ann@a.example a@b @{}ann@a.example"),
        ("`@ann` @`ann`", "@ann @{}ann"),
        ("@ @! 3 @ 4", "@ @! 3 @ 4"),
        ("/start@ann_bot", "/start@ann_bot"),
    ],
)
def test_a_mention_outside_of_code_notifies_nobody(markdown: str, text: str) -> None:
    assert render(markdown).text == text.format(JOINER)


def test_what_is_marked_in_a_mention_is_covered_without_the_sign_that_breaks_it() -> None:
    assert entities(render("@**ann**")) == [("bold", "ann")]


def test_code_that_is_one_too_many_calls_nobody_either() -> None:
    rendered = render("`@ann` " * 110)
    assert len(rendered.entities) == 100
    assert rendered.text.count(f"@{JOINER}") == 10


def test_of_too_many_entities_code_and_links_stay() -> None:
    rendered = render("**b** *i* " * 60 + "\n\n```py\nx\n```\n\n[x](https://a.example) `c`")
    assert len(rendered.entities) == 100
    assert [kind for kind, _ in entities(rendered)[-3:]] == ["pre", "text_link", "code"]


# -- blocks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("# A\n\nb\n## C\nd\n\nE\n===\n", "A\n\nb\n\nC\nd\n\nE"),
        ("Hello:\n- a\n- b\n  c\n\n  d\n\nend", "Hello:\n• a\n• b\n  c\n\n  d\n\nend"),
        ("* a\n  1. b\n     - c\n  2. d", "• a\n  1. b\n     • c\n  2. d"),
        ("1. a\n1. b\n1. c", "1. a\n2. b\n3. c"),
        ("7) a\n8) b", "7) a\n8) b"),
        ("- - a", "• • a"),
        ("-\n- b", "•\n• b"),
        ("- [ ] a\n- [x] b\n- [y] c\n\n1. [X] d", "☐ a\n☑ b\n• [y] c\n\n1. ☑ d"),
        ("a\n\n---\n\nb", f"a\n\n{'—' * 12}\n\nb"),
        ("- ```\n  x\n  ```\n  y", "•\nx\n  y"),
        ("a\r\n\r\nb\rc", "a\n\nb\nc"),
    ],
)
def test_blocks_keep_their_lines_and_their_depth(markdown: str, text: str) -> None:
    assert render(markdown).text == text


def test_a_heading_is_bold_once() -> None:
    assert entities(render("# A **b** `c`")) == [("bold", "A b "), ("code", "c")]


def test_a_fence_is_code_of_its_language_with_blanks_for_tabs() -> None:
    rendered = render('```c++ title="x"\nif (a):\n\tb @ann\n```\n\n    indented\n')
    assert rendered.text == "if (a):\n    b @ann\n\nindented"
    assert [entity.get("language") for entity in rendered.entities] == ["c++", None]
    assert entities(rendered) == [("pre", "if (a):\n    b @ann"), ("pre", "indented")]


def test_an_open_fence_is_code() -> None:
    assert entities(render("```py\nx = 1\n")) == [("pre", "x = 1")]


def test_a_quote_is_one_and_may_hold_code() -> None:
    rendered = render("> a\n> > b\n>\n> ```\n> c\n> ```\n\nd\n\n- > e")
    assert rendered.text == "a\nb\n\nc\n\nd\n\n•\ne"
    assert entities(rendered) == [("blockquote", "a\nb\n\nc"), ("pre", "c"), ("blockquote", "e")]


# -- tables ------------------------------------------------------------------------------------------------------------

WIDE = "| Name | What it is |\n|---|---|\n| **Ann** | {} |\n| | |\n| Bo | x |\n"


def test_a_narrow_table_is_aligned_by_what_the_eye_sees() -> None:
    rendered = render(
        "| Name | 数 | Sum |\n|:--|:-:|--:|\n| 你好 | a | `1` |\n| e\u0301 | **bcd** | 200 |\n| 👍🏽 |"
    )
    assert entities(rendered) == [("pre", rendered.text)]
    assert rendered.text.split("\n") == [
        "Name | 数  | Sum",
        "-----+-----+----",
        "你好 |  a  |   1",
        "e\u0301    | bcd | 200",
        "👍🏽",
    ]


def test_a_wide_table_is_told_row_by_row() -> None:
    long = "words " * 12 + "end"
    rendered = render(WIDE.format(long))
    assert rendered.text == f"Name: Ann\nWhat it is: {long}\n\nName:\nWhat it is:\n\nName: Bo\nWhat it is: x"
    assert entities(rendered)[0] == ("bold", "Name: Ann")


def test_a_table_with_links_keeps_them() -> None:
    rendered = render("| a | b |\n|---|---|\n| 1 | [x](https://a.example) |")
    assert ("text_link", "x") in entities(rendered)


def test_a_table_for_which_there_is_no_room_has_a_line_for_each_row() -> None:
    rendered = render(WIDE.format("words " * 12), 120)
    assert rendered.text.startswith("Name | What it is\nAnn | words words")
    assert rendered.text.endswith("\n\nBo | x") or rendered.text.endswith("\nBo | x")
    assert entities(rendered) == [("bold", "Name | What it is"), ("bold", "Ann")]


def test_the_first_tables_are_laid_out_when_not_all_can_be() -> None:
    table = "| a | b |\n|---|---|\n| " + "x" * 40 + " | 1 |\n" + "| 1 | 2 |\n" * 20 + "\n"
    rendered = render(table * 9)
    laid_out = [kind for kind, _ in entities(rendered) if kind in ("pre", "bold")]
    assert units(rendered.text) <= LIMIT
    assert laid_out == sorted(laid_out, reverse=True)
    assert set(laid_out) == {"pre", "bold"}


# -- lengths -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "😀" * 9_000,
        "@ab " * 3_000,
        "|a|b|\n|-|-|\n|1|2|\n\n" * 250,
        "|a|b|\n|-|-|\n" + f"|{'x' * 50}|y|\n" + "|1|2|\n" * 900,
        "***\n" * 1_200,
        "- a\nb\nc\n" * 600,
        "1. a\n" * 1_000,
        "- - - - - a\n1\n2\n3\n" * 250,
        ">\t\ta\n" * 900,
        "```" + "i" * 5_000 + "\n" + "x\n" * 2_000,
        "`" * 5_000 + "\n" + "x\n" * 2_000,
        f"| {'h' * 4_000} |\n|---|\n" + "| a |\n" * 900,
        "[](https://a.example/你) " * 500,
        "> " * 3_000 + "x",
        "字" * 9_000,
    ],
)
def test_no_part_is_longer_than_telegram_takes(text: str) -> None:
    found = parts(text)
    assert "".join(each.body for each in found).split() == text.split()
    for each in found:
        assert 0 < units(render(each.text).text) <= LIMIT
    start = 0
    while (end := cut(text, start)) is not None:
        assert units(render(part(text, start, end).text).text) <= LIMIT
        start = end
    assert len(text) - start <= LIMIT


def test_what_shows_nothing_is_shown_as_it_is_written() -> None:
    for text in ("[](", "```", "#", "&nbsp;", "> "):
        assert render(text).text == text


@pytest.mark.parametrize("sign", ["> ", "- "])
def test_what_is_nested_too_deep_is_shown_as_it_is_written(sign: str) -> None:
    text = f"words\n\n{sign * 120}deep"
    assert render(text) == Rendered(text=text)


def test_where_nothing_fits_the_shortest_form_is_given() -> None:
    table = "| a | b |\n|---|---|\n" + f"| {'x' * 40} | 1 |\n" + "| 1 | 2 |\n" * 20
    assert render(table, 10).text == render(table, 300).text
    assert units(render(table, 10).text) <= units(table)


def test_what_fits_is_one_part_as_it_was_written() -> None:
    text = "# Title\n\nWords and ```code```.\n\n| a |\n|---|\n| 1 |\n"
    assert parts(text) == [Part(0, len(text), "", text, "")]


@pytest.mark.parametrize("text", ["", "\n", "  \n\n \t"])
def test_nothing_to_show_is_no_part(text: str) -> None:
    assert parts(text) == []


def test_a_fence_and_a_tables_head_are_opened_again() -> None:
    found = parts("```py\n" + "x = 1\n" * 2_000 + "```\n")
    assert len(found) > 3
    assert all([entity["language"] for entity in render(each.text).entities] == ["py"] for each in found)
    found = parts("| head | b |\n|---|---|\n" + "| some words | 1 |\n" * 500)
    assert len(found) > 2
    assert all(render(each.text).text.startswith("head       | b\n") for each in found)


# -- growing texts -----------------------------------------------------------------------------------------------------


def test_what_is_half_written_is_held_back() -> None:
    text = "See [the docs](https://a.example/x) for **all of it**, `a` [b] and x * y"
    seen = {text[: reach(text[:length], 0)] for length in range(len(text) + 1)}
    for each in seen:
        assert each.count("**") % 2 == 0
        assert each.count("`") % 2 == 0
        assert "[the" not in each or "/x)" in each
    assert text in seen
    assert "See " in seen


def test_a_sign_that_is_never_closed_holds_back_little() -> None:
    for sign in ("[", "**", "`"):
        text = f"{sign}never closed " + "word " * 60
        assert reach(text, 0) == len(text)
        assert reach(f"{sign}a\nb", 0) == 4 + len(sign) - 1


def test_a_long_line_of_open_signs_is_looked_at_quickly() -> None:
    text = "[" * 3_000
    assert reach(text, 0) == len(text) - 200


def test_an_old_message_ends_at_the_next_block() -> None:
    text = "One.\n\nTwo\n"
    assert cut(text, 0) is None
    assert cut(text, 0, after=3) == text.index("Two")
    assert cut(text, 0, after=text.index("Two") + 1) is None


def test_neutral_takes_nothing_away() -> None:
    assert neutral("@ann, you@a.example") == f"@{JOINER}ann, you@a.example"
