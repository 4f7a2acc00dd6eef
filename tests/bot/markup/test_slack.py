"""What Slack is given for an answer: all of it, in messages that are valid each by itself and call nobody."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bot.markup.slack import (
    LIMIT,
    Part,
    between,
    cut,
    from_slack,
    mrkdwn_escaped,
    neutral,
    part,
    parts,
    reach,
)

JOINER = "\u2060"
SENTINEL = "sentinel"
READER = (
    MarkdownIt("commonmark", {"html": False, "maxNesting": 100})
    .enable("table")
    .disable(["reference", "html_block", "inline", "text_join"])
)

# -- texts ---------------------------------------------------------------------------------------------------------

WORDS = st.sampled_from(
    [
        *(
            "word",
            "longer-words",
            "a",
            "1.",
            "2)",
            "-",
            "+",
            "#",
            "42",
            "=",
            "|",
            "**bold**",
            "`co de`",
            "👩‍👩‍👧",
        ),
        *(
            "🇩🇪",
            "é",
            "你好。",
            "世界",
            "[a link](https://a.example/x)",
            "https://a.example/very/long",
            "<b>",
            "</div>",
        ),
        *(
            "<!channel>",
            "<@U012AB3CD>",
            "<!subteam^S12|@devs>",
            "@here",
            "<#C01|general>",
            "you@here.example",
        ),
    ]
)
LINE = st.lists(WORDS, min_size=1, max_size=12).map(" ".join)
LONG_LINE = st.builds(lambda line, times: " ".join([line] * times), LINE, st.integers(1, 30))
UNBROKEN = st.builds(
    lambda sign, times: sign * times, st.sampled_from(["x", "字", "👍🏽"]), st.integers(1, 400)
)
PARAGRAPH = st.lists(LINE.map(lambda line: "p " + line), min_size=1, max_size=4).map("\n".join)
HEADING = st.builds("{} {}".format, st.sampled_from(["#", "##", "###"]), st.just("Heading"))
SIGN = st.builds(lambda sign, times: sign * times, st.sampled_from("`~"), st.integers(3, 6))
CODE = st.lists(
    st.sampled_from(["x = 1", "    deep", "", "- no item", "| no | table |", "# no heading", "``", "~~"])
)


@st.composite
def fences(draw: st.DrawFn) -> str:
    sign = draw(SIGN)
    shorter = "```" if sign[0] == "~" or len(sign) > 3 else "~~~"
    lines = [*draw(CODE), *([shorter] if draw(st.booleans()) else []), *draw(CODE)] * draw(st.integers(1, 4))
    return "\n".join([sign + draw(st.sampled_from(["", "py", " js x=1"])), *lines, "end", sign])


@st.composite
def tables(draw: st.DrawFn) -> str:
    row = st.builds(
        "| {} | {} |".format, st.sampled_from(["a", "b <@U1>", "日本"]), st.sampled_from(["1", "`c`"])
    )
    return "\n".join(["| head | <!here> |", "|---|:-:|", *draw(st.lists(row, max_size=20))])


def indented(block: str, first: str) -> str:
    return first + block.replace("\n", "\n" + " " * len(first))


@st.composite
def items(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    sign = draw(st.sampled_from(["- ", "* ", "1. ", "10. "]))
    contents = draw(
        st.lists(st.lists(inner, min_size=1, max_size=3).map("\n\n".join), min_size=1, max_size=4)
    )
    return draw(st.sampled_from(["\n", "\n\n"])).join(indented(each, sign) for each in contents)


def quoted(block: str) -> str:
    return "> " + block.replace("\n", "\n> ")


LEAF = st.one_of(PARAGRAPH, PARAGRAPH, fences(), tables(), LONG_LINE.map(lambda line: "p " + line), UNBROKEN)
BLOCK = st.recursive(
    LEAF, lambda inner: items(inner) | st.lists(inner, max_size=2).map("\n\n".join).map(quoted), max_leaves=8
)
DOCUMENT = st.lists(st.one_of(BLOCK, BLOCK, HEADING, st.just("---"), st.just("<div>\n\nhtml\n\n</div>"))).map(
    "\n\n".join
)

SOUP = st.lists(
    st.sampled_from(
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
            *(
                "#",
                "# ",
                "---",
                "===",
                "```",
                "```py\n",
                "~~~",
                "~~~~",
                "`",
                "``",
                "**",
                "_",
                "|",
                "| a | b |\n",
            ),
            *(
                "|---|:-:|\n",
                "|-",
                "[x]: /u\n",
                "<b>",
                "<!--",
                "-->",
                "\\",
                "&amp;",
                "@b",
                "\u2028",
                "\x00",
                "你好。",
            ),
            *(
                "<!channel>",
                "<",
                "!",
                "here>",
                "@",
                "channel",
                "](",
                "&lt;",
                "&#33;",
                "<@U1>",
                "word " * 30,
                "x" * 150,
                "```" * 9,
                "- " * 4,
            ),
        ]
    ),
    max_size=40,
).map("".join)
TEXT = DOCUMENT | SOUP
LIMITS = st.sampled_from([120, 200, 400, 1_000])


# -- readers -------------------------------------------------------------------------------------------------------


def is_closed(text: str) -> bool:
    """A paragraph that follows is a paragraph, not code."""
    last = [token for token in READER.parse(f"{text}\n\n{SENTINEL}\n") if token.content][-1]
    return last.type == "inline" and last.content == SENTINEL and last.level == 1


def leaves(text: str) -> Iterator[str]:
    for token in READER.parse(text):
        if token.type in ("inline", "fence", "code_block"):
            yield token.content


def words(text: str) -> str:
    return "".join("".join(leaves(text)).split()).replace(JOINER, "")


def shown_words(found: Iterable[Part]) -> str:
    """The words of all messages, repeated heads of tables taken away."""
    said = []
    for each in found:
        head = words(each.opening) if "|" in each.opening and "`" not in each.opening else ""
        assert words(each.text).startswith(head)
        said.append(words(each.text)[len(head) :])
    return "".join(said)


def assert_whole(text: str, found: list[Part]) -> None:
    """Every part is source but for joiners, and none is missing but blank ones."""
    at = 0
    for each in found:
        assert not text[at : each.start].strip()
        assert each.text == each.opening + each.body + each.closing
        assert each.body.replace(JOINER, "") == text[each.start : each.end]
        assert not each.closing.strip("\n >`~")
        assert all(
            line.strip("\n >-*+.)0123456789") in text
            for line in each.opening.replace(JOINER, "").splitlines()
        )
        at = each.end
    assert not text[at:].strip()


# -- whole texts ---------------------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(TEXT, LIMITS)
def test_all_of_a_text_comes_in_parts_within_the_limit_that_are_closed_and_call_nobody(
    text: str, limit: int
) -> None:
    found = parts(text, limit)
    assert_whole(text, found)
    for each in found:
        assert len(each.text) <= limit
        assert is_closed(each.text), each.text
        assert neutral(each.text) == each.text


@settings(max_examples=60, deadline=None)
@given(DOCUMENT, LIMITS)
def test_what_a_reader_of_all_parts_reads_is_what_a_reader_of_the_whole_reads(text: str, limit: int) -> None:
    assert shown_words(parts(text, limit)) == words(text)


@settings(max_examples=50, deadline=None)
@given(TEXT, LIMITS, st.floats(0, 1))
def test_the_rest_of_a_text_comes_in_parts_too(text: str, limit: int, share: float) -> None:
    start = int(len(text) * share)
    found = parts(text, limit, start=start)
    assert "".join(each.body for each in found).replace(JOINER, "").split() == text[start:].split()
    assert all(len(each.text) <= limit and is_closed(each.text) for each in found)


@settings(max_examples=50, deadline=None)
@given(TEXT, st.floats(0, 1), st.floats(0, 1))
def test_a_part_with_any_borders_is_closed(text: str, one: float, other: float) -> None:
    start, end = sorted((int(len(text) * one), int(len(text) * other)))
    only = part(text, start, end)
    assert only.body.replace(JOINER, "") == text[start:end]
    assert is_closed(only.text)
    assert neutral(only.text) == only.text


def test_what_fits_is_one_part_as_it_was_written() -> None:
    text = "# Title\n\nWords and ```code```.\n\n| a |\n|---|\n| 1 |\n"
    assert parts(text) == [Part(0, len(text), "", text, "")]


@pytest.mark.parametrize("text", ["", "\n", "  \n\n \t"])
def test_nothing_to_show_is_no_part(text: str) -> None:
    assert parts(text) == []


def test_a_text_is_cut_between_blocks_and_a_heading_stays_with_what_it_stands_over() -> None:
    text = "".join(f"## Part {n}\n\n{'Some words. ' * 30}\n\n" for n in range(20))
    assert all(each.text.startswith("## Part ") for each in parts(text, 1_000))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 900), st.integers(1, 15))
def test_a_table_that_fits_stays_whole(before: int, rows: int) -> None:
    table = "| a | b |\n|---|---|\n" + "| some words | 1 |\n" * rows
    text = "word " * (before // 5) + f"\n\n{table}\nAfter."
    assert sum(table in each.text for each in parts(text, 400)) == 1


def test_a_table_that_does_not_fit_has_its_head_in_every_part() -> None:
    head = "| a | b |\n|---|:-:|\n"
    found = parts(head + "| some words | 1 |\n" * 60, 400)
    assert len(found) > 3
    assert all(each.text.startswith(head + "| some words | 1 |\n") for each in found)


@pytest.mark.parametrize(
    ("opens", "before", "closes"),
    [
        ("```py title=x\n", "", "```"),
        ("~~~~\n", "", "~~~~"),
        ("> ```py\n", "> ", "> ```"),
        ("   ~~~\n", "   ", "   ~~~"),
        ("- `````\n", "  ", "  `````"),
        ("10. - > ```js\n", "      > ", "      > ```"),
    ],
)
def test_a_fence_is_closed_and_opened_again_where_it_stands(opens: str, before: str, closes: str) -> None:
    lines = "".join(f"{before}line {n} # ~~ ``\n" for n in range(60))
    found = parts(f"{opens}{lines}{closes}\n", 300)
    assert len(found) > 3
    for each in found:
        (fence,) = [token for token in READER.parse(each.text) if token.type == "fence"]
        assert fence.content.startswith("line ")
        assert fence.info == opens.strip().lstrip("10.-> ").lstrip("`~").strip()
        assert each.text.rstrip("\n").endswith(fence.markup)


def test_a_long_line_is_broken_after_a_sentence_and_not_within_a_link() -> None:
    link = "[a link of several words](https://a.example)"
    assert parts("Short ones. " * 20, 125)[0].text == "Short ones. " * 9
    assert all(each.text.count("[") == each.text.count(")") for each in parts(f"see {link} " * 40, 300))


def test_what_only_looks_like_a_block_after_a_cut_stays_words() -> None:
    text = "x" * 99 + " - " + "y" * 60 + "\n" + "2. " * 50
    assert [
        token.type for each in parts(text, 120) for token in READER.parse(each.text) if token.level == 0
    ] == [
        "paragraph_open",
        "paragraph_close",
    ] * len(parts(text, 120))


def test_signs_that_are_one_to_the_eye_stay_together() -> None:
    family, flag = "👩\u200d👩\u200d👧", "e\u0301"
    for sign in (family, flag, "👍🏽"):
        assert all(len(each.text) % len(sign) == 0 for each in parts(sign * 300, 203))


def test_time_grows_with_length_alone() -> None:
    def seconds(times: int) -> float:
        text = "".join(["Words. " * 40, "\n\n- a\n  - b\n\n```py\n", "x = 1\n" * 50, "```\n\n"] * times)
        begun = time.process_time()
        parts(text, 2_000)
        return time.process_time() - begun

    seconds(10)
    assert seconds(400) < 25 * seconds(40)  # a quadratic one takes a hundred times as long


# -- growing texts -------------------------------------------------------------------------------------------------


class Stream:
    """Messages as a channel appends to them while a text grows; nothing is ever taken back."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.closed: list[Part] = []
        self.start = self.shown = 0
        self.said = ""

    def grow(self, text: str, *, ended: bool = False) -> None:
        while (end := cut(text, self.start, self.limit, ended=ended)) is not None:
            assert end >= self.shown
            self._show(text, end)
            self._close(text)
        self._show(text, len(text) if ended else max(self.shown, reach(text, self.start, self.limit)))
        if ended:
            self._close(text)

    def _show(self, text: str, end: int) -> None:
        self.said += between(text, self.shown, end, begins=self.shown == self.start)
        self.shown = end

    def _close(self, text: str) -> None:
        whole = part(text, self.start, self.shown)
        assert self.said == whole.body
        self.closed.append(whole)
        self.start, self.said = self.shown, ""


