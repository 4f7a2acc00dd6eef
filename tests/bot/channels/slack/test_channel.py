"""The channel as a whole: what comes by HTTP and by sockets is made safe before it is acknowledged, and read once."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import io
import json
import logging
import time
from typing import Any

import aiohttp
import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from bot.channels.base import ChannelOptions
from bot.channels.slack import open_channel
from bot.channels.slack.actions import Actions
from bot.messages import Unavailable
from bot.notices import notice
from bot.variables import Misconfigured
from tests.bot.channels.house import House
from tests.bot.channels.slack.house import Office, office
from tests.slack_double import SlackDouble


@pytest.fixture
def house() -> House:
    return House()


def texts(house: House) -> list[str]:
    return [incoming.text for incoming in house.received]


async def opened(house: House, **variables: str) -> Any:
    options = ChannelOptions(variables={name: SecretStr(value) for name, value in variables.items()})
    async with open_channel(desk=house, options=options) as channel:  # type: ignore[arg-type]
        return channel


# -- set up ------------------------------------------------------------------------------------------------------


async def test_without_variables_there_is_no_channel(house: House) -> None:
    assert await opened(house) is None


async def test_wrong_variables_are_named(house: House) -> None:
    with pytest.raises(Misconfigured, match="SLACK_BOT_TOKEN"):
        await opened(house, SLACK_BOT_TOKEN="xapp-mistaken", SLACK_APP_TOKEN="xapp-1")


async def test_without_a_signing_secret_there_is_no_address_to_send_to(house: House) -> None:
    channel = await opened(house, SLACK_BOT_TOKEN="xoxb-1", SLACK_APP_TOKEN="xapp-1")
    assert not list(channel.routes())
    channel = await opened(house, SLACK_BOT_TOKEN="xoxb-1", SLACK_SIGNING_SECRET="s3cret")
    assert [route.path for route in channel.routes()] == ["/slack/events"]
    assert (channel.name, channel.delivers) == ("slack", True)


async def test_for_many_workspaces_there_are_pages_to_install(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = {"SLACK_CLIENT_ID": "1.2", "SLACK_CLIENT_SECRET": "c", "SLACK_SIGNING_SECRET": "s3cret"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)  # as in real life: bolt looks there, too
    options = ChannelOptions(
        public_url="https://chat.example.com",
        variables={name: SecretStr(value) for name, value in variables.items()},
        keys=[SecretStr(Fernet.generate_key().decode())],
    )
    async with open_channel(desk=house, options=options) as channel:  # type: ignore[arg-type]
        assert channel is not None
        paths = [route.path for route in channel.routes()]  # type: ignore[attr-defined]
    assert paths == ["/slack/events", "/slack/install", "/slack/oauth_redirect"]


# -- by HTTP -----------------------------------------------------------------------------------------------------


async def post(
    at: Office, body: str, *, secret: str = "", age: float = 0.0, kind: str = "json"
) -> tuple[int, str]:
    """A request as Slack signs it, or as somebody else does."""
    secret = secret or at.slack.app.signing_secret
    stamp = str(int(time.time() - age))
    raw = body.encode("utf-8", "surrogateescape")
    signature = hmac.new(secret.encode(), f"v0:{stamp}:".encode() + raw, hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": f"application/{kind}",
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": f"v0={signature}",
    }
    async with (
        aiohttp.ClientSession() as session,
        session.post(at.slack.url, data=io.BytesIO(raw), headers=headers) as response,
    ):
        return response.status, await response.text()


async def test_slack_verifies_our_address(slack: SlackDouble, house: House) -> None:
    async with office(slack, house) as at:
        status, said = await post(at, json.dumps({"type": "url_verification", "challenge": "3eZbrw1aB"}))
        assert (status, json.loads(said)) == (200, {"challenge": "3eZbrw1aB"})


async def test_what_slack_did_not_sign_is_refused(slack: SlackDouble, house: House) -> None:
    event = {
        "type": "event_callback",
        "team_id": slack.team,
        "event": {"type": "app_home_opened", "user": "U1"},
    }
    async with office(slack, house) as at:
        assert (await post(at, json.dumps(event), secret="guessed"))[0] == 401
        assert (await post(at, json.dumps(event), age=600))[0] == 401
        assert not house.kept
        assert (await post(at, json.dumps(event)))[0] == 200
        assert len(house.kept) == 1


@pytest.mark.parametrize(
    "body",
    [
        "{",
        '{"event":' * 5_000,
        "",
        "[]",
        "payload=%7B",
        '{"event": 1, "authorizations": [7]}',
        '{"team": {"id": []}, "user": 3}',
        "\udcff\udcfe{",
        "x" * 2_000_000,
    ],
)
async def test_what_cannot_be_read_is_refused_without_ado(
    slack: SlackDouble, house: House, body: str
) -> None:
    async with office(slack, house) as at:
        status, _ = await post(at, body, secret="guessed")
        assert status in (400, 401, 413)


async def test_a_delivery_that_does_not_come_to_its_end_is_not_waited_for(
    slack: SlackDouble, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.channels.slack.bolt.BODY_SECONDS", 0.1)
    left = asyncio.Event()

    async def slow() -> Any:
        yield b"{"
        await left.wait()

    async with (
        office(slack, house) as at,
        aiohttp.ClientSession() as session,
        session.post(at.slack.url, data=slow()) as response,
    ):
        assert response.status == 408
        left.set()


@pytest.mark.parametrize(
    "event",
    [
        {"type": "reaction_added", "user": "U1", "reaction": "eyes"},
        {"type": "message", "subtype": "channel_topic", "channel": "C1", "ts": "1.0", "user": "U1"},
        {"type": "something_new_of_2027"},
    ],
)
async def test_no_event_is_unknown(slack: SlackDouble, house: House, event: dict[str, Any]) -> None:
    async with office(slack, house) as at:
        body = {"type": "event_callback", "team_id": slack.team, "event_id": "Ev1", "event": event}
        assert (await post(at, json.dumps(body)))[0] == 200
        assert not house.kept


async def test_a_request_sent_twice_within_its_window_is_read_once(slack: SlackDouble, house: House) -> None:
    async with office(slack, house) as at:
        said = await slack.say(slack.ann, slack.dm(), "hello", deliver=False)
        (event,) = slack.events(said)
        for _ in range(3):
            assert (await post(at, json.dumps(event)))[0] == 200
        await at.idle()
    assert texts(house) == ["hello"]


async def test_when_auth_test_fails_nothing_is_lost(slack: SlackDouble, house: House) -> None:
    slack.fail("auth.test", "internal_error", times=None)
    async with office(slack, house) as at:
        await at.say(slack.ann, slack.dm(), "hello")
    assert texts(house) == ["hello"]


async def test_what_cannot_be_kept_is_not_acknowledged(slack: SlackDouble, house: House) -> None:
    async with office(slack, house) as at:
        said = await slack.say(slack.ann, slack.dm(), "hello", deliver=False)
        (event,) = slack.events(said)
        house.away = True
        assert (await post(at, json.dumps(event)))[0] == 503
        house.away = False
        assert (await post(at, json.dumps(event)))[0] == 200
        await at.idle()
    assert texts(house) == ["hello"]


async def test_what_failed_is_read_again(slack: SlackDouble, house: House) -> None:
    async with office(slack, house) as at:
        receive, tries = house.receive, iter((True, True, False))

        async def failing(incoming: Any) -> Any:
            if next(tries):
                raise ConnectionError("no luck")
            return await receive(incoming)

        house.receive = failing  # type: ignore[method-assign]
        await at.say(slack.ann, slack.dm(), "hello")
        assert len(house.failures) == 2
    assert texts(house) == ["hello"]


async def test_what_was_kept_before_a_crash_is_read_after_it(slack: SlackDouble, house: House) -> None:
    async with office(slack, house) as at:
        house.away = True
        house.keep, keep = _keeping(house), house.keep  # type: ignore[method-assign]
        await slack.say(slack.ann, slack.dm(), "hello")
        assert not at.house.received
    house.away, house.keep = False, keep  # type: ignore[method-assign]
    async with office(slack, house) as at:
        house._kept.set()
        await at.idle()
    assert texts(house) == ["hello"]


def _keeping(house: House) -> Any:
    """The events' part of the house works while the rest is away."""
    keep = house.keep

    async def kept(channel: str, **event: Any) -> bool:
        house.away = False
        try:
            return await keep(channel, **event)
        finally:
            house.away = True

    return kept


