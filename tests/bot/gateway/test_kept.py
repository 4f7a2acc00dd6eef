"""The gateway with the real store: a key that is made, used, counted and revoked."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from bot.gateway.access import KEPT, Access
from bot.gateway.errors import Unauthorized
from bot.settings import Settings
from bot.store import Store


async def test_a_key_is_made_used_counted_and_revoked(opened: Any, ask: Any, tmp_path: Path) -> None:
    file = tmp_path / "store.sqlite3"
    async with Store.open(f"sqlite:///{file}") as store:
        token, key = await store.create_key("tests", "shadow", ())
        house = await opened(store=store)
        status, _ = await house.post(json=ask(), key=token)
        assert status == 200
        await house.close()
        prompt_tokens = len(house.queue.jobs[0].prompt)
    with sqlite3.connect(file) as connection:
        rows = connection.execute(
            "SELECT key_id, model, screen, prompt_tokens, completion_tokens FROM usage"
        ).fetchall()
    connection.close()
    assert rows == [(key.id, "tiny", "shadow", prompt_tokens, 3)]


async def test_a_revoked_key_is_refused(tmp_path: Path, sent_with: Any) -> None:
    now = 0.0
    async with Store.open(f"sqlite:///{tmp_path / 'store.sqlite3'}") as store:
        token, key = await store.create_key("tests")
        known = Settings(api_keys=("operator-key-of-the-tests",), _env_file=None)
        access = Access(settings=known, store=store, clock=lambda: now)
        assert (await access.caller(sent_with(token))).key_id == key.id
        await store.revoke_key(key.id)
        now = KEPT
        with pytest.raises(Unauthorized):
            await access.caller(sent_with(token))
