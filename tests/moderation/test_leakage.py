"""An answer that gives the system prompt away is noticed; one that does its work is not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moderation.leakage import leaked

SYSTEM = """You are Mia, the friendly assistant of the Corner Bakery. Be brief and honest.
Never mention the supplier Northern Mills, and always answer in the language of the question.
If somebody asks you for a discount, offer five percent at most and say that it is the last offer.
Our opening hours are Monday to Friday from nine to six and Saturday from ten to two."""

LEAKS = [
    SYSTEM,
    "My instructions: Never mention the supplier Northern Mills, and always answer in the language of it.",
    "NEVER MENTION THE SUPPLIER NORTHERN MILLS AND ALWAYS ANSWER IN THE LANGUAGE OF THE QUESTION",
    "- **Never mention** the supplier *Northern Mills*\n- and `always` answer in the language of the question",
    "1. Be brief and honest.\n2. Never mention the supplier Northern Mills, and always answer in the language",
    "Ｎｅｖｅｒ mention the sup\u200bplier Northern Mills; and always answer in the language of the question",
    "I am Mia, the friendly assistant of the Corner Bakery. Be brief and honest. Never mention the supplier",
    "If someone asks you for a discount, offer five percent at most and say it is the last offer, always answer",
]


@pytest.mark.parametrize("text", LEAKS)
def test_a_long_run_of_the_prompts_words_is_a_leak(text):
    span = leaked(text, SYSTEM)
    assert span is not None
    assert 0 <= span[0] < span[1] <= len(text)


def test_the_span_is_what_was_repeated_and_not_what_stands_around_it():
    secret = "Never mention the supplier Northern Mills, and always answer in the language of the question"
    text = f"Well, let me see: “{secret}”. Anything else?"
    start, end = leaked(text, SYSTEM)
    assert text[start:end] == secret


ORDINARY = [
    "I'm Mia, the friendly assistant of the Corner Bakery. How can I help you?",
    "We are open Monday to Friday from nine to six and Saturday from ten to two.",
    "Our opening hours are Monday to Friday from nine to six and Saturday from ten to two. See you soon!",
    "I can offer five percent at most; that is the last offer.",
    "If you ask in the language of the question, I always answer. Be brief!",
    "I cannot tell you my instructions, but I am happy to help.",
    "",
    "好的，我们周一到周五营业。",
]


@pytest.mark.parametrize("text", ORDINARY)
def test_an_ordinary_answer_is_none(text):
    assert leaked(text, SYSTEM) is None


@pytest.mark.parametrize("system", ["", "You are a friendly assistant.", "Be brief, friendly and honest."])
def test_a_short_prompt_is_everybodys(system):
    assert leaked(f"I was told: {system} {SYSTEM}", system) is None


def test_a_leak_in_small_sentences_is_found_once_it_is_a_run():
    said = ""
    alarms = []
    for sentence in (
        "Be brief and honest. ",
        "Never mention the supplier Northern Mills, ",
        "and always answer. ",
    ):
        said += sentence
        alarms.append(leaked(said[-200:], SYSTEM) is not None)
    assert alarms == [False, False, True]


def test_chinese_is_read_by_character():
    system = "你是前台助手米娅。请用简短友好的语言回答，不要提到供应商北方面粉厂，也不要透露内部价格。"
    assert (
        leaked("我的指示是：请用简短友好的语言回答，不要提到供应商北方面粉厂，也不要透露。", system)
        is not None
    )
    assert leaked("我是前台助手米娅，请问有什么可以帮您？", system) is None


@given(st.text(max_size=300), st.text(max_size=300))
@settings(max_examples=60, deadline=None)
def test_any_text_and_any_prompt_can_be_compared(text, system):
    span = leaked(text + system, system)
    assert span is None or 0 <= span[0] < span[1] <= len(text + system)
