"""What a chat completion request may say: limits as OpenAI's, neutral values taken, everything else refused by name."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.gateway.errors import BadRequest
from bot.gateway.requests import parse
from bot.gateway.unsupported import NEUTRAL
from inference.chat import Turn

USER = {"role": "user", "content": "Hello"}


def body(**options: Any) -> dict[str, Any]:
    return {"model": "tiny", "messages": [USER], **options}


def refused(given: dict[str, Any]) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        parse(given)
    assert caught.value.status == 400
    return caught.value


def test_a_plain_request_has_openais_defaults_and_a_top_k() -> None:
    asked = parse(body())
    assert (asked.temperature, asked.top_p, asked.top_k, asked.max_tokens) == (1.0, 1.0, 64, None)
    assert (asked.min_tokens, asked.ignore_eos, asked.repetition_penalty, asked.stop) == (0, False, 1.0, ())
    assert not asked.stream


def test_temperature_and_top_p_never_go_without_a_top_k() -> None:
    assert parse(body(temperature=0.7)).top_k == 64
    assert parse(body(top_p=0.5)).top_k == 64
    assert parse(body(top_k=0, top_p=0.5)).top_k == 64
    assert parse(body(top_k=-1)).top_k == 64
    assert parse(body(top_k=3)).top_k == 3


def test_a_top_p_of_nothing_is_greedy() -> None:
    asked = parse(body(top_p=0, temperature=1))
    assert (asked.temperature, asked.top_p) == (0.0, 1.0)


def test_content_is_text_or_parts_of_text() -> None:
    parts = [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}]
    assert parse(body(messages=[{"role": "user", "content": parts}])).turns == (Turn("user", "Hello"),)


def test_developer_is_system_and_systems_in_a_row_are_one() -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": "Be kind."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
    ]
    assert parse(body(messages=messages)).turns == (
        Turn("system", "Be brief.\n\nBe kind."),
        Turn("user", "Hi"),
        Turn("assistant", "Hello"),
    )


def test_our_own_answers_can_be_sent_back_as_they_came() -> None:
    answer = {"role": "assistant", "content": "Hi", "refusal": None, "tool_calls": None, "annotations": []}
    assert parse(body(messages=[USER, answer, USER])).turns[1] == Turn("assistant", "Hi")


def test_stop_is_a_text_or_several() -> None:
    assert parse(body(stop="END")).stop == ("END",)
    assert parse(body(stop=["a", "b", "c", "d"])).stop == ("a", "b", "c", "d")
    assert parse(body(stop=None)).stop == ()
    assert parse(body(stop=[])).stop == ()


def test_the_newer_name_of_max_tokens_counts_too() -> None:
    assert parse(body(max_completion_tokens=5)).max_tokens == 5
    assert parse(body(max_completion_tokens=5, max_tokens=5)).max_tokens == 5
    assert refused(body(max_completion_tokens=5, max_tokens=6)).code == "invalid_parameter_combination"


def test_values_that_change_nothing_are_taken() -> None:
    for name, (_, values) in NEUTRAL.items():
        if "." not in name:
            for value in (None, *values):
                parse(body(**{name: value}))
    parse(body(user="me", metadata={"a": "b"}, store=False, n=1, presence_penalty=0.0, seed=None))
    parse(body(stream=True, stream_options={"include_usage": False, "include_obfuscation": False}))
    parse(body(something_new=None))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n", 2),
        ("seed", 1),
        ("seed", 0),
        ("logprobs", True),
        ("top_logprobs", 3),
        ("logit_bias", {"5": 100}),
        ("presence_penalty", 0.5),
        ("frequency_penalty", -1),
        ("response_format", {"type": "json_object"}),
        ("tools", [{"type": "function", "function": {"name": "f"}}]),
        ("tool_choice", "required"),
        ("functions", [{"name": "f"}]),
        ("modalities", ["text", "audio"]),
        ("store", True),
        ("service_tier", "priority"),
        ("min_p", 0.1),
        ("reasoning_effort", "high"),
    ],
)
def test_what_the_engine_cannot_do_is_refused_by_name(name: str, value: Any) -> None:
    error = refused(body(**{name: value}))
    assert (error.code, error.param) == ("unsupported_parameter", name)
    assert name in error.message


def test_an_unknown_parameter_is_refused() -> None:
    error = refused(body(tempratur=1))
    assert (error.code, error.param) == ("unknown_parameter", "tempratur")


@pytest.mark.parametrize(
    ("options", "param", "code"),
    [
        ({"temperature": 2.1}, "temperature", "decimal_above_max_value"),
        ({"temperature": 3}, "temperature", "decimal_above_max_value"),
        ({"temperature": -1}, "temperature", "decimal_below_min_value"),
        ({"temperature": "hot"}, "temperature", "invalid_type"),
        ({"temperature": True}, "temperature", "invalid_type"),
        ({"top_p": 1.5}, "top_p", "decimal_above_max_value"),
        ({"top_k": 65}, "top_k", "integer_above_max_value"),
        ({"max_tokens": 0}, "max_tokens", "integer_below_min_value"),
        ({"max_tokens": 1.5}, "max_tokens", "invalid_type"),
        ({"min_tokens": 9, "max_tokens": 5}, "min_tokens", "invalid_value"),
        ({"repetition_penalty": 0}, "repetition_penalty", "decimal_below_min_value"),
        ({"stream": "yes"}, "stream", "invalid_type"),
        ({"stop": ["a"] * 5}, "stop", "array_above_max_length"),
        ({"stop": [""]}, "stop[0]", "empty_string"),
        ({"stop": 3}, "stop", "invalid_type"),
        ({"stream_options": {"include_usage": True}}, "stream_options", None),
        (
            {"stream": True, "stream_options": {"include_usage": 3}},
            "stream_options.include_usage",
            "invalid_type",
        ),
        ({"stream": True, "stream_options": {"x": 3}}, "stream_options.x", "unknown_parameter"),
        ({"messages": []}, "messages", "empty_array"),
        ({"messages": "Hello"}, "messages", "invalid_type"),
        ({"messages": ["Hello"]}, "messages[0]", "invalid_type"),
        ({"messages": [{"content": "Hello"}]}, "messages[0].role", "missing_required_parameter"),
        ({"messages": [{"role": "user"}]}, "messages[0].content", "missing_required_parameter"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role", "invalid_value"),
        ({"messages": [{"role": "user", "content": None}]}, "messages[0].content", "invalid_type"),
        ({"messages": [{"role": "user", "content": []}]}, "messages[0].content", "empty_array"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content", "invalid_type"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
            "messages[0].content[0].type",
            "invalid_value",
        ),
        ({"messages": [{**USER, "name": "Ann"}]}, "messages[0].name", "unsupported_parameter"),
        ({"messages": [{"role": "user", "content": "a\x00b"}]}, "messages[0].content", "invalid_value"),
        ({"messages": [{"role": "user", "content": "a\ud800b"}]}, "messages[0].content", "invalid_value"),
        ({"stop": "\ud800"}, "stop[0]", "invalid_value"),
    ],
)
def test_a_mistake_is_named_where_it_is(options: dict[str, Any], param: str, code: str | None) -> None:
    error = refused(body(**options))
    assert (error.param, error.code) == (param, code)
    assert error.kind == "invalid_request_error"


def test_what_is_missing_is_named() -> None:
    assert refused({"messages": [USER]}).param == "model"
    assert refused({"model": "tiny"}).message == "Missing required parameter: 'messages'."


def test_a_range_reads_as_openais() -> None:
    assert refused(body(temperature=3)).message == (
        "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 3 instead."
    )


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "type", "text", "include_usage"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)
NAMES = [
    "stream",
    "stream_options",
    "max_tokens",
    "temperature",
    "top_p",
    "top_k",
    "min_tokens",
    "stop",
    *NEUTRAL,
]


@given(st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), VALUES, max_size=4), VALUES)
@settings(max_examples=300, deadline=None)
def test_whatever_json_comes_is_read_or_refused(options: dict[str, Any], messages: Any) -> None:
    for given_messages in ([USER], messages):
        try:
            asked = parse({"model": "tiny", "messages": given_messages, **options})
        except BadRequest:
            continue
        assert 0 < asked.top_p <= 1
        assert 1 <= asked.top_k <= 64


async def test_the_client_hears_of_an_unsupported_parameter(house: Any) -> None:
    async with house.client() as client:
        with pytest.raises(openai.BadRequestError) as caught:
            await client.chat.completions.create(
                model="tiny", messages=[{"role": "user", "content": "Hi"}], seed=1
            )
    assert (caught.value.param, caught.value.code) == ("seed", "unsupported_parameter")
    assert caught.value.body


async def test_unpaired_surrogates_and_controls_are_a_clear_400(house: Any) -> None:
    for text in ("a\ud800b", "a\0b"):  # JSON writes both as escapes
        status, answer = await house.post(data=json.dumps(body(messages=[{"role": "user", "content": text}])))
        assert (status, answer["error"]["param"]) == (400, "messages[0].content")
