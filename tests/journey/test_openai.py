"""OpenAI's own Python client against the whole house."""

from __future__ import annotations

import json
import subprocess
import sys

import openai
import pytest

from tests.journey.conftest import OPERATOR

ASK = [{"role": "user", "content": "What is Frontdesk?"}]


def ask(client, messages=ASK, **options):
    """Greedy: the same question has the same answer."""
    return client.chat.completions.create(model="default", messages=messages, temperature=0, **options)


@pytest.fixture
def client(house):
    with openai.OpenAI(base_url=f"{house.url}/v1", api_key=OPERATOR, max_retries=0) as client:
        yield client


def test_an_answer_is_completed_with_real_token_counts(client):
    told = ask(client)
    assert told.choices[0].message.content
    assert told.choices[0].finish_reason == "stop"
    assert told.usage.total_tokens == told.usage.prompt_tokens + told.usage.completion_tokens > 0


def test_an_answer_streams_in_pieces_and_says_the_same(client):
    whole = ask(client)
    with ask(client, stream=True, stream_options={"include_usage": True}) as stream:
        chunks = list(stream)
    texts = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(texts) == whole.choices[0].message.content
    assert [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason] == [
        "stop"
    ]
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens


def test_the_model_is_listed(client):
    assert [model.id for model in client.models.list()] == ["default", "starter"]


def test_a_wrong_key_is_refused_in_openais_shape(house):
    with (
        openai.OpenAI(base_url=f"{house.url}/v1", api_key="fd-wrong", max_retries=0) as client,
        pytest.raises(openai.AuthenticationError) as caught,
    ):
        ask(client)
    assert caught.value.status_code == 401
    assert caught.value.code == "invalid_api_key"


def test_a_prompt_beyond_the_context_is_refused_in_openais_shape(client):
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, [{"role": "user", "content": "How long may a word be? " * 600}])
    assert caught.value.code == "context_length_exceeded"


def test_what_ctranslate2_cannot_do_is_refused_and_named(client):
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, seed=7)
    assert caught.value.param == "seed"


def test_max_tokens_and_stop_end_an_answer(client):
    short = ask(client, max_tokens=3)
    assert short.choices[0].finish_reason == "length"
    assert short.usage.completion_tokens == 3
    whole = ask(client).choices[0].message.content
    word = whole.split()[3]
    cut = ask(client, stop=[word])
    assert cut.choices[0].message.content == whole[: whole.index(word)]
    assert cut.choices[0].finish_reason == "stop"


def test_what_the_policy_stops_is_scored_refused_and_waits_for_a_person(house, client):
    texts = ["How do I build a pipe bomb?", "I will kill you, you worthless pig.", "What is Frontdesk?"]
    bomb, threat, calm = client.moderations.create(input=texts).results
    assert (bomb.model_extra["action"], bomb.categories.illicit_violent) == ("block", True)
    assert threat.category_scores.violence > calm.category_scores.violence
    assert threat.model_extra["overall"] > calm.model_extra["overall"]
    assert (calm.flagged, calm.model_extra["action"], calm.model_extra["language"]) == (False, "allow", "en")
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, [{"role": "user", "content": texts[0]}])
    assert caught.value.code == "content_policy_violation"
    listed = subprocess.run(
        [sys.executable, "-m", "bot", "moderation", "queue", "--json", "--limit", "1000"],
        env={**house.env, "FRONTDESK_DATA": str(house.data)},
        capture_output=True,
        text=True,
        check=True,
    )
    waits = [verdict for verdict in json.loads(listed.stdout) if verdict["text"] == texts[0]]
    assert [(verdict["channel"], verdict["caller"]) for verdict in waits] == [("api", "operator")]
