"""Masking and restoring: nothing is lost, whatever a text holds and wherever an answer is cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from moderation.pii import KINDS, Found, Restorer, Vault, find, mask

SNIPPETS = st.sampled_from(
    [
        *(
            "jo@example.com",
            "ann@example.org",
            "(415) 555-2671",
            "4242424242424242",
            "SSN 123-45-6789",
            "8.8.8.8",
        ),
        *("[EMAIL_1]", "[email_1]", "[EMAIL_2]", "[PHONE_1]", "[TEXT_1]", "[TEXT_2]", "[SECRET_1]", "[ID_1]"),
        *(
            "[",
            "]",
            "[[",
            "[EMAIL",
            "_1]",
            "[EMAIL_",
            "EMAIL_1",
            "[EMAIL_01]",
            "[EMAIL_1",
            "\\[EMAIL_1\\]",
            " ",
            "ß",
        ),
        *("[ſECRET_1]", "[EMAİL_1]", "[EMAIL_１]", "\n", "好"),
    ]
)
TEXTS = st.lists(SNIPPETS | st.text(max_size=4), max_size=10).map("".join)


def cut(text, cuts):
    places = sorted({0, len(text), *(at % (len(text) + 1) for at in cuts)})
    return [text[start:end] for start, end in pairwise(places)]


@given(texts=st.lists(TEXTS, min_size=1, max_size=4), ahead=st.booleans())
@settings(max_examples=100, deadline=None)
@example(texts=["jo@example.com", "[EMAIL_1] and [email_1]"], ahead=False)
@example(texts=["[jo@example.com]", "[TEXT_1]"], ahead=True)
def test_what_was_masked_is_restored_exactly(texts, ahead):
    vault = Vault(texts if ahead else ())
    for text in texts:
        masked = mask(text, find(text), vault)
        assert vault.restore(masked) == text
        assert not any(value in masked for value in ("jo@example.com ", "4242424242424242 "))


@st.composite
def spans(draw):
    text = draw(TEXTS)
    found = []
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, len(text)))
        if start < end:
            found.append(Found(draw(st.sampled_from(KINDS)), start, end))
    return text, found


@given(first=spans(), second=spans())
@settings(max_examples=100, deadline=None)
def test_any_spans_of_any_text_are_restored_exactly_even_if_they_overlap(first, second):
    vault = Vault()
    for text, found in (first, second, first):
        assert vault.restore(mask(text, found, vault)) == text


@given(given_text=TEXTS, answer=TEXTS, cuts=st.lists(st.integers(0, 400), max_size=40))
@settings(max_examples=120, deadline=None)
@example(given_text="jo@example.com", answer="write to [EMAIL_1]!", cuts=list(range(30)))
@example(given_text="jo@example.com", answer="[[EMAIL_1", cuts=list(range(30)))
def test_an_answer_in_pieces_is_restored_as_the_whole(given_text, answer, cuts):
    vault = Vault((answer,))
    text = mask(given_text, find(given_text), vault) + answer
    restorer = Restorer(vault)
    shown = ""
    longest = max(map(len, vault._values), default=1)
    for piece in cut(text, cuts):
        shown += restorer.feed(piece)
        assert len(restorer.held) < longest
        assert vault.restore(text).startswith(shown)
    assert shown + restorer.end() == vault.restore(text)
    assert restorer.held == ""


def test_one_value_has_one_placeholder_and_each_kind_its_own_numbers():
    vault = Vault()
    assert vault.placeholder("email", "jo@example.com") == "[EMAIL_1]"
    assert vault.placeholder("email", "ann@example.com") == "[EMAIL_2]"
    assert vault.placeholder("phone", "+1 415 555 2671") == "[PHONE_1]"
    assert vault.placeholder("email", "jo@example.com") == "[EMAIL_1]"
    assert len(vault) == 3


def test_the_same_history_gives_the_same_placeholders():
    history = ["I am jo@example.com", "and ann@example.org", "call (415) 555-2671"]
    first, second = Vault(history), Vault(history)
    assert [mask(t, find(t), first) for t in history] == [mask(t, find(t), second) for t in history]


@pytest.mark.parametrize("written", ["[EMAIL_1]", "[email_1]", "see [Email_1] there"])
def test_no_placeholder_is_one_that_somebody_wrote(written):
    vault = Vault((written,))
    assert vault.placeholder("email", "jo@example.com") == "[EMAIL_2]"
    assert vault.restore(written) == written


def test_what_looks_like_a_placeholder_in_use_stands_for_itself():
    vault = Vault()
    assert mask("jo@example.com", find("jo@example.com"), vault) == "[EMAIL_1]"
    masked = mask("what is [EMAIL_1]?", (), vault)
    assert masked == "what is [TEXT_1]?"
    assert vault.restore(masked) == "what is [EMAIL_1]?"
    assert vault.restore("[EMAIL_1]") == "jo@example.com"


def test_a_value_that_looks_like_a_placeholder_is_restored_once():
    vault = Vault()
    first = vault.placeholder("secret", "[SECRET_2]")
    second = vault.placeholder("secret", "[SECRET_1]")
    assert vault.restore(f"{first} {second}") == "[SECRET_2] [SECRET_1]"
    restorer = Restorer(vault)
    assert "".join(map(restorer.feed, f"{first} {second}")) + restorer.end() == "[SECRET_2] [SECRET_1]"


def test_a_model_may_write_a_placeholder_in_another_case_but_no_other_way():
    vault = Vault()
    vault.placeholder("email", "jo@example.com")
    assert vault.restore("[email_1] and [Email_1]") == "jo@example.com and jo@example.com"
    for other in ("EMAIL_1", "[EMAIL 1]", "[EMAIL_12]", "[EMAIL_1", "[EMAIL_2]", "[EMAİL_1]"):
        assert vault.restore(other) == other


def test_a_value_is_hidden_where_nothing_betrays_it_any_more():
    vault = Vault()
    asked = "my number is 4155552671"
    assert mask(asked, find(asked), vault) == "my number is [PHONE_1]"
    assert find("Noted: 4155552671.") == ()
    assert mask("Noted: 4155552671.", (), vault) == "Noted: [PHONE_1]."
    assert mask("Noted: 94155552671.", (), vault) == "Noted: 94155552671."


def test_a_short_value_is_not_hidden_wherever_its_letters_stand():
    vault = Vault()
    address = "ftp://me:a@example.com"
    assert mask(address, find(address), vault) == "ftp://me:[SECRET_1]@example.com"
    assert mask("a rose is a rose", (), vault) == "a rose is a rose"


def test_text_that_can_be_no_placeholder_is_shown_at_once():
    vault = Vault()
    vault.placeholder("email", "jo@example.com")
    restorer = Restorer(vault)
    assert restorer.feed("see [1] and [E") == "see [1] and "
    assert restorer.held == "[E"
    assert restorer.feed("xample]") == "[Example]"
    assert Restorer(Vault()).feed("[EMAIL_1") == "[EMAIL_1"
