"""/v1 under a policy: what the model may read, what the client reads, and what is written down of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import openai
import pytest

from moderation import Moderator, Scores
from moderation.categories import LABELS

ADDRESS = "ann.smith@example.org"
POLICY = """
version: "test"
extends: bundled
categories:
  violence: {review: 0.5, block: 0.9, notice: {en: "No violence here."}}
  harassment: {review: 0.9, block: null}
places:
  "api:lenient": {categories: {violence: {review: null, block: null}}}
  "api:watched": {screen: shadow}
"""


class Scorer:
    """Finds a category where the last sentence names it."""

    async def score(self, text: str) -> Scores:
        text = text.rstrip().removesuffix(".").rsplit(". ", 1)[-1]
        if "bonjour" in text:
            return Scores({}, "unsupported", "mini-1")
        found = {name: 0.95 if name in text else 0.01 for name in LABELS}
        return Scores({**found, "overall": max(found.values())}, "en", "mini-1", (1.0, 0.0))


@pytest.fixture
async def house(opened: Any, tmp_path: Path) -> Any:
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY)
    return await opened(moderator=Moderator.from_policy(file, scorer=Scorer()))


def read(house: Any, chat: Any) -> str:
    """What the model was given."""
    return str(chat.tokenizer.decode(house.queue.jobs[-1].prompt))


def found(house: Any) -> list[tuple[str, str]]:
    return [(one.direction, one.action) for _, _, one in house.store.verdicts]


# -- what is hidden from the model -------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
async def test_the_model_reads_a_placeholder_and_the_client_the_address(
    house: Any, ask: Any, chat: Any, stream: bool
) -> None:
    house.queue.texts = ("I write to [EM", "AIL_1", "] today. ", "Or [EMAIL_2].")
    async with house.client() as client:
        answer = await client.chat.completions.create(**ask(f"write to {ADDRESS}"), stream=stream)
        if stream:
            text = "".join([c.choices[0].delta.content or "" async for c in answer])
        else:
            text = answer.choices[0].message.content
    assert text == f"I write to {ADDRESS} today. Or [EMAIL_2]."
    assert "write to [EMAIL_1]" in read(house, chat)
    assert ADDRESS not in read(house, chat)


async def test_an_address_is_hidden_in_every_turn(house: Any, ask: Any, chat: Any) -> None:
    turns = [
        {"role": "system", "content": "Support is help@example.org."},
        {"role": "user", "content": f"write to {ADDRESS}"},
        {"role": "assistant", "content": f"I wrote to {ADDRESS}. Ask help@example.org."},
        {"role": "user", "content": "again"},
    ]
    house.queue.texts = ("To [EMAIL_2], not to [EMAIL_1].",)
    _, answer = await house.post(json=ask() | {"messages": turns})
    assert "example.org" not in read(house, chat)
    assert read(house, chat).count("[EMAIL_2]") == 2
    assert answer["choices"][0]["message"]["content"] == f"To {ADDRESS}, not to help@example.org."


# -- what is stopped ---------------------------------------------------------------------------------------------


async def test_a_refusal_says_what_the_policy_says(house: Any, ask: Any) -> None:
    status, answer = await house.post(json=ask("some violence"))
    assert (status, answer["error"]["code"]) == (400, "content_policy_violation")
    assert answer["error"]["message"] == "No violence here."
    assert found(house) == [("input", "block")]


async def test_a_key_may_have_terms_of_its_own(house: Any, ask: Any) -> None:
    house.store.add("fd-lenient", name="lenient")
    assert (await house.post(json=ask("some violence"), key="fd-lenient"))[0] == 200
    house.store.add("fd-other", name="other")
    assert (await house.post(json=ask("some violence"), key="fd-other"))[0] == 400


async def test_the_policy_puts_a_key_in_the_shadow_that_was_made_to_hold(house: Any, ask: Any) -> None:
    house.store.add("fd-watched", name="watched")
    house.queue.texts = (f"Some violence for {ADDRESS}.",)
    status, answer = await house.post(json=ask("some violence"), key="fd-watched")
    assert (status, answer["choices"][0]["message"]["content"]) == (200, f"Some violence for {ADDRESS}.")
    await house.store.kept.wait()
    await house.close()
    assert found(house) == [("input", "block"), ("output", "block")]
    assert house.store.usage[0]["screen"] == "shadow"


# -- what is written down ----------------------------------------------------------------------------------------


async def test_verdicts_are_written_down_under_the_keys_name(house: Any, ask: Any) -> None:
    house.store.add("fd-app", id=7, name="my app")
    house.store.add("fd-nameless", id=8, name="")
    house.queue.texts = ("Fine. ", "Some harassment. ", "Fine again.")
    for key in ("fd-app", "fd-nameless"):
        await house.post(json=ask("hello"), key=key)
    await house.close()
    assert found(house) == [("input", "allow"), ("output", "review"), ("output", "allow")] * 2
    assert {(channel, caller) for channel, caller, _ in house.store.verdicts} == {
        ("api", "my app"),
        ("api", "key 8"),
    }
    review = house.store.verdicts[1][2]
    assert (review.text.strip(), review.waits, review.language) == ("Some harassment.", True, "en")
    assert (review.findings[0]["score"], review.findings[0]["threshold"]) == (0.95, 0.9)
    sample = house.metrics.registry.get_sample_value
    labels = {"channel": "api", "direction": "output", "action": "review", "category": "harassment"}
    assert sample("frontdesk_verdicts_total", labels) == 2


async def test_what_was_blocked_of_an_answer_is_written_down(house: Any, ask: Any) -> None:
    house.queue.texts = ("Fine. ", "Some violence. ", "Never said.")
    _, answer = await house.post(json=ask())
    await house.close()
    assert answer["choices"][0]["finish_reason"] == "content_filter"
    assert found(house) == [("input", "allow"), ("output", "block"), ("output", "allow")]
    assert house.store.verdicts[1][2].text.strip() == "Some violence."


async def test_where_no_texts_are_kept_nothing_waits(opened: Any, ask: Any, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY)
    house = await opened(moderator=Moderator.from_policy(file, scorer=Scorer()), keeps_texts=False)
    house.queue.texts = ("Some harassment.",)
    await house.post(json=ask("some violence"))
    await house.post(json=ask())
    await house.close()
    assert [(one.text, one.waits) for _, _, one in house.store.verdicts] == [(None, False)] * 3


async def test_a_database_that_is_away_changes_no_answer(house: Any, ask: Any) -> None:
    house.store.away = True
    assert (await house.post(json=ask("some violence")))[0] == 400
    assert (await house.post(json=ask()))[0] == 200
    assert (await house.post("/v1/moderations", json={"input": "hello"}))[0] == 200


# -- /v1/moderations ---------------------------------------------------------------------------------------------


async def test_scores_are_the_classifiers_and_categories_the_policys(house: Any) -> None:
    async with house.client() as client:
        answer = await client.moderations.create(
            input=["hello", "some violence", "some hate", "How do I build a pipe bomb?"]
        )
    calm, violent, hateful, bomb = answer.results
    assert calm.category_scores.violence == 0.01
    assert (calm.flagged, calm.model_extra["overall"], calm.model_extra["language"]) == (False, 0.01, "en")
    assert (violent.flagged, violent.model_extra["action"]) == (True, "block")
    assert (violent.categories.violence, violent.category_scores.violence) == (True, 0.95)
    assert violent.categories.violence_graphic is False
    assert violent.category_scores.violence_graphic == 0.0  # no classifier of ours knows it
    assert hateful.model_extra["action"] == "review"  # never blocked for hate alone
    assert (bomb.categories.illicit_violent, bomb.category_scores.illicit_violent) == (True, 1.0)
    assert bomb.categories.illicit is False
    for result in answer.results:
        scores = result.category_scores.model_dump()
        assert {"jailbreak", "harassment"} <= scores.keys()
        assert all(0.0 <= score <= 1.0 for score in scores.values())
        assert result.categories.model_dump().keys() == scores.keys()


async def test_a_topic_shows_how_near_the_text_is(opened: Any, tmp_path: Path) -> None:
    file = tmp_path / "topics.yaml"
    file.write_text("version: '1'\ntopics: [{name: money, examples: [buy shares], action: review}]\n")
    house = await opened(moderator=Moderator.from_policy(file, scorer=Scorer()))
    _, answer = await house.post("/v1/moderations", json={"input": "hello"})
    (result,) = answer["results"]
    assert (result["flagged"], result["categories"]["topic/money"]) == (True, True)
    assert result["category_scores"]["topic/money"] == 1.0  # the scorer gives all texts one embedding


async def test_personal_data_shows_in_the_action_and_flags_nothing(house: Any) -> None:
    _, answer = await house.post("/v1/moderations", json={"input": f"write to {ADDRESS}"})
    result = answer["results"][0]
    assert (result["flagged"], result["action"]) == (False, "redact")
    assert "pii" not in result["categories"]


async def test_a_language_that_nobody_reads_is_said_openly(house: Any) -> None:
    _, answer = await house.post("/v1/moderations", json={"input": "bonjour"})
    result = answer["results"][0]
    assert (result["language"], result["overall"], result["flagged"]) == ("unsupported", None, False)
    assert set(result["category_scores"].values()) == {0.0}
    sample = house.metrics.registry.get_sample_value
    assert sample("frontdesk_unsupported_language_total", {"channel": "api", "direction": "input"}) == 1


async def test_what_is_only_asked_is_written_down_without_its_text(house: Any) -> None:
    await house.post("/v1/moderations", json={"input": ["some violence", "hello"]})
    await house.close()
    assert [(one.action, one.text, one.waits) for _, _, one in house.store.verdicts] == [
        ("block", None, False),
        ("allow", None, False),
    ]


async def test_many_texts_leave_others_their_turn(house: Any, ask: Any) -> None:
    many = asyncio.create_task(house.post("/v1/moderations", json={"input": ["hello"] * 128}))
    status, _ = await house.post(json=ask())
    assert status == 200
    status, answer = await many
    assert (status, len(answer["results"])) == (200, 128)
    too_many = await house.post("/v1/moderations", json={"input": ["hello"] * 129})
    assert too_many[0] == 400


async def test_a_classifier_that_fails_is_a_500_and_counted(opened: Any, tmp_path: Path) -> None:
    class Broken:
        async def score(self, text: str) -> Scores:
            raise RuntimeError("out of order")

    house = await opened(moderator=Moderator.from_policy(None, scorer=Broken()))
    async with house.client() as client:
        with pytest.raises(openai.InternalServerError):
            await client.moderations.create(input="hello")
    assert house.metrics.registry.get_sample_value("frontdesk_screen_failures_total") == 1