@settings(max_examples=25, deadline=None)
@example("10. " + "x" * 63 + "\n\n    | head | b |\n    |---|:-:|\n    | a | 1 |\n    | a | 1 |", 120, 10)
@given(TEXT, LIMITS, st.integers(10, 120))
def test_a_growing_text_is_shown_in_parts_that_never_change(text: str, limit: int, pace: int) -> None:
    stream = Stream(limit)
    for length in range(0, len(text), pace):
        stream.grow(text[:length])
    stream.grow(text, ended=True)
    assert "".join(each.body for each in stream.closed).replace(JOINER, "") == text
    for each in stream.closed:
        assert len(each.opening) > limit // 2 or len(each.text) <= limit + len(each.closing)
        assert is_closed(each.text)
        assert neutral(each.text) == each.text


@settings(max_examples=50, deadline=None)
@given(TEXT, LIMITS, st.data())
def test_a_cut_is_the_same_however_much_follows(text: str, limit: int, data: st.DataObject) -> None:
    early, late = sorted((data.draw(st.integers(0, len(text))), data.draw(st.integers(0, len(text)))))
    end = cut(text[:early], 0, limit)
    later = cut(text[:late], 0, limit)
    assert end in (None, later)
    assert later is None or reach(text[:early], 0, limit) <= later


