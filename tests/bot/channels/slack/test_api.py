"""Calls of Slack's Web API: in turn, repeated where that is safe, and never where it is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from bot.channels.slack.api import AT_ONCE, Api, SlackFailure, open_api
from tests.bot.channels.slack.outgoing import Tokens
from tests.slack_double import SlackDouble
from tests.slack_double.faults import Call


@pytest.fixture
async def api(slack: SlackDouble) -> AsyncIterator[Api]:
    async with open_api(tokens=Tokens(slack), url=slack.api_url, backoff=0.001) as opened:
        yield opened


async def post(api: Api, slack: SlackDouble, text: str = "Hello", *, channel: str = "") -> None:
    await api.call(slack.team, "chat.postMessage", channel=channel or slack.general, text=text)


async def _at_once(_: float) -> None: ...


def texts(slack: SlackDouble) -> list[str]:
    return [message.text for message in slack.messages(slack.general)]


async def test_arguments_of_every_kind_arrive_and_none_is_left_out(api: Api, slack: SlackDouble) -> None:
    block = {"type": "section", "text": {"type": "mrkdwn", "text": "“Größe” 你好"}}
    answer = await api.call(
        slack.team,
        "chat.postMessage",
        channel=slack.general,
        text="x",
        blocks=[block],
        unfurl_links=False,
        thread_ts=None,
    )
    [call] = slack.calls("chat.postMessage")
    assert call.arguments["blocks"] == [block]
    assert call.arguments["unfurl_links"] is False
    assert "thread_ts" not in call.arguments
    assert answer["ts"]


async def test_slacks_error_is_told_with_what_it_says_beside(api: Api, slack: SlackDouble) -> None:
    slack.fail("users.info", "missing_scope", needed="users:read", provided="chat:write")
    with pytest.raises(SlackFailure) as failed:
        await api.call(slack.team, "users.info", user=slack.ann)
    failure = failed.value
    assert (failure.code, failure.method, failure.lost) == ("missing_scope", "users.info", False)
    assert failure.meta["needed"] == "users:read"


async def test_a_limited_call_is_made_again(api: Api, slack: SlackDouble) -> None:
    api.budget.scale = 0.01
    slack.fail("chat.postMessage", retry_after=3, times=2)
    await post(api, slack)
    assert texts(slack) == ["Hello"]
    assert len(slack.calls("chat.postMessage")) == 3


async def test_a_limit_that_comes_with_status_200_is_one_too(api: Api, slack: SlackDouble) -> None:
    api.budget.scale = 0.001
    slack.fail("chat.postMessage", "rate_limited")
    await post(api, slack)
    assert texts(slack) == ["Hello"]


async def test_while_one_channel_waits_another_is_served(api: Api, slack: SlackDouble) -> None:
    slack.fail("chat.postMessage", retry_after=60)
    waiting = asyncio.create_task(post(api, slack, "later"))
    await slack.until(lambda: slack.calls("chat.postMessage"))
    await post(api, slack, "now", channel=slack.dm())
    assert [message.text for message in slack.messages(slack.dm())] == ["now"]
    assert not texts(slack)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_call_does_not_wait_longer_than_its_patience(api: Api, slack: SlackDouble) -> None:
    slack.fail("chat.update", retry_after=60)
    with pytest.raises(SlackFailure) as failed:
        await api.call(
            slack.team,
            "chat.update",
            channel=slack.general,
            ts="1700000000.000100",
            text="x",
            patience=1.0,
        )
    assert failed.value.rate_limited
    assert 50 < failed.value.retry_after <= 60


@pytest.mark.parametrize("how", [{"lost": True}, {"html": True}, {"error": "fatal_error"}])
async def test_a_post_whose_answer_was_lost_is_not_repeated(
    api: Api, slack: SlackDouble, how: dict[str, str | bool]
) -> None:
    slack.fail("chat.postMessage", **how)  # type: ignore[arg-type]
    with pytest.raises(SlackFailure) as failed:
        await post(api, slack)
    assert failed.value.lost
    assert len(slack.calls("chat.postMessage")) == 1


async def test_what_changes_nothing_by_being_repeated_is_repeated(api: Api, slack: SlackDouble) -> None:
    slack.fail("users.info", html=True)
    slack.fail("users.info", lost=True)
    answer = await api.call(slack.team, "users.info", user=slack.ann)
    assert answer["user"]["id"] == slack.ann
    assert len(slack.calls("users.info")) == 3


async def test_an_outage_ends_in_a_failure_that_names_the_status(api: Api, slack: SlackDouble) -> None:
    slack.fail("users.info", html=True, times=None)
    with pytest.raises(SlackFailure, match=r"users\.info: http_503"):
        await api.call(slack.team, "users.info", user=slack.ann)


async def test_a_slack_that_cannot_be_reached_has_surely_done_nothing(
    slack: SlackDouble, unused_tcp_port: int
) -> None:
    url = f"http://127.0.0.1:{unused_tcp_port}/api/"
    async with open_api(tokens=Tokens(slack), url=url, backoff=0.001) as api:
        api.budget.scale = 0.001
        with pytest.raises(SlackFailure) as failed:
            await post(api, slack)
    assert failed.value.code == "connection"
    assert not failed.value.lost


async def test_an_answer_that_does_not_come_is_a_lost_one(api: Api, slack: SlackDouble) -> None:
    slack.fail("chat.postMessage", delay=1.0)
    with pytest.raises(SlackFailure) as failed:
        await post(replace(api, timeout=0.05), slack)
    assert failed.value.code == "timeout"
    assert failed.value.lost


async def test_a_connection_that_does_not_come_about_has_surely_done_nothing(
    api: Api, slack: SlackDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("aiohttp.connector.aiohappyeyeballs.start_connection", never)
    with pytest.raises(SlackFailure) as failed:
        await post(replace(api, connect=0.01, sleep=_at_once), slack)
    assert failed.value.code == "connection"
    assert not failed.value.lost


async def test_a_slow_workspace_does_not_hold_up_another(api: Api, slack: SlackDouble) -> None:
    other = slack.add_workspace("TTWO")
    held: list[Call] = []

    def hold(call: Call) -> bool:
        held.append(call)
        return call.team == slack.team

    slack.fail("users.info", delay=30.0, times=None, when=hold)
    slow = [
        asyncio.create_task(api.call(slack.team, "users.info", urgent=True, user=slack.ann))
        for _ in range(100)
    ]
    await slack.until(lambda: len(held) == AT_ONCE)
    async with asyncio.timeout(5):
        answer = await api.call(other.team, "users.info", user=other.ann)
    assert answer["user"]["id"] == other.ann
    with pytest.raises(SlackFailure, match="ratelimited"):
        await api.call(slack.team, "auth.test", patience=0.01)
    for each in slow:
        each.cancel()
    await asyncio.gather(*slow, return_exceptions=True)


@pytest.mark.parametrize(
    ("said", "waited"), [("1000000", 300.0), ("inf", 5.0), ("nan", 5.0), ("soon", 5.0), ("-1", 5.0)]
)
async def test_no_pause_is_longer_than_five_minutes_whatever_slack_says(
    api: Api, slack: SlackDouble, said: str, waited: float
) -> None:
    slack.fail("users.info", retry_after=said)  # type: ignore[arg-type]
    with pytest.raises(SlackFailure) as failed:
        await api.call(slack.team, "users.info", user=slack.ann, patience=1.0)
    assert waited - 1 < failed.value.retry_after <= waited


async def test_where_the_app_is_not_installed_nothing_is_called(api: Api, slack: SlackDouble) -> None:
    with pytest.raises(SlackFailure, match="not_installed"):
        await api.call("T0NOBODY", "auth.test")
    with pytest.raises(SlackFailure, match="not_installed"):
        await api.token("T0NOBODY")
    assert not slack.calls()


async def test_who_we_are_is_asked_once_and_again_after_a_refusal(api: Api, slack: SlackDouble) -> None:
    bot = await api.bot(slack.team)
    assert (bot.user_id, bot.bot_id, bot.team_id) == (slack.bot, slack.home.bot_id, slack.team)
    assert "chat:write" in bot.scopes
    await api.bot(slack.team)
    assert len(slack.calls("auth.test")) == 1
    slack.fail("users.info", "invalid_auth")
    with pytest.raises(SlackFailure):
        await api.call(slack.team, "users.info", user=slack.ann)
    await api.bot(slack.team)
    assert len(slack.calls("auth.test")) == 2


async def test_no_failure_names_a_token(api: Api, slack: SlackDouble) -> None:
    slack.fail("chat.postMessage", dropped=True)
    with pytest.raises(SlackFailure) as failed:
        await post(api, slack)
    told = repr(failed.value) + repr(failed.value.__cause__) + repr(api)
    assert not any(secret in told for secret in slack.secrets)
