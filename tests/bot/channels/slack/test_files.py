"""Attached files are read when they are text, from Slack's own addresses only; nobody else ever sees a token."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.channels.slack.addresses import Addresses
from bot.channels.slack.api import SlackFailure, open_api
from bot.channels.slack.events import file_of
from bot.channels.slack.files import Files
from bot.channels.slack.meanings import File
from bot.messages import MAX_FILE_CHARS, Attachment
from bot.notices import notice
from tests.bot.channels.slack.outgoing import Tokens
from tests.slack_double import SlackDouble
from tests.slack_double import files as attachments

TEAM = "T0HOME"


def file(name: str, url: str = "", **changed: Any) -> File:
    told = {"id": "F1", "kind": "text", "mime": "text/plain", "size": 10, "mode": "hosted", **changed}
    return File(name=name, url=url, **told)


@pytest.fixture
async def files(slack: SlackDouble) -> AsyncIterator[Files]:
    async with open_api(tokens=Tokens(slack), url=slack.api_url) as api:
        yield Files(api=api, session=api.session, addresses=Addresses(slack.api_url))


def attached(slack: SlackDouble, name: str, content: bytes, **changed: Any) -> File:
    """A file that lies in the double."""
    told = attachments.describe(slack.world, slack.home, name, content, slack.base_url)
    return file_of({"file": told | changed})


async def read(files: Files, *given: File) -> tuple[list[str], list[str]]:
    taken, sentences = await files.read(TEAM, given, language="en")
    return [each.text for each in taken], list(sentences)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"plain\n", "plain\n"),
        ("Größe 文字 🙂".encode(), "Größe 文字 🙂"),
        ("\ufeffwith a mark".encode(), "with a mark"),
        ("wide".encode("utf-16"), "wide"),
        (b"", ""),
    ],
)
async def test_text_is_read(files: Files, slack: SlackDouble, content: bytes, text: str) -> None:
    assert await read(files, attached(slack, "a.txt", content)) == ([text], [])


@pytest.mark.parametrize("content", [b"\xff\xfe\xff", b"\x80abc", b"a\0b", "Größe".encode("latin-1")])
async def test_what_is_no_text_after_all_is_named(files: Files, slack: SlackDouble, content: bytes) -> None:
    assert await read(files, attached(slack, "a.txt", content)) == (
        [],
        [notice("file_no_text", file="a.txt")],
    )


@pytest.mark.parametrize(
    ("name", "mime", "is_text"),
    [
        ("a.py", "text/plain", True),
        ("data.JSON", "application/octet-stream", True),
        ("build.log", "application/octet-stream", True),
        ("table", "text/csv", True),
        ("x", "application/json", True),
        ("cat.png", "image/png", False),
        ("report.pdf", "application/pdf", False),
        ("letter.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", False),
        ("letter.rtf", "text/rtf", False),
        ("songs.mp3", "audio/mpeg", False),
        ("Makefile", "application/octet-stream", False),
    ],
)
async def test_what_counts_as_text(
    files: Files, slack: SlackDouble, name: str, mime: str, is_text: bool
) -> None:
    taken, sentences = await read(files, attached(slack, name, b"x", mimetype=mime))
    assert bool(taken) == is_text
    assert sentences == ([] if is_text else [notice("file_no_text", file=name)])


async def test_all_files_share_one_limit(files: Files, slack: SlackDouble) -> None:
    half = b"x" * (MAX_FILE_CHARS // 2)
    three = [attached(slack, f"{number}.txt", half) for number in range(3)]
    taken, sentences = await read(files, *three)
    assert len(taken) == 2
    assert sentences == [notice("file_oversized", file="2.txt", limit=MAX_FILE_CHARS)]


async def test_a_file_that_says_it_is_large_is_not_fetched(files: Files, slack: SlackDouble) -> None:
    large = attached(slack, "a.txt", b"x", size=10_000_000)
    assert (await read(files, large))[1] == [notice("file_oversized", file="a.txt", limit=MAX_FILE_CHARS)]


async def test_a_file_that_is_larger_than_it_says_is_not_read_to_its_end(
    files: Files, slack: SlackDouble
) -> None:
    liar = attached(slack, "a.txt", b"x" * 10_000_000, size=10)
    assert (await read(files, liar))[1] == [notice("file_oversized", file="a.txt", limit=MAX_FILE_CHARS)]


async def test_a_file_of_another_workspace_is_looked_up_first(files: Files, slack: SlackDouble) -> None:
    whole = attached(slack, "shared.txt", b"hello")
    bare = file("", id=whole.id, mime="", kind="", access="check_file_info")
    taken, _ = await files.read(TEAM, [bare], language="en")
    assert taken == (Attachment("shared.txt", "hello"),)


async def test_a_file_that_slack_does_not_tell_of_is_told_of(files: Files, slack: SlackDouble) -> None:
    bare = file("", id="F0GONE", mime="", kind="", access="check_file_info")
    assert await read(files, bare) == ([], [notice("file_unreachable", file="F0GONE")])


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/files-pri/a.txt",
        "https://slack.com.evil.example/a.txt",
        "https://evilslack.com/a.txt",
        "http://files.slack.com/a.txt",
        "https://files.slack.com:8443/a.txt",
        "https://user:pass@files.slack.com/a.txt",
        "https://[bad/a.txt",
        "https://docs.google.com/document/d/1",
        "",
    ],
)
def test_an_address_elsewhere_is_not_slacks(url: str) -> None:
    assert not Addresses("https://slack.com/api/").own(url)


@pytest.mark.parametrize(
    ("api", "url"),
    [
        ("https://slack.com/api/", "https://files.slack.com/files-pri/T1-F1/a.txt"),
        ("https://slack.com/api/", "https://hooks.slack.com/commands/1/2"),
        ("https://slack-gov.com/api/", "https://files.slack-gov.com/files-pri/T1-F1/a.txt"),
        ("http://127.0.0.1:8080/api/", "http://127.0.0.1:8080/files-pri/a.txt"),
    ],
)
def test_slacks_own_addresses_are_known(api: str, url: str) -> None:
    assert Addresses(api).own(url)


@dataclass
class Stranger:
    """A server that is not Slack's."""

    heard: list[web.Request] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        self.heard.append(request)
        return web.Response(text="thank you for the token")


