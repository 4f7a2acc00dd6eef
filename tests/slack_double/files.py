"""files.*: uploads in two steps, and downloads by whoever has the workspace's token.

Like Slack, the download host gives a page to log in, with 200, to a request without the right token.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from tests.slack_double import payloads
from tests.slack_double.answers import Answer, Asked, Refused, method
from tests.slack_double.state import UploadedFile, Workspace, World

LOGIN = "<!DOCTYPE html><html><head><title>Slack</title></head><body>Sign in to your workspace</body></html>"


def describe(world: World, workspace: Workspace, name: str, content: bytes, base_url: str) -> dict[str, Any]:
    """A file that a person attaches, as an event tells it."""
    file = UploadedFile(id=world.id("F"), name=name, team=workspace.team, content=content)
    world.files[file.id] = file
    return about(file, base_url)


def about(file: UploadedFile, base_url: str) -> dict[str, Any]:
    suffix = file.name.rpartition(".")[2] if "." in file.name else ""
    kinds = {"txt": "text/plain", "md": "text/markdown", "csv": "text/csv", "json": "application/json"}
    place = f"{base_url}/files-pri/{file.team}-{file.id}"
    return {
        "id": file.id,
        "name": file.name,
        "title": file.name,
        "mimetype": kinds.get(
            suffix, "application/octet-stream" if suffix in ("png", "pdf", "") else "text/plain"
        ),
        "filetype": {"txt": "text", "md": "markdown", "": "binary"}.get(suffix, suffix),
        "size": len(file.content),
        "mode": "hosted",
        "is_external": False,
        "url_private": f"{place}/{file.name}",
        "url_private_download": f"{place}/download/{file.name}",
    }


@method("files.info")
def info(asked: Asked) -> Answer:
    file = asked.world.files.get(asked.get("file"))
    if file is None or file.team != asked.workspace.team:
        raise Refused("file_not_found")
    return {"file": about(file, asked.base_url), "comments": []}


@method("files.delete")
def delete(asked: Asked) -> Answer:
    if asked.world.files.pop(asked.get("file"), None) is None:
        raise Refused("file_not_found")
    return {}


@method("files.getUploadURLExternal")
def upload_url(asked: Asked) -> Answer:
    file = UploadedFile(id=asked.world.id("F"), name=asked.get("filename"), team=asked.workspace.team)
    asked.world.files[file.id] = file
    return {
        "upload_url": f"{asked.base_url}/upload/v1/{file.id}/{asked.get('length', 0)}",
        "file_id": file.id,
    }


@method("files.completeUploadExternal")
def complete(asked: Asked) -> Answer:
    files = [asked.world.files.get(item["id"]) for item in asked.get("files", [])]
    uploaded = [file for file in files if file is not None and file.content]
    if not uploaded or len(uploaded) < len(files):
        raise Refused("file_not_found")
    if asked.get("channel_id"):
        channel = asked.channel("channel_id", writing=True)
        thread = asked.thread(channel)
        message = asked.world.post(
            channel,
            asked.workspace.bot,
            bot_id=asked.workspace.bot_id,
            thread_ts=thread,
            body=asked.get("initial_comment"),
            subtype="file_share",
            files=[about(file, asked.base_url) for file in uploaded],
        )
        for file in uploaded:
            file.shared_in, file.thread_ts = channel.id, thread
        asked.echo(payloads.message(channel, message))
    titles = {item["id"]: item.get("title", "") for item in asked.get("files", [])}
    return {"files": [{"id": file.id, "title": titles[file.id] or file.name} for file in uploaded]}


async def receive(world: World, request: web.Request) -> web.Response:
    """The upload host: the bytes as they are, or in a form."""
    file = world.files.get(request.match_info["file"])
    if file is None:
        return web.Response(status=404, text="no such upload")
    if request.content_type.startswith("multipart/"):
        fields = await request.post()
        field = next(field for field in fields.values() if isinstance(field, web.FileField))
        content = field.file.read()
    else:
        content = await request.read()
    if len(content) != int(request.match_info["length"]):
        return web.Response(status=400, text="not the length that was told")
    file.content = content
    return web.Response(text=f"OK - {len(content)}")


def serve(world: World, workspaces: Mapping[str, Workspace], request: web.Request) -> web.Response:
    """The download host."""
    team, _, file_id = request.match_info["place"].partition("-")
    file, workspace = world.files.get(file_id), workspaces.get(team)
    if file is None or workspace is None:
        return web.Response(status=404)
    if request.headers.get("Authorization") != f"Bearer {workspace.bot_token}" or workspace.dead:
        return web.Response(text=LOGIN, content_type="text/html")
    return web.Response(body=file.content, content_type="application/octet-stream")
