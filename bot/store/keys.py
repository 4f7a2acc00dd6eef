"""API keys and what is counted against them: hashes in, values out; usage and the audit trail beside them.

Knows how a key is made and found. What a scope or a screen allows is the gateway's business.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, insert, select, update

from bot.store.database import Database
from bot.store.sessions import hashed
from bot.store.tables import api_key, audit, usage
from bot.store.values import Key, Screen

PREFIX = "fd-"  # tells people, and scanners of leaked secrets, what they see
USED_EVERY = 60.0  # seconds; a busy key writes its last use at most this often


@dataclass(frozen=True, slots=True)
class Keys:
    """Speaks to the tables of keys, usage and audit."""

    database: Database

    async def create_key(
        self, name: str, screen: Screen = "hold", scopes: Sequence[str] = ()
    ) -> tuple[str, Key]:
        """Make a key; returns the token, which cannot be read again. Raises StoreUnavailable."""
        token = PREFIX + secrets.token_urlsafe(32)
        row = {
            "token_hash": hashed(token),
            "name": name,
            "screen": screen,
            "scopes": list(scopes),
            "created": time.time(),
        }
        async with self.database.write() as connection:
            made = await connection.execute(insert(api_key).values(row).returning(api_key))
            key = _key(made.one())
            await connection.execute(_note("key created", f"key {key.id}", {"name": name, "screen": screen}))
        return token, key

    async def key(self, token: str) -> Key | None:
        """The key of a token, or None when there is none or it was revoked. Raises StoreUnavailable."""
        there = select(api_key).where(api_key.c.token_hash == hashed(token), api_key.c.revoked.is_(None))
        async with self.database.read() as connection:
            row = (await connection.execute(there)).one_or_none()
        if row is None:
            return None
        now = time.time()
        if row.last_used is None or now - row.last_used > USED_EVERY:
            async with self.database.write() as connection:
                used = update(api_key).where(api_key.c.id == row.id).values(last_used=now)
                await connection.execute(used)
        return _key(row)

    async def keys(self) -> list[Key]:
        """Every key, revoked ones too, oldest first. Raises StoreUnavailable."""
        async with self.database.read() as connection:
            return [_key(row) for row in await connection.execute(select(api_key).order_by(api_key.c.id))]

    async def revoke_key(self, key_id: int) -> bool:
        """Let a key be good for nothing from now on; False when there is none, or it was revoked before."""
        good = (api_key.c.id == key_id) & api_key.c.revoked.is_(None)
        async with self.database.write() as connection:
            revoked = await connection.execute(update(api_key).where(good).values(revoked=time.time()))
            if revoked.rowcount:
                await connection.execute(_note("key revoked", f"key {key_id}", {}))
            return revoked.rowcount == 1

    async def add_usage(
        self,
        *,
        model: str,
        prompt_tokens: int,
        completion_tokens: int,
        engine_ms: float,
        screen: str = "hold",
        key_id: int | None = None,
        person_id: int | None = None,
        place_id: int | None = None,
    ) -> None:
        """Count one answer that is no message (chats are counted when they finish). Raises StoreUnavailable."""
        row = {
            "key_id": key_id,
            "person_id": person_id,
            "place_id": place_id,
            "model": model,
            "screen": screen,
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "engine_ms": engine_ms,
            "created": time.time(),
        }
        async with self.database.write() as connection:
            await connection.execute(insert(usage).values(row))

    async def audit(self, action: str, subject: str, detail: Mapping[str, object] | None = None) -> None:
        """Keep that something was done. Raises StoreUnavailable."""
        async with self.database.write() as connection:
            await connection.execute(_note(action, subject, detail or {}))


def _note(action: str, subject: str, detail: Mapping[str, object]) -> Any:
    row = {"action": action, "subject": subject, "detail": dict(detail), "created": time.time()}
    return insert(audit).values(row)


def _key(row: Row[Any]) -> Key:
    return Key(row.id, row.name, row.screen, tuple(row.scopes), row.created, row.last_used, row.revoked)