@pytest.fixture
async def stranger() -> AsyncIterator[tuple[Stranger, str]]:
    listening, application = Stranger(), web.Application()
    application.router.add_route("*", "/{anything:.*}", listening.answer)
    async with TestServer(application) as server:
        yield listening, str(server.make_url("/a.txt"))


async def test_a_stranger_is_never_asked(files: Files, stranger: tuple[Stranger, str]) -> None:
    listening, url = stranger
    assert (await read(files, file("a.txt", url)))[1] == [notice("file_unreachable", file="a.txt")]
    assert not listening.heard


Serve = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def read_from(slack: SlackDouble, serve: Serve, *, mime: str = "text/plain") -> list[str]:
    """What is said about a file that Slack serves in its own way."""
    application = web.Application()
    application.router.add_get("/a.txt", serve)
    async with TestServer(application) as server:
        api_url = str(server.make_url("/api/"))
        async with open_api(tokens=Tokens(slack), url=api_url) as api:
            reader = Files(api=api, session=api.session, addresses=Addresses(api_url))
            return (await read(reader, file("a.txt", str(server.make_url("/a.txt")), mime=mime)))[1]


async def test_a_redirect_elsewhere_is_not_followed(
    slack: SlackDouble, stranger: tuple[Stranger, str]
) -> None:
    async def redirect(request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound(stranger[1])

    assert await read_from(slack, redirect) == [notice("file_unreachable", file="a.txt")]
    assert not stranger[0].heard


async def test_a_page_to_log_in_is_not_taken_for_the_file(slack: SlackDouble) -> None:
    async def page(request: web.Request) -> web.StreamResponse:
        return web.Response(text="<html>Sign in</html>", content_type="text/html")

    assert await read_from(slack, page) == [notice("file_unreachable", file="a.txt")]
    assert await read_from(slack, page, mime="text/html") == []


async def test_a_hiccup_is_tried_again(slack: SlackDouble) -> None:
    statuses = iter((503, 200))

    async def serve(request: web.Request) -> web.StreamResponse:
        return web.Response(status=next(statuses), text="hello")

    assert await read_from(slack, serve) == []


async def test_a_host_that_is_down_is_told_of(slack: SlackDouble) -> None:
    async def serve(request: web.Request) -> web.StreamResponse:
        return web.Response(status=503)

    assert await read_from(slack, serve) == [notice("file_unreachable", file="a.txt")]


async def test_an_upload_goes_to_slack_alone(
    files: Files, slack: SlackDouble, stranger: tuple[Stranger, str]
) -> None:
    slack.web_api.base_url = stranger[1]
    with pytest.raises(SlackFailure, match="foreign_address"):
        await files.bring(TEAM, slack.dm(), "data.json", b"{}", comment="here")
    assert not stranger[0].heard
