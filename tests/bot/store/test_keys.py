"""API keys are found by their token, kept as hashes, and good for nothing once revoked."""

from __future__ import annotations

from bot.store import Store
from bot.store.tables import audit, usage


async def test_a_key_is_found_by_its_token(store: Store) -> None:
    token, key = await store.create_key("ci", "shadow", ["chat", "models"])
    assert token.startswith("fd-")
    assert (key.name, key.screen, key.scopes, key.last_used, key.revoked) == (
        "ci",
        "shadow",
        ("chat", "models"),
        None,
        None,
    )
    assert await store.key(token) == key
    (used,) = await store.keys()
    assert used.last_used is not None
    assert await store.key("fd-wrong") is None


async def test_a_key_screens_by_holding_unless_told_otherwise(store: Store) -> None:
    _, key = await store.create_key("ci")
    assert (key.screen, key.scopes) == ("hold", ())


async def test_a_revoked_key_is_good_for_nothing(store: Store) -> None:
    token, key = await store.create_key("ci")
    assert await store.revoke_key(key.id)
    assert not await store.revoke_key(key.id)
    assert await store.key(token) is None
    assert [k.revoked is not None for k in await store.keys()] == [True]


async def test_usage_and_audit_are_kept(store: Store) -> None:
    _, key = await store.create_key("ci")
    await store.add_usage(
        key_id=key.id, model="starter", prompt_tokens=3, completion_tokens=4, engine_ms=5, screen="off"
    )
    await store.audit("login", "operator", {"from": "127.0.0.1"})
    async with store._database.read() as connection:
        (cost,) = (await connection.execute(usage.select())).all()
        rows = (await connection.execute(audit.select().order_by(audit.c.id))).all()
    assert (cost.key_id, cost.model, cost.completion_tokens, cost.screen) == (key.id, "starter", 4, "off")
    assert [row.action for row in rows] == ["key created", "login"]
