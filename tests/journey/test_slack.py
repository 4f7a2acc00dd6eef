"""Slack through the whole house: `frontdesk up` as a process, its starter model, a Slack that watches every call."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections import Counter
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from cryptography.fernet import Fernet

from tests.journey.conftest import House, end, start
from tests.slack_double import Elsewhere, Message, SlackDouble, Workspace, in_thread

LONG = 90.0  # seconds for what a loaded machine has to answer; a deadline, not a pause
TEAMS = ("T0ONE", "T0TWO", "T0THREE")


@pytest.fixture
def outside() -> Iterator[Elsewhere]:
    """A Slack beside the house; at the end nothing was against its contract, and no secret stands in a log."""
    with in_thread() as elsewhere:
        yield elsewhere
        assert elsewhere.slack.violations == []


def run(house: House, outside: Elsewhere, work) -> None:
    """Let a coroutine act on Slack, and see afterwards that the house kept its secrets."""
    try:
        outside.run(work, seconds=3 * LONG)
    finally:
        end(house)
        keeps_its_secrets(house, outside.slack)


def keeps_its_secrets(house: House, slack: SlackDouble) -> None:
    logs = [path.read_text() for path in house.data.rglob("*.log*")]
    assert logs
    for line in [*house.lines, *(line for log in logs for line in log.splitlines())]:
        for secret in slack.secrets:
            assert secret not in line


def finished(slack: SlackDouble, asked: Message) -> list[Message]:
    """The answers to a message, once none of them grows any more and the last one can be rated."""
    answers = slack.answers(asked)
    done = answers and not any(answer.streaming for answer in answers)
    return answers if done and "frontdesk_feedback" in answers[-1].buttons else []


async def answered(slack: SlackDouble, *asked: Message) -> None:
    await slack.until(lambda: all(finished(slack, each) for each in asked), seconds=LONG)


async def install(slack: SlackDouble, workspace: Workspace, url: str) -> None:
    """Somebody lets the app into a workspace; the cookie goes where https would carry it."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as browser:
        async with browser.get(f"{url}/slack/install", allow_redirects=False) as first:
            cookie = first.headers["Set-Cookie"].partition(";")[0]
            (state,) = parse_qs(urlsplit(first.headers["Location"]).query)["state"]
        query = {"state": state, "code": slack.app.grant(workspace)}
        back = f"{url}/slack/oauth_redirect"
        async with browser.get(back, params=query, headers={"Cookie": cookie}) as second:
            assert second.status == 200


def test_a_mention_streams_into_its_thread_and_three_deliveries_give_one_answer(outside, tmp_path):
    slack = outside.slack
    house = start(tmp_path / "data", **slack.environment("socket"))

    async def talk() -> None:
        await slack.until(lambda: len(slack.sockets.open) == 2)
        asked = await slack.say(slack.ann, slack.general, f"{slack.mention} hello", copies=3)
        await answered(slack, asked)
        (answer,) = slack.answers(asked)
        assert answer.thread_ts == asked.ts
        assert answer.text.strip()
        (begun,) = slack.calls("chat.startStream")
        assert begun.arguments["recipient_user_id"] == slack.ann
        assert slack.calls("chat.appendStream", "chat.stopStream")

        follow = await slack.say(slack.ann, slack.general, "and who made you?", thread=asked)
        await slack.until(lambda: len(finished(slack, follow)) == 2, seconds=LONG)
        private = await slack.say(slack.ann, slack.dm(), "are you there?")
        await answered(slack, private)
        await slack.press(slack.answers(private)[-1], "frontdesk_feedback", up=True)

    run(house, outside, talk())


def test_thirty_threads_in_three_workspaces_keep_order_lose_nothing_and_stay_within_every_limit(
    outside, tmp_path
):
    slack = outside.slack
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    workspaces = [slack.add_workspace(team) for team in TEAMS]
    house = start(
        tmp_path / "data",
        "--port",
        str(port),
        SLACK_API_URL=slack.api_url,
        SLACK_SIGNING_SECRET=slack.app.signing_secret,
        SLACK_CLIENT_ID=slack.app.client_id,
        SLACK_CLIENT_SECRET=slack.app.client_secret,
        FRONTDESK_PUBLIC_URL=url,
        FRONTDESK_ENCRYPTION_KEYS=Fernet.generate_key().decode(),
    )

    async def talk() -> None:
        slack.url = f"{url}/slack/events"
        for workspace in workspaces:
            await install(slack, workspace, url)
        slack.rates.enforce(scale=6.0)  # Slack's minute lasts ten seconds
        roots = []
        for workspace in workspaces:
            for number in range(10):
                channel = workspace.add_channel(
                    f"C{workspace.team[1:]}{number}", f"room-{number}", {workspace.ann, workspace.bot}
                )
                roots.append((workspace, channel.id))
        asked = await asyncio.gather(
            *(slack.say(ws.ann, channel, f"{ws.mention} hello") for ws, channel in roots)
        )
        more = await asyncio.gather(
            *(
                slack.say(ws.ann, channel, "who are you?", thread=root)
                for (ws, channel), root in zip(roots, asked, strict=True)
            )
        )
        await slack.until(lambda: all(len(finished(slack, each)) == 2 for each in more), seconds=2 * LONG)
        for root in asked:
            said = [message for message in slack.thread(root.channel, root.ts) if message.text]
            assert Counter(message.user == root.user for message in said) == {True: 2, False: 2}
        assert slack.rates.exceeded == []

    run(house, outside, talk())


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_a_restart_midway_loses_no_message_and_repeats_none(outside, tmp_path, how):
    slack = outside.slack
    data, env = tmp_path / "data", slack.environment("socket")
    first = start(data, **env)
    asked: list[Message] = []

    async def ask() -> None:
        await slack.until(lambda: len(slack.sockets.open) == 2)
        asked.extend(
            [await slack.say(slack.ann, slack.dm(), f"hello number {number}") for number in range(6)]
        )
        await slack.until(lambda: slack.calls("chat.appendStream"), seconds=LONG)

    outside.run(ask(), seconds=2 * LONG)
    first.process.send_signal(how)
    first.process.wait(20)
    second = start(data, **env)

    async def see() -> None:
        await answered(slack, *asked)
        for each in asked:
            (answer,) = slack.answers(each)
            assert not answer.broken
            assert answer.text.strip()

    try:
        run(second, outside, see())
    finally:
        end(first)