async def test_no_verification_token_is_kept(slack: SlackDouble, house: House) -> None:
    async with office(slack, house) as at:
        await at.say(slack.ann, slack.dm(), "hello")
        await slack.command("/frontdesk", "help")
        await at.idle()
    assert len(house.kept) == 2
    assert not any("token" in body for _, body in house.kept.values())


# -- by sockets --------------------------------------------------------------------------------------------------


async def test_two_sockets_bring_what_people_say(slack: SlackDouble, house: House) -> None:
    async with office(slack, house, mode="socket") as at:
        for number in range(4):
            await at.say(slack.ann, slack.dm(), f"part {number}")
        await slack.command("/frontdesk", "model")
        await at.idle()
        assert at.whispers(slack.ann) == [notice("model", model="starter")]
    assert texts(house) == [f"part {number}" for number in range(4)]


@pytest.mark.parametrize("reason", ["refresh_requested", "warning", "link_disabled", ""])
async def test_a_socket_that_ends_is_replaced_and_nothing_is_lost(
    slack: SlackDouble, house: House, reason: str
) -> None:
    async with office(slack, house, mode="socket") as at:
        await slack.disconnect(reason=reason, count=1)
        await at.say(slack.ann, slack.dm(), "meanwhile")
        await slack.until(lambda: slack.sockets.opened >= 3 and len(slack.sockets.open) == 2)
        await at.say(slack.ann, slack.dm(), "afterwards")
    assert texts(house) == ["meanwhile", "afterwards"]


