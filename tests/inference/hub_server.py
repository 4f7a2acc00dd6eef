"""A hub on this machine: as much of its API as fetching a model needs, with cuts, refusals and a count of all bytes."""

from __future__ import annotations

import asyncio
import hashlib
import json
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

COMMIT = "c0ffee" + "0" * 34
PIECE = 64 * 1024


@dataclass
class Hub:
    """One repository, `org/tiny`. `cut` ends a file's next connections after so many bytes each; `lies` are contents
    sent in a file's place; `status` and `code` refuse everything."""

    files: dict[str, bytes]
    large: tuple[str, ...] = ("model.safetensors",)  # told by sha256, as a hub tells its large files
    cut: dict[str, list[int]] = field(default_factory=dict)
    lies: dict[str, bytes] = field(default_factory=dict)
    status: int = 200
    code: str = ""
    token: str = ""
    elsewhere: str = ""  # where large files are sent from; "" for here
    sent: dict[str, int] = field(default_factory=dict)
    ranges: list[str] = field(default_factory=list)
    tokens: list[tuple[str, str]] = field(default_factory=list)  # path, Authorization
    url: str = ""

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/api/models/{org}/{name}", self._describe)
        app.router.add_get("/api/models/{org}/{name}/revision/{revision}", self._describe)
        app.router.add_get("/{org}/{name}/resolve/{revision}/{file:.+}", self._resolve)
        app.router.add_get("/elsewhere/{file:.+}", self._send)
        return app

    def _refusal(self, request: web.Request) -> web.Response | None:
        authorization = request.headers.get("Authorization", "")
        self.tokens.append((request.path, authorization))
        if self.status != 200:
            return web.Response(status=self.status, headers={"X-Error-Code": self.code} if self.code else {})
        if self.token and authorization != f"Bearer {self.token}":
            return web.Response(status=401, headers={"X-Error-Code": "GatedRepo"})
        if f"{request.match_info['org']}/{request.match_info['name']}" != "org/tiny":
            return web.Response(status=404, headers={"X-Error-Code": "RepoNotFound"})
        if request.match_info.get("revision", "main") not in ("main", "v1", COMMIT):
            return web.Response(status=404, headers={"X-Error-Code": "RevisionNotFound"})
        return None

    async def _describe(self, request: web.Request) -> web.Response:
        if refusal := self._refusal(request):
            return refusal
        siblings = [self._sibling(name, content) for name, content in self.files.items()]
        card = {"license": "apache-2.0"}
        described = {"id": "org/tiny", "sha": COMMIT, "siblings": siblings, "cardData": card, "tags": []}
        return web.json_response(described)

    def _sibling(self, name: str, content: bytes) -> dict[str, Any]:
        blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        told: dict[str, Any] = {"rfilename": name, "size": len(content), "blobId": blob}
        if name in self.large:
            sha256 = hashlib.sha256(content).hexdigest()
            told["lfs"] = {"size": len(content), "sha256": sha256, "pointerSize": 130}
        return told

    async def _resolve(self, request: web.Request) -> web.StreamResponse:
        if refusal := self._refusal(request):
            return refusal
        if self.elsewhere and request.match_info["file"] in self.large:
            raise web.HTTPFound(f"{self.elsewhere}/elsewhere/{request.match_info['file']}")
        return await self._send(request)

    async def _send(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["file"]
        if request.path.startswith("/elsewhere/"):
            self.tokens.append((request.path, request.headers.get("Authorization", "")))
        content, start = self.lies.get(name, self.files[name]), 0
        if wanted := request.headers.get("Range"):
            self.ranges.append(wanted)
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        response = web.StreamResponse(status=206 if start else 200)
        response.content_length = len(content) - start
        if start:
            response.headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        await response.prepare(request)
        most = self.cut[name].pop(0) if self.cut.get(name) else len(content)
        for at in range(start, min(len(content), start + most), PIECE):
            piece = content[at : min(at + PIECE, start + most, len(content))]
            await response.write(piece)
            self.sent[name] = self.sent.get(name, 0) + len(piece)
        if start + most < len(content) and request.transport is not None:
            request.transport.close()
        return response


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """The hub in a thread of its own, at `hub.url`."""
    loop = asyncio.new_event_loop()
    started, ended = threading.Event(), asyncio.Event()

    async def serve() -> None:
        runner = web.AppRunner(hub.application(), shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        hub.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        started.set()
        await ended.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert started.wait(10)
    try:
        yield hub
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()


def weights(size: int) -> bytes:
    """A safetensors file of about that size."""
    header = json.dumps({"a": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(range(256)) * (size // 256) + bytes(size % 256)


def repository(size: int = 300_000) -> dict[str, bytes]:
    return {
        "model.safetensors": weights(size),
        "config.json": b'{"model_type": "llama"}',
        "tokenizer.json": b"{}",
        "tokenizer.model": b"\x0a\x0b",
        "merges.txt": b"a b",
        "chat_template.jinja": b"{{ messages }}",
        "README.md": b"# Tiny",
        "LICENSE": b"Apache",
        "1_Pooling/config.json": b"{}",
        # and what nobody wants
        "pytorch_model.bin": b"\x80\x02x",
        "consolidated.safetensors": weights(1000),
        "original/model.safetensors": weights(1000),
        "onnx/model.onnx": b"x",
        "modeling_tiny.py": b"import os",
        ".gitattributes": b"x",
        "empty.txt": b"",
    }


WANTED = {
    *("model.safetensors", "config.json", "tokenizer.json", "tokenizer.model", "merges.txt", "empty.txt"),
    *("chat_template.jinja", "README.md", "LICENSE", "1_Pooling", "1_Pooling/config.json"),
}
