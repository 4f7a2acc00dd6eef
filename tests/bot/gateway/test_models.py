"""GET /v1/models lists the aliases and the models behind them."""

from __future__ import annotations

from typing import Any

import openai
import pytest


async def test_the_client_lists_the_alias_and_the_model_that_answers(house: Any, chat: Any) -> None:
    async with house.client() as client:
        models = [model async for model in client.models.list()]
    assert [(model.id, model.model_extra.get("root")) for model in models] == [
        ("default", "tiny"),
        ("tiny", None),
    ]
    assert all(model.model_extra["loaded"] for model in models)
    assert models[0].owned_by == "frontdesk"
    assert models[0].model_extra["max_model_len"] == chat.context_length


async def test_one_model_is_found_by_its_name_or_as_the_default(house: Any) -> None:
    async with house.client() as client:
        assert (await client.models.retrieve("tiny")).id == "tiny"
        assert (await client.models.retrieve("default")).model_extra["root"] == "tiny"
        for name in ("gpt-4o", "meta/llama"):
            with pytest.raises(openai.NotFoundError) as caught:
                await client.models.retrieve(name)
            assert caught.value.code == "model_not_found"