def test_what_may_become_a_mention_is_held_back() -> None:
    for mention in ("<!channel>", "<!subteam^S12|@x>", "<@U012AB>", "@everyone", "<#C01|x>"):
        shown = 0
        said = ""
        text = f"you@here.example and {mention} end"
        for length in range(len(text) + 1):
            end = max(shown, reach(text[:length], 0))
            said += between(text[:length], shown, end)
            assert length - end < 16
            shown = end
        assert said + between(text, shown, len(text)) == neutral(text)


@pytest.mark.parametrize("mention", ["@channel", "@here", "@everyone", "@here.example"])
def test_a_mention_at_a_messages_beginning_is_none_whatever_the_message_before_ended_with(
    mention: str,
) -> None:
    text = f"{'a' * 200}{mention} {'b' * 200}"
    begin = text.index("@")
    assert part(text, begin, len(text)).text.startswith(f"@{JOINER}")
    assert between(text, begin, len(text), begins=True) == part(text, begin, len(text)).body
    for limit in range(100, 300):
        for each in parts(text, limit):
            assert neutral(each.text) == each.text
            assert len(each.text) <= limit


def test_an_old_message_ends_at_the_next_block() -> None:
    text = "One.\n\nTwo\n"
    assert cut(text, 0) is None
    assert cut(text, 0, after=3) == text.index("Two")
    assert cut(text, 0, after=text.index("Two") + 1) is None


