"""The servers that the house leans on: the database and Redis, each asked once.

Knows how long to wait for an answer. Makes no database, and starts no Redis.
"""

from __future__ import annotations

import asyncio

from bot.embedded import NoRedis, server_binary
from bot.finding import Finding
from bot.settings import Settings

PATIENCE = 8.0  # seconds for the database or Redis to answer


async def check_database(settings: Settings) -> Finding:
    from bot.store.database import opened, sqlite_path
    from bot.store.errors import StoreError

    url = settings.database()
    kind = "SQLite" if url.startswith("sqlite") else "PostgreSQL"
    try:
        if kind == "SQLite":
            path = sqlite_path(url)
            if not await asyncio.to_thread(path.exists):
                return Finding("ok", "database", f"SQLite, {path} will be made at the first start")
        async with asyncio.timeout(PATIENCE), opened(url) as database, database.read() as connection:
            await connection.exec_driver_sql("SELECT 1")
    except StoreError as error:
        return Finding("fail", "database", f"{kind}: {error}", "check DATABASE_URL, and that its server runs")
    except TimeoutError:
        return Finding("fail", "database", f"{kind} does not answer", "check DATABASE_URL and the network")
    return Finding("ok", "database", f"{kind} answers")


async def check_redis(settings: Settings) -> Finding:
    if settings.redis_url is None:
        try:
            return Finding("ok", "Redis", f"embedded: {server_binary()}")
        except NoRedis as error:
            return Finding("fail", "Redis", str(error), "install one of these, or set REDIS_URL")
    import redis.asyncio
    from redis.exceptions import RedisError

    url = settings.redis_url.get_secret_value()
    try:
        async with (
            asyncio.timeout(PATIENCE),
            redis.asyncio.Redis.from_url(url, decode_responses=True) as client,
        ):
            await client.ping()
            policy = (await client.info("memory")).get("maxmemory_policy", "noeviction")
    except (RedisError, OSError, ValueError, TimeoutError) as error:
        return Finding(
            "fail", "Redis", f"does not answer ({type(error).__name__})", "check REDIS_URL, and that it runs"
        )
    if policy != "noeviction":
        todo = "set maxmemory-policy noeviction there, or questions may be lost when its memory is full"
        return Finding("warn", "Redis", f"answers, but may throw jobs away ({policy})", todo)
    return Finding("ok", "Redis", "answers")
