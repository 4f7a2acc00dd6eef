"""The HTTP server that the assembly opens, over a real socket."""

from __future__ import annotations

import gzip

import aiohttp
from aiohttp import web

from bot.assembly import _listening
from bot.settings import Settings


async def test_a_packed_body_is_taken_as_it_is_and_never_unpacked() -> None:
    async def size(request: web.Request) -> web.Response:
        return web.json_response(len(await request.read()))

    application = web.Application()
    application.router.add_post("/", size)
    packed = gzip.compress(bytes(8 << 20))  # eight megabytes of nothing
    async with (
        _listening(application, Settings(port=0, _env_file=None)) as port,
        aiohttp.ClientSession() as client,
        client.post(
            f"http://127.0.0.1:{port}/", data=packed, headers={"Content-Encoding": "gzip"}
        ) as response,
    ):
        assert await response.json() == len(packed)