# -- words ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(
            (sign, f"{sign[0]}{JOINER}{sign[1:]}")
            for sign in ("<!channel>", "<!here|x>", "<!subteam^S1>", "<@U1A>")
        ),
        *(
            (sign, f"{sign[0]}{JOINER}{sign[1:]}")
            for sign in ("<@W1A|x>", "<#C1A|x>", "@channel", "@Here!", "@everyone")
        ),
        *(
            (sign, f"{sign[0]}{JOINER}{sign[1:]}")
            for sign in ("<\\!here>", "<!\\here>", "@here/@channel"[:6])
        ),
        *(
            (f"{before}{sign}", f"{before}{JOINER}{sign}")
            for before, sign in (
                *(("[x](", sign) for sign in ("!channel)", "@U123)", "!subteam^S1)", "#C012)", " !here)")),
                *(("&lt;", sign) for sign in ("!channel&gt;", "@U123&gt;", "#C012&gt;")),
                *(("<", sign) for sign in ("&#33;channel>", "&commat;U123>", "!&#99;hannel>")),
                *(("&#64;", "here"), ("&commat;", "channel")),
            )
        ),
        *(
            (sign, sign)
            for sign in ("<b>", "<!-- x -->", "List<@NotNull String>", "a@here.example", "@hereafter")
        ),
        *(
            (sign, sign)
            for sign in ("1 < 2", "@somebody", "npm i @here/maps", "<https://a.example|x>", "#general")
        ),
        *(
            (sign, sign)
            for sign in ("[x](#contents)", "[x](https://a.example)", "a &lt; b; c &amp; d", "for (;;) {x;}")
        ),
    ],
)
def test_a_mention_becomes_words_and_words_stay(text: str, expected: str) -> None:
    assert neutral(text) == expected
    assert neutral(expected) == expected


def test_a_plain_sentence_is_escaped_for_mrkdwn() -> None:
    assert mrkdwn_escaped("<!here> & 1 > 0") == "&lt;!here&gt; &amp; 1 &gt; 0"


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("<@UBOT> hello", "hello"),
        (" <@UBOT|bot>: <@UBOT>, hello", "hello"),
        ("hello <@UBOT>", "hello @Frontdesk"),
        ("ask <@U1> or <@U2|bo> or <@U3>", "ask @Ann or @bo or @U3"),
        ("in <#C1|general>, <#C2>, <#C3|>", "in #general, #random, #C3"),
        ("<!here> <!channel|@channel> <!subteam^S1|@devs> <!subteam^S2>", "@here @channel @devs @Ops"),
        ("<!date^1392734382^{date}|18 Feb>", "18 Feb"),
        ("<https://a.example/x?a=1&amp;b=2>", "https://a.example/x?a=1&b=2"),
        ("<https://a.example|our site>", "[our site](https://a.example)"),
        ("<http://a.example|a.example>", "http://a.example"),
        ("<mailto:ann@a.example|ann@a.example>", "ann@a.example"),
        ("1 &lt; 2 &amp;&amp; &amp;lt; &gt; *bold*", "1 < 2 && &lt; > *bold*"),
        ("```a &lt; b```", "```a < b```"),
    ],
)
def test_what_a_person_typed_is_read_as_plain_markdown(typed: str, read: str) -> None:
    names = {"U1": "Ann", "UBOT": "Frontdesk", "C2": "random", "S2": "Ops"}
    assert from_slack(typed, names, bot="UBOT") == read


def test_the_limit_leaves_room_for_all_of_slacks_own() -> None:
    assert LIMIT + 1_000 <= 12_000
