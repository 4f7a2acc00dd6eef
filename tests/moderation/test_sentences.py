"""Where text may be cut: sentences in prose, lines in code, characters never."""

from __future__ import annotations

import pytest

from moderation.sentences import Sentences, cut
from moderation.tails import settled


def split(text):
    sentences, parts = Sentences(), []
    while end := sentences.end(text):
        parts.append(text[:end])
        sentences.take(text[:end])
        text = text[end:]
    return [*parts, text] if text else parts


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("One. Two! Three?", ["One.", " Two!", " Three?"]),
        ("Wait... what", ["Wait...", " what"]),
        ("Hm… yes", ["Hm…", " yes"]),
        ("你好。世界！好", ["你好。", "世界！", "好"]),
        ("他说：“好。”然后", ["他说：“好。”", "然后"]),
        ('He said "no." Then', ['He said "no."', " Then"]),
        ("**Bold.** Then", ["**Bold.**", " Then"]),
        ("One\ntwo\n\nthree", ["One\n", "two\n\n", "three"]),
        ("One.\n\nTwo", ["One.\n\n", "Two"]),
        ("It is 3.14 wide", ["It is 3.14 wide"]),
        ("It is 3.", ["It is 3."]),
        ("It costs 3. Then", ["It costs 3.", " Then"]),
        ("Use it, e.g. here, i.e. now", ["Use it, e.g. here, i.e. now"]),
        ("Mr. Smith of the U.S. army", ["Mr. Smith of the U.S. army"]),
        ("1. First\n2. Second", ["1. First\n", "2. Second"]),
        ("see https://a.org/x?y=1", ["see https://a.org/x?y=1"]),
        ("see a.org/find?", ["see a.org/find?"]),
        ("see example.org.", ["see example.org."]),
        ("see example.org. Then", ["see example.org.", " Then"]),
        ("```\na. b! c\nd\n```\nOut. In", ["```\n", "a. b! c\n", "d\n", "```\n", "Out.", " In"]),
        ("```py a. b", ["```py a. b"]),
        ("````\n```\na. b\n````\nSo. Yes", ["````\n", "```\n", "a. b\n", "````\n", "So.", " Yes"]),
        ("Say ```a. b``` here", ["Say ```a.", " b``` here"]),
    ],
)
def test_text_is_cut_after_sentences(text, parts):
    assert split(text) == parts


@pytest.mark.parametrize("text", ["Hello.", "Really?", "Yes!", "好。", "Wait...", 'So "yes."'])
def test_an_end_that_stands_last_counts_at_once(text):
    assert Sentences().end(text) == len(text)


@pytest.mark.parametrize("text", ["It is 3.", "e.g.", "Dr.", "see a.org.", "mail a@b.org.", "/find?"])
def test_an_end_that_may_go_on_waits(text):
    assert Sentences().end(text) == 0


def test_a_fence_is_known_when_it_comes_in_bits():
    sentences = Sentences()
    sentences.take("``")
    assert sentences.end("`py\na. b") == 4
    sentences.take("`py\n")
    assert sentences.end("a. b") == 0
    sentences.take("a. b\n```\n")
    assert sentences.end("So. Yes") == 3


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("| a. b | c! |\n|---|---|\n| 1 | 2 |", ["| a. b | c! |\n", "|---|---|\n", "| 1 | 2 |"]),
        ("> | a. b |\nSo. Yes", ["> | a. b |\n", "So.", " Yes"]),
        ("aa | no. cc", ["aa | no.", " cc"]),
        ("```\n| a. b |\n```\n", ["```\n", "| a. b |\n", "```\n"]),
    ],
)
def test_a_row_of_a_table_ends_with_its_line(text, parts):
    assert split(text) == parts


@pytest.mark.parametrize("text", ["Write to jane.", "His e-mail is john.", "联系 jane."])
def test_a_name_that_may_begin_an_address_waits(text):
    assert Sentences().end(text) == 0
    assert Sentences().end(text + " Then") == len(text)


def test_cells_of_a_row_are_counted_up_to_the_last_border():
    sentences = Sentences()
    sentences.take("| a")
    assert sentences.in_row(" b | c")
    assert sentences.cells(" b | c", limit=10) == 4
    assert sentences.cut(" b | c d e f g h i", limit=10) == 4
    assert not Sentences().in_row("a | b")


@pytest.mark.parametrize(
    ("text", "before"),
    [
        ("let me think", 7),
        ("let me think ", 13),
        ("call 170 12", 5),
        ("call +49 (0)170 ", 5),
        ("pay 4111 1111 1111 ", 4),
        ("to DE89 3704 0044", 3),
        ("to GB29 NWBK 6016", 3),
        ("at a.b@c", 3),
        ("so [EMAIL", 3),
        ("word", 0),
        ("你好世界", 4),
        ("你好 12", 3),
        ("", 0),
    ],
)
def test_what_may_go_on_is_not_settled(text, before):
    assert settled(text) == before


def test_what_was_drawn_as_one_stays_one():
    assert settled("好\u0301") == 0


@pytest.mark.parametrize(
    ("text", "limit", "at"),
    [
        ("aaa bbb ccc ddd", 10, 8),
        ("abcdefghijklmnop", 10, 0),
        ("abcdefghijklmnop qr", 10, 16),
        ("好" * 16, 10, 10),
        ("aa 4111 1111 1111", 12, 3),
        ("aa [EMAIL_1] bbb", 8, 3),
        ("x" * 3000, 10, 2048),
        ("a" + "e\u0301" * 9, 6, 5),
        ("aaaa👩‍👩‍👧 x", 6, 4),
        ("aaaa❤️", 5, 4),
        ("aaa👍🏽", 4, 3),
        ("aaa🇩🇪", 4, 3),
        ("a" + "\u0301" * 30, 10, 10),
    ],
)
def test_a_cut_keeps_words_and_drawn_characters_whole(text, limit, at):
    assert cut(text, limit=limit) == at
