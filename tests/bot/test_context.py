"""What of a conversation reaches the model: the newest turns that fit, whole, and never without the system prompt."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.context import MessageTooLong, fit, merge, shared
from inference import random_model
from inference.chat import Chat, Turn

SYSTEM = "Be brief."


@pytest.fixture(scope="module")
def chat(tmp_path_factory):
    return Chat.load(random_model.make(tmp_path_factory.mktemp("context") / "model"))


def turns(*contents):
    return [Turn("user" if i % 2 == 0 else "assistant", text) for i, text in enumerate(contents)]


def read(chat, fitted):
    return chat.tokenizer.decode(list(fitted.prompt), skip_special_tokens=False)


def test_a_short_conversation_goes_whole(chat):
    fitted = fit(chat, system=SYSTEM, turns=turns("one", "two", "three"))
    assert fitted.prompt == chat.prompt([Turn("system", SYSTEM), *turns("one", "two", "three")])
    assert fitted.left_out == 0
    assert fitted.room == chat.context_length - len(fitted.prompt)


def test_oldest_turns_go_first_and_a_person_speaks_first_in_what_is_left(chat):
    fitted = fit(chat, system=SYSTEM, turns=turns("q" * 240, "z" * 180, "newer", "yes", "newest"))
    text = read(chat, fitted)
    assert "qq" not in text
    assert "newest" in text
    assert SYSTEM in text
    assert text.index("<|im_start|>user") < text.index("<|im_start|>assistant")


def test_room_for_an_answer_is_kept(chat):
    many = turns(*(f"turn number {i} with some words" for i in range(99)))
    assert fit(chat, system=SYSTEM, turns=many).room >= chat.context_length // 4


def test_the_system_prompt_counts(chat):
    bare = fit(chat, system="", turns=turns("a" * 200, "b" * 100, "c"))
    told = fit(chat, system="s" * 250, turns=turns("a" * 200, "b" * 100, "c"))
    assert bare.left_out < told.left_out


def test_one_message_that_is_too_long_alone_says_how_long_and_what_fits(chat):
    with pytest.raises(MessageTooLong) as caught:
        fit(chat, system=SYSTEM, turns=turns("x" * 2_000))
    assert caught.value.tokens == chat.count("x" * 2_000)
    assert 0 < caught.value.limit < chat.context_length
    fit(chat, system=SYSTEM, turns=turns("x" * caught.value.limit))
    with pytest.raises(MessageTooLong):
        fit(chat, system=SYSTEM, turns=turns("x" * (caught.value.limit + 1)))


def test_what_one_system_prompt_s_conversations_share_is_told(chat):
    first = fit(chat, system=SYSTEM, turns=turns("one", "two", "three"))
    second = fit(chat, system=SYSTEM, turns=turns("another"))
    assert first.prefix == second.prefix > 0
    assert first.prompt[: first.prefix] == second.prompt[: second.prefix]
    text = chat.tokenizer.decode(first.prompt[: first.prefix], skip_special_tokens=False)
    assert SYSTEM in text
    assert "one" not in text


def test_what_is_not_shared_after_all_is_not_called_so(chat):
    prompt = chat.prompt([Turn("system", "Quite another."), Turn("user", "one")])
    assert shared(chat, SYSTEM, prompt) == 0


def test_turns_of_one_speaker_in_a_row_become_one_and_a_model_never_begins():
    said = [Turn("assistant", "lost"), Turn("user", "a"), Turn("user", "b"), Turn("assistant", "c")]
    assert merge(said) == (Turn("user", "a\n\nb"), Turn("assistant", "c"))


@given(st.lists(st.text("ab ", max_size=120), min_size=1, max_size=12))
@settings(max_examples=60, deadline=None)
def test_whatever_was_said_the_prompt_fits_and_ends_with_the_question(chat, contents):
    said = turns(*contents)
    if said[-1].role != "user":
        said.append(Turn("user", "last"))
    try:
        fitted = fit(chat, system=SYSTEM, turns=said)
    except MessageTooLong:
        return
    assert len(fitted.prompt) + fitted.room == chat.context_length
    assert fitted.prompt[-len(chat.prompt([said[-1]])) + 1 :] == chat.prompt([said[-1]])[1:]