async def test_a_socket_that_slack_does_not_want_is_not_opened_again_at_once(
    slack: SlackDouble, house: House
) -> None:
    async with office(slack, house, mode="socket") as at:
        paused: list[float] = []

        async def sleep(seconds: float) -> None:
            paused.append(seconds)
            await asyncio.Event().wait()

        object.__setattr__(at.channel.sockets, "sleep", sleep)
        await slack.disconnect(reason="too_many_websockets")
        await slack.until(lambda: len(paused) == 2)
        assert not slack.sockets.open


async def test_an_envelope_that_breaks_bolt_breaks_no_connection(slack: SlackDouble, house: House) -> None:
    async with office(slack, house, mode="socket") as at:
        with pytest.raises(TimeoutError):
            await slack.sockets.send(
                "events_api", {"event": 1, "authorizations": [7]}, seconds=0.2, attempt=0, reason=""
            )
        await at.say(slack.ann, slack.dm(), "hello")
        assert slack.sockets.opened == 2
    assert texts(house) == ["hello"]


async def test_an_acknowledgement_that_goes_astray_costs_nothing(slack: SlackDouble, house: House) -> None:
    async with office(slack, house, mode="socket") as at:
        slack.sockets.deaf = 1
        slack.courier.ack_seconds = 0.1
        await at.say(slack.ann, slack.dm(), "hello")
    assert texts(house) == ["hello"]


async def test_each_try_to_connect_has_a_ticket_of_its_own(slack: SlackDouble, house: House) -> None:
    slack.fail("apps.connections.open", "internal_error", times=2)
    async with office(slack, house, mode="socket") as at:
        await at.say(slack.ann, slack.dm(), "hello")
    assert texts(house) == ["hello"]


async def test_both_ways_bring_a_message_once(slack: SlackDouble, house: House) -> None:
    async with office(slack, house, mode="both") as at:
        said = await at.say(slack.ann, slack.dm(), "hello")
        (event,) = slack.events(said)
        assert (await post(at, json.dumps(event)))[0] == 200
        await at.idle()
    assert texts(house) == ["hello"]


# -- workspaces --------------------------------------------------------------------------------------------------


async def test_a_workspace_that_throws_us_out_is_left_alone(slack: SlackDouble, house: House) -> None:
    dropped: list[tuple[str, float]] = []

    class Installations:
        async def token(self, team: str, enterprise: str = "") -> str | None:
            return None if dropped else slack.home.bot_token

        async def drop(self, team: str, enterprise: str = "", *, at: float) -> None:
            dropped.append((team, at))

    async with office(slack, house) as at:
        object.__setattr__(at.channel.reader, "installations", Installations())
        await slack.uninstall(slack.team)
        await at.idle()
        assert [team for team, _ in dropped] == [slack.team, slack.team]
        assert all(time.time() - when < 60 for _, when in dropped)
        await at.say(slack.ann, slack.dm(), "hello?")
        assert not house.failures
    assert not house.received


async def test_a_token_that_is_taken_back_stops_no_reading(slack: SlackDouble, house: House) -> None:
    async with office(slack, house) as at:
        slack.home.dead = "token_revoked"
        await slack.command("/frontdesk", "hello")
        await asyncio.wait_for(at.idle(), 5)
        assert not house.failures


@pytest.mark.parametrize("error", [Unavailable("the shelf is away"), AttributeError("a mistake of ours")])
async def test_whatever_goes_wrong_with_a_form_harms_nothing_else(
    slack: SlackDouble, house: House, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def failing(*_: object) -> None:
        raise error

    monkeypatch.setattr(Actions, "ask_why", failing)
    async with office(slack, house) as at:
        await at.say(slack.ann, slack.general, f"{slack.mention} hello")
        shown = await at.answer(house.received[0], "Hello!")
        await at.pressed(shown, "frontdesk_feedback", up=False, user=slack.ann)
        await at.say(slack.ann, slack.dm(), "still there?")
    assert texts(house) == ["hello", "still there?"]
    assert list(house.rated)


# -- secrets -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["http", "socket"])
async def test_no_secret_is_ever_logged(
    slack: SlackDouble,
    house: House,
    caplog: pytest.LogCaptureFixture,
    logged: list[Any],
    mode: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    slack.fail("apps.connections.open", "invalid_auth")
    async with office(slack, house, mode=mode) as at:
        slack.fail("users.info", status=503, html=True)
        await at.say(slack.ann, slack.dm(), "hello", files=[("a.txt", b"text")], subtype="file_share")
        await at.answer(house.received[0], "Hello!")
        await slack.open_home(slack.ann)
        await at.idle()
    told = f"{logged}{caplog.text}{at.channel!r}"
    assert not [secret for secret in slack.secrets if secret in told]
    assert "ticket=" not in told
