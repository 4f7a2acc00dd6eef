"""The published description of the API, and a program that sends whatever it allows: nothing else comes back."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bot.gateway.openapi import described
from bot.gateway.requests import parse
from tests.bot.gateway.conftest import OPERATOR, House, Shelf

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)
EXAMPLES = 40  # for each operation


async def fuzzed(house: House, folder: Path, *, key: str, checks: Sequence[str] = CHECKS) -> tuple[int, str]:
    """What the fuzzer says to the house."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{house.url}/v1/openapi.json"),
        *("--url", house.url, "--checks", ",".join(checks), "--max-examples", str(EXAMPLES), "--seed", "1"),
        *("--header", f"Authorization: Bearer {key}", "--phases", "examples,coverage,fuzzing", "--no-color"),
        *("--generation-database", "none", "--suppress-health-check", "all"),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


async def test_whatever_the_document_allows_gets_an_answer_that_it_describes(
    house: House, tmp_path: Path
) -> None:
    status, said = await fuzzed(house, tmp_path, key=OPERATOR)
    assert status == 0, said
    assert house.queue.jobs  # some of it was really answered


async def test_so_it_is_while_the_database_is_away(opened: Any, tmp_path: Path) -> None:
    house = await opened(store=Shelf(away=True))
    status, said = await fuzzed(house, tmp_path, key="fd-some-key", checks=CHECKS[1:])
    assert status == 0, said
    assert house.store.lookups == 0
    assert not house.queue.jobs


async def test_the_document_is_published_without_a_key_and_is_the_one_that_is_built(house: House) -> None:
    async with house.session.get(f"{house.url}/v1/openapi.json") as response:
        assert response.status == 200
        assert await response.json() == described()


@pytest.mark.parametrize(
    "name", ["model", "messages", "stream", "temperature", "top_k", "stop", "max_tokens"]
)
def test_the_document_tells_of_what_is_read(name: str) -> None:
    asked = described()["components"]["schemas"]["CompletionRequest"]["properties"]
    assert name in asked
    assert parse({"model": "m", "messages": [{"role": "user", "content": "hi"}]}).model == "m"


async def test_it_is_made_once_however_often_strangers_ask(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def asked() -> str:
        async with house.session.get(f"{house.url}/v1/openapi.json") as response:
            return str(await response.text())

    first = await asked()
    monkeypatch.setattr("bot.gateway.openapi.described", None)
    assert await asked() == first
