"""Files: getFile, and the bytes at /file/bot<token>/<path>.

Leaves how they came to `people` and `sending`.
"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from tests.telegram_double.answers import Asked, Refused, method
from tests.telegram_double.state import World

DOWNLOAD_BYTES = 20 * 1024 * 1024


@method("getFile")
def get_file(asked: Asked) -> dict[str, Any]:
    file = asked.world.files.get(asked.get("file_id", ""))
    if file is None:
        raise Refused("Bad Request: wrong file_id or the file is temporarily unavailable")
    if file.size > DOWNLOAD_BYTES:
        raise Refused("Bad Request: file is too big")
    told = {"file_id": file.id, "file_unique_id": file.unique_id, "file_size": file.size}
    return told | {"file_path": file.path}


def serve(world: World, path: str) -> web.Response:
    """The bytes of a file."""
    for file in world.files.values():
        if file.path == path:
            return web.Response(body=file.content, content_type="application/octet-stream")
    answer = {"ok": False, "error_code": 404, "description": "Not Found"}
    return web.json_response(answer, status=404)
