"""A model is exchanged while sixteen people read: nobody loses a word, and no answer is of two models."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openai
import pytest
import transformers

from inference import random_model
from tests.inference import checkpoints
from tests.journey.conftest import OPERATOR, House, end, start

PEOPLE = 16
TOKENS = 120
LONG = 400


@pytest.fixture(scope="module")
def house(parts, tmp_path_factory) -> Iterator[House]:
    data = tmp_path_factory.mktemp("exchange") / "data"
    for seed, name in enumerate(("one", "two"), start=1):
        random_model.make(data / "models" / name, shape="tiny", seed=seed)
    models(data, "promote", "one")
    running = start(data, **parts, FRONTDESK_API_KEYS=OPERATOR)
    yield running
    end(running)


def models(data, *command: str) -> str:
    """`frontdesk models ...` as an operator types it."""
    asked = [sys.executable, "-m", "bot", "models", *command, "--data", str(data)]
    return subprocess.run(asked, check=True, capture_output=True, text=True).stdout


def workers(house: House) -> list[dict[str, Any]]:
    request = urllib.request.Request(f"{house.url}/readyz", headers={"Authorization": f"Bearer {OPERATOR}"})
    try:
        response = urllib.request.urlopen(request)
    except urllib.error.HTTPError as unready:  # 503, with the same body
        response = unready
    with response:
        body: dict[str, Any] = json.load(response)
    return [worker for worker in body["workers"] if worker["loaded"]]


async def answering(house: House, name: str) -> dict[str, Any]:
    """The worker that answers with a model, once no other does."""
    async with asyncio.timeout(60):
        while True:
            there = await asyncio.to_thread(workers, house)
            if {worker["model"] for worker in there} == {name}:
                return there[0]
            await asyncio.sleep(0.1)


@dataclass
class Readers:
    """People who ask the same again and again, each their own question, until they are told to stop."""

    client: openai.AsyncOpenAI
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    read: list[tuple[int, str, str]] = field(default_factory=list)  # who, by which model, what
    tokens: int = TOKENS
    began: int = 0
    ended: int = 0

    async def ask(self, person: int) -> tuple[str, str]:
        """One answer read to its end: the model that it names, and its text."""
        stream = await self.client.chat.completions.create(
            model="default",
            messages=[{"role": "user", "content": f"Question {person}: who keeps the old garden?"}],
            max_tokens=self.tokens,
            temperature=0,
            stream=True,
            extra_body={"ignore_eos": True},
        )
        text, names = "", set()
        finished = None
        async for chunk in stream:
            self.began += not text and bool(chunk.choices[0].delta.content)
            names.add(chunk.model)
            text += chunk.choices[0].delta.content or ""
            finished = chunk.choices[0].finish_reason or finished
        assert finished == "length", "it was cut short"
        self.ended += 1
        (name,) = names
        return name, text

    async def person(self, number: int) -> None:
        while not self.stop.is_set():
            self.read.append((number, *await self.ask(number)))

    async def all_once(self) -> list[tuple[str, str]]:
        return await asyncio.gather(*map(self.ask, range(PEOPLE)))


async def test_promote_and_rollback_under_load_lose_and_mix_nothing(house: House) -> None:
    async with openai.AsyncOpenAI(base_url=f"{house.url}/v1", api_key=OPERATOR, max_retries=0) as client:
        readers = Readers(client)
        old = await readers.all_once()
        assert {name for name, _ in old} == {"one"}
        async with asyncio.timeout(120), asyncio.TaskGroup() as group:
            for number in range(PEOPLE):
                group.create_task(readers.person(number))
            await asyncio.to_thread(models, house.data, "promote", "two")
            await answering(house, "two")
            await asyncio.to_thread(models, house.data, "rollback")
            await answering(house, "one")
            await asyncio.to_thread(models, house.data, "promote", "two")
            await answering(house, "two")
            readers.stop.set()
        new = await readers.all_once()
        assert {name for name, _ in new} == {"two"}
        assert all(mine[1] != theirs[1] for mine, theirs in zip(old, new, strict=True))
        expected = {"one": old, "two": new}
        assert {(name, text) for _, name, text in readers.read} <= {*old, *new}
        for number, name, text in readers.read:
            assert text == expected[name][number][1]
        assert {name for _, name, _ in readers.read} == {"one", "two"}, "both were asked meanwhile"


async def test_a_model_that_cannot_be_loaded_never_takes_the_service_down(house: House) -> None:
    broken = random_model.make(house.data / "models" / "broken", shape="tiny", seed=3)
    before = {worker["pid"] for worker in await asyncio.to_thread(workers, house)}
    log, seen = house.data / "frontdesk.log", (house.data / "frontdesk.log").read_text()
    models(house.data, "promote", "broken")
    with (broken / "model.bin").open("r+b") as file:  # behind the library's back, once it was verified
        file.truncate(4_000)
    async with openai.AsyncOpenAI(base_url=f"{house.url}/v1", api_key=OPERATOR, max_retries=0) as client:
        readers = Readers(client)
        async with asyncio.timeout(60):
            while "is started again" not in log.read_text()[len(seen) :]:
                assert (await readers.ask(0))[0] == "two"
    assert {worker["pid"] for worker in await asyncio.to_thread(workers, house)} == before
    assert "two is the default again" in models(house.data, "rollback")


async def test_a_worker_killed_amid_an_exchange_costs_a_pause_and_no_answer(house: House) -> None:
    async with openai.AsyncOpenAI(base_url=f"{house.url}/v1", api_key=OPERATOR, max_retries=0) as client:
        expected = await Readers(client, tokens=LONG).all_once()
        readers = Readers(client, tokens=LONG)
        (worker,) = await asyncio.to_thread(workers, house)
        await asyncio.to_thread(models, house.data, "promote", "one")
        asked = asyncio.ensure_future(readers.all_once())
        async with asyncio.timeout(60):
            while readers.began < PEOPLE / 2:
                await asyncio.sleep(0.001)
            os.kill(worker["pid"], signal.SIGKILL)
            assert readers.ended < PEOPLE
            told = await asked
        await answering(house, "one")
        after = await Readers(client, tokens=LONG).all_once()
    # On a busy machine the exchange may be over before the last of them asks.
    assert all(one in (old, new) for one, old, new in zip(told, expected, after, strict=True))
    assert told != after


YARN = {"rope_type": "yarn", "rope_theta": 1234.0, "factor": 2.0, "original_max_position_embeddings": 128}


@pytest.mark.parametrize(
    ("name", "changes"),
    [("straight", {}), ("yarn", {"rope_parameters": YARN})],  # on CTranslate2, and on transformers
)
async def test_a_converted_checkpoint_is_promoted_and_answers_as_its_source_does(
    house: House, name: str, changes: dict[str, Any], tmp_path: Path
) -> None:
    source = checkpoints.make("qwen2", tmp_path / name, **changes)
    models(house.data, "convert", str(source), "--name", name, "--to", "float32")
    models(house.data, "promote", name)
    question = [{"role": "user", "content": "hello you"}]
    tokenizer = transformers.AutoTokenizer.from_pretrained(source)
    prompt = tokenizer.apply_chat_template(
        question, add_generation_prompt=True, return_tensors="pt", return_dict=False
    )
    model = transformers.AutoModelForCausalLM.from_pretrained(source, attn_implementation="eager")
    made = model.generate(prompt, do_sample=False, max_new_tokens=20)[0, prompt.shape[1] :]
    async with openai.AsyncOpenAI(base_url=f"{house.url}/v1", api_key=OPERATOR, max_retries=0) as client:
        worker = None
        async with asyncio.timeout(90):
            while worker is None or not worker["model"].startswith(f"{name}@"):
                (worker,) = await asyncio.to_thread(workers, house) or [None]
                await asyncio.sleep(0.1)
        told = await client.chat.completions.create(
            model=f"{name}:float32", messages=question, max_tokens=20, temperature=0
        )
    assert told.choices[0].message.content == tokenizer.decode(made, skip_special_tokens=True)
    assert told.model == worker["model"]
    models(house.data, "rollback")
