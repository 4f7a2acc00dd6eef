"""The Slack double itself: what it takes, what it refuses, and how it tells an app what happens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient

from tests.slack_double import Message, SlackDouble, Undelivered, in_thread
from tests.slack_double.kit import wrong_blocks, wrong_view

BUTTONS = [
    {
        "type": "context_actions",
        "elements": [
            {
                "type": "feedback_buttons",
                "action_id": "thumbs",
                "positive_button": {"text": {"type": "plain_text", "text": "Good"}, "value": "7:1"},
                "negative_button": {"text": {"type": "plain_text", "text": "Bad"}, "value": "7:-1"},
            }
        ],
    },
    {
        "type": "actions",
        "elements": [
            {
                "type": "button",
                "action_id": "again",
                "text": {"type": "plain_text", "text": "Again"},
                "value": "7",
            }
        ],
    },
]
MODAL = {
    "type": "modal",
    "callback_id": "why",
    "title": {"type": "plain_text", "text": "Why?"},
    "submit": {"type": "plain_text", "text": "Send"},
    "blocks": [
        {
            "type": "input",
            "block_id": "b",
            "label": {"type": "plain_text", "text": "Reason"},
            "element": {"type": "plain_text_input", "action_id": "reason"},
        }
    ],
}


@pytest.fixture
async def client(slack: SlackDouble) -> AsyncIterator[AsyncWebClient]:
    async with aiohttp.ClientSession() as session:
        yield AsyncWebClient(slack.home.bot_token, base_url=slack.api_url, session=session, retry_handlers=[])


async def error_of(call: Awaitable[Any]) -> str:
    with pytest.raises(SlackApiError) as caught:
        await call
    return str(caught.value.response["error"])


@dataclass
class Listener:
    """An app that listens by HTTP. `answers` are the statuses of its next answers; then 200."""

    secret: str
    url: str = ""
    answers: list[int] = field(default_factory=list)
    body: Any = None
    more_headers: dict[str, str] = field(default_factory=dict)
    got: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        text = await request.text()
        verifier = SignatureVerifier(self.secret)
        if not verifier.is_valid_request(text, dict(request.headers)):
            return web.Response(status=401)
        if request.content_type == "application/json":
            self.got.append(json.loads(text))
        else:
            form = dict(await request.post())
            self.got.append(json.loads(str(form["payload"])) if "payload" in form else form)
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        status = self.answers.pop(0) if self.answers else 200
        if self.body:
            return web.json_response(self.body, status=status)
        return web.Response(status=status, headers=self.more_headers)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [got["event"] for got in self.got if "event" in got]

    def events_of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]


@pytest.fixture
async def app(slack: SlackDouble) -> AsyncIterator[Listener]:
    listener = Listener(slack.app.signing_secret)
    application = web.Application()
    application.router.add_post("/slack/events", listener.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    slack.url = f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
    yield listener
    await runner.cleanup()


# -- the contract ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "arguments", "said"),
    [
        ("chat.postMessage", {"text": "hi"}, "channel is required"),
        (
            "chat.postMessage",
            {"channel": "C1A", "text": "hi", "reply_to": "1"},
            "there is no argument reply_to",
        ),
        ("chat.postMessage", {"channel": "general", "text": "hi"}, "does not look like"),
        ("chat.postMessage", {"channel": "C1A", "text": 7}, "must be string"),
        ("chat.postMessage", {"channel": "C1A", "text": "hi", "unfurl_links": "no"}, "must be boolean"),
        ("chat.postMessage", {"channel": "C1A", "blocks": "[{"}, "is not JSON"),
        ("agents.sessions.setStatus", {"channel_id": "C1A", "status": "busy"}, "must be one of active"),
        (
            "assistant.threads.setStatus",
            {"channel_id": "C1A", "thread_ts": "1", "status": "", "loading_messages": ["a"] * 11},
            "is longer than 10",
        ),
        (
            "assistant.threads.setSuggestedPrompts",
            {"channel_id": "C1A", "prompts": ["a"]},
            "title and message",
        ),
        (
            "chat.appendStream",
            {"channel": "C1A", "ts": "yesterday", "markdown_text": "a"},
            "does not look like",
        ),
        ("views.publish", {"user_id": "U1A", "view": MODAL}, "must be a view of type home"),
        ("users.info", {"user": "U1A"}, "takes no JSON body"),
        ("chat.rewrite", {}, "there is no such method"),
    ],
)
async def test_a_call_against_the_reference_is_refused_and_remembered(
    slack: SlackDouble, method: str, arguments: dict[str, Any], said: str
) -> None:
    headers = {"Authorization": f"Bearer {slack.home.bot_token}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(slack.api_url + method, json=arguments) as answer,
    ):
        assert not (await answer.json())["ok"]
    assert any(said in violation for violation in slack.violations), slack.violations
    slack.violations.clear()


async def test_what_the_sdk_sends_is_within_the_reference(slack: SlackDouble, client: AsyncWebClient) -> None:
    slack.home.scopes.add("reactions:write")
    posted = await client.chat_postMessage(channel=slack.general, text="root", unfurl_links=False)
    await client.chat_update(channel=slack.general, ts=posted["ts"], text="root, changed", blocks=BUTTONS)
    await client.agents_sessions_setStatus(
        channel_id=slack.general, thread_ts=posted["ts"], status="processing"
    )
    await client.assistant_threads_setStatus(
        channel_id=slack.general, thread_ts=posted["ts"], status="thinks", loading_messages=["one", "two"]
    )
    assert slack.status(slack.general, posted["ts"]) == "thinks"
    stream = await client.chat_stream(
        channel=slack.general,
        thread_ts=posted["ts"],
        recipient_team_id=slack.team,
        recipient_user_id=slack.ann,
        buffer_size=1,
    )
    await stream.append(markdown_text="**One**")
    await stream.append(markdown_text=" two")
    metadata = {"event_type": "frontdesk_answer", "event_payload": {"question": 1, "part": 0}}
    await stream.stop(blocks=BUTTONS, metadata=metadata, session_status="active")
    await client.users_info(user=slack.ann, include_locale=True)
    await client.conversations_open(users=slack.li)
    await client.views_publish(user_id=slack.ann, view={"type": "home", "blocks": []})
    await client.reactions_add(channel=slack.general, name="eyes", timestamp=posted["ts"])
    replies = await client.conversations_replies(
        channel=slack.general, ts=posted["ts"], oldest=posted["ts"], include_all_metadata=True
    )
    assert [message["text"] for message in replies["messages"]] == ["root, changed", "**One** two"]
    assert replies["messages"][1]["metadata"] == metadata
    assert slack.session(slack.general, posted["ts"]).history == ["processing", "active"]


async def test_metadata_is_told_only_when_asked_for(slack: SlackDouble, client: AsyncWebClient) -> None:
    metadata = {"event_type": "frontdesk_answer", "event_payload": {}}
    posted = await client.chat_postMessage(channel=slack.general, text="a", metadata=metadata)
    replies = await client.conversations_replies(channel=slack.general, ts=posted["ts"])
    assert "metadata" not in replies["messages"][0]


async def test_blocks_that_slack_would_not_take_are_a_violation(
    slack: SlackDouble, client: AsyncWebClient
) -> None:
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "a" * 3001}}]
    assert (
        await error_of(client.chat_postMessage(channel=slack.general, text="a", blocks=blocks))
        == "invalid_blocks"
    )
    assert "must have 1 to 3000 characters" in slack.violations[0]
    slack.violations.clear()


SECTION = {"type": "section", "text": {"type": "mrkdwn", "text": "a"}}


@pytest.mark.parametrize(
    ("blocks", "said"),
    [
        ([{"type": "video"}], "unknown type"),
        ([SECTION] * 51, "more than 50 blocks"),
        ([{**SECTION, "block_id": "b"}] * 2, "one block_id"),
        ([{"type": "header", "text": {"type": "mrkdwn", "text": "a"}}], "must be plain_text"),
        ([{"type": "actions", "elements": []}], "needs 1 to 25"),
        (
            [{"type": "context_actions", "elements": BUTTONS[1]["elements"]}],
            "does not go into context_actions",
        ),
        ([{"type": "actions", "elements": BUTTONS[0]["elements"] * 2}], "one action_id"),
        ([{**SECTION, "accessory": {"type": "button", "action_id": "a"}}], "text must be plain_text"),
        (MODAL["blocks"], "does not go into a message"),
    ],
)
def test_block_kit_is_known(blocks: list[dict[str, Any]], said: str) -> None:
    assert any(said in problem for problem in wrong_blocks(blocks)), wrong_blocks(blocks)


def test_a_view_has_rules_of_its_own() -> None:
    assert wrong_view(MODAL) == []
    assert wrong_view({**MODAL, "title": {"type": "plain_text", "text": "a" * 25}})
    assert wrong_view({"type": "home", "blocks": [{"type": "markdown", "text": "a"}]})


# -- who may ----------------------------------------------------------------------------------------------------------


async def test_tokens_scopes_and_membership_are_checked(slack: SlackDouble, client: AsyncWebClient) -> None:
    assert (await client.auth_test())["user_id"] == slack.bot
    assert "chat:write" in (await client.auth_test()).headers["x-oauth-scopes"]
    assert await error_of(client.auth_test(token="xoxb-wrong")) == "invalid_auth"
    assert await error_of(client.chat_postMessage(channel=slack.side, text="a")) == "not_in_channel"
    slack.home.scopes.discard("users:read")
    with pytest.raises(SlackApiError) as caught:
        await client.users_info(user=slack.ann)
    assert caught.value.response["needed"] == "users:read"
    slack.home.dead = "token_revoked"
    assert await error_of(client.auth_test()) == "token_revoked"


async def test_a_code_becomes_a_token_once(slack: SlackDouble) -> None:
    other = slack.add_workspace("T0OTHER")
    form = {"client_id": slack.app.client_id, "client_secret": slack.app.client_secret}
    form["code"] = slack.app.grant(other)
    async with aiohttp.ClientSession() as session:
        async with session.post(f"{slack.api_url}oauth.v2.access", data=form) as answer:
            granted = await answer.json()
        async with session.post(f"{slack.api_url}oauth.v2.access", data=form) as answer:
            assert (await answer.json())["error"] == "invalid_code"
    assert (granted["access_token"], granted["team"]["id"]) == (other.bot_token, "T0OTHER")


# -- streams ----------------------------------------------------------------------------------------------------------


async def started(slack: SlackDouble, client: AsyncWebClient) -> tuple[Message, dict[str, str]]:
    asked = await slack.say(slack.ann, slack.dm(), "hello", deliver=False)
    answer = await client.chat_startStream(channel=asked.channel, thread_ts=asked.ts, markdown_text="One")
    return asked, {"channel": asked.channel, "ts": answer["ts"]}


async def test_a_channel_needs_the_recipient_of_a_stream(slack: SlackDouble, client: AsyncWebClient) -> None:
    asked = await slack.say(slack.ann, slack.general, "hello", deliver=False)
    call = client.chat_startStream(channel=asked.channel, thread_ts=asked.ts)
    assert await error_of(call) == "missing_recipient_team_id"


async def test_an_open_stream_is_not_edited_and_an_expired_one_only_that(
    slack: SlackDouble, client: AsyncWebClient
) -> None:
    asked, stream = await started(slack, client)
    assert await error_of(client.chat_update(**stream, text="a")) == "streaming_state_conflict"
    (dead,) = slack.expire_streams()
    for call in (client.chat_appendStream(**stream, markdown_text="a"), client.chat_stopStream(**stream)):
        assert await error_of(call) == "message_not_in_streaming_state"
    assert dead.broken
    await client.chat_update(**stream, markdown_text="One and all")
    assert [(answer.text, answer.broken) for answer in slack.answers(asked)] == [("One and all", False)]


async def test_a_stream_dies_by_itself(slack: SlackDouble, client: AsyncWebClient) -> None:
    now = 1_800_000_000.0
    slack.world.clock = lambda: now
    _, stream = await started(slack, client)
    now += 299
    await client.chat_appendStream(**stream, markdown_text=" two")
    now += 2
    assert await error_of(client.chat_stopStream(**stream)) == "message_not_in_streaming_state"


async def test_the_stop_button_ends_the_stream(
    slack: SlackDouble, client: AsyncWebClient, app: Listener
) -> None:
    slack.echoing = False
    asked, stream = await started(slack, client)
    await slack.stop_session(asked.channel, asked.ts)
    assert app.events[0]["streaming_message_ts"] == [stream["ts"]]
    assert await error_of(client.chat_appendStream(**stream, markdown_text="a")) == "stopped_by_user"


async def test_a_message_holds_only_so_much(slack: SlackDouble, client: AsyncWebClient) -> None:
    _, stream = await started(slack, client)
    await client.chat_appendStream(**stream, markdown_text="a" * 12_000)
    assert (
        await error_of(client.chat_appendStream(**stream, markdown_text="a" * 1_300)) == "msg_blocks_too_long"
    )
    await client.chat_stopStream(**stream)
    assert await error_of(client.chat_update(**stream, text="a" * 4_001)) == "msg_too_long"
    too_long = client.chat_postMessage(channel=slack.general, markdown_text="a" * 12_001)
    assert await error_of(too_long) == "msg_too_long"
    long = await client.chat_postMessage(channel=slack.general, text="a" * 40_001)
    assert long["response_metadata"]["warnings"] == ["message_truncated"]


# -- what goes wrong --------------------------------------------------------------------------------------------------


async def test_faults_happen_to_the_calls_they_are_meant_for(
    slack: SlackDouble, client: AsyncWebClient
) -> None:
    slack.fail("chat.postMessage", "is_archived", when=lambda call: call.arguments["text"] == "b")
    await client.chat_postMessage(channel=slack.general, text="a")
    assert await error_of(client.chat_postMessage(channel=slack.general, text="b")) == "is_archived"
    await client.chat_postMessage(channel=slack.general, text="b")
    assert [call.ok for call in slack.calls("chat.postMessage")] == [True, False, True]


async def test_a_limit_names_its_seconds(slack: SlackDouble, client: AsyncWebClient) -> None:
    slack.fail("auth.test", retry_after=7)
    with pytest.raises(SlackApiError) as caught:
        await client.auth_test()
    assert (caught.value.response.status_code, caught.value.response.headers["Retry-After"]) == (429, "7")


async def test_a_failing_slack_answers_in_html(slack: SlackDouble, client: AsyncWebClient) -> None:
    slack.fail("auth.test", status=503, html=True)
    with pytest.raises(SlackApiError) as caught:
        await client.auth_test()
    assert caught.value.response.status_code == 503


async def test_a_lost_answer_was_done_and_a_dropped_call_was_not(
    slack: SlackDouble, client: AsyncWebClient
) -> None:
    slack.fail("chat.postMessage", lost=True)
    slack.fail("chat.postMessage", dropped=True)
    for _ in range(2):
        with pytest.raises(aiohttp.ClientError):
            await client.chat_postMessage(channel=slack.general, text="a")
    assert [message.text for message in slack.messages(slack.general)] == ["a"]


async def test_tiers_are_counted_and_refused_when_enforced(
    slack: SlackDouble, client: AsyncWebClient
) -> None:
    now = 0.0
    slack.rates.enforce(clock=lambda: now)
    for _ in range(20):
        await client.users_list()
    with pytest.raises(SlackApiError) as caught:
        await client.users_list()
    assert caught.value.response.headers["Retry-After"] == "60"
    assert [(exceeded.method, exceeded.what) for exceeded in slack.rates.exceeded] == [("users.list", "t2")]
    now = 60.0
    await client.users_list()


async def test_a_channel_takes_a_message_a_second(slack: SlackDouble, client: AsyncWebClient) -> None:
    now = 0.0
    slack.rates.enforce(clock=lambda: now)
    for _ in range(3):
        await client.chat_postMessage(channel=slack.general, text="a")
    assert await error_of(client.chat_postMessage(channel=slack.general, text="a")) == "ratelimited"
    await client.chat_postMessage(channel=slack.dm(), text="a")
    now = 1.0
    await client.chat_postMessage(channel=slack.general, text="a")


# -- events -----------------------------------------------------------------------------------------------------------


async def test_a_mention_in_a_channel_comes_as_two_events_of_one_message(
    slack: SlackDouble, app: Listener
) -> None:
    asked = await slack.say(slack.ann, slack.general, f"{slack.mention} hello")
    assert {event["type"] for event in app.events} == {"message", "app_mention"}
    assert {event["ts"] for event in app.events} == {asked.ts}
    assert len({got["event_id"] for got in app.got}) == 2


async def test_a_mention_where_the_app_is_not_is_not_told(slack: SlackDouble, app: Listener) -> None:
    await slack.say(slack.ann, slack.side, f"{slack.mention} hello")
    assert app.got == []


async def test_an_event_is_repeated_until_it_is_acknowledged(slack: SlackDouble, app: Listener) -> None:
    app.answers = [500, 500]
    await slack.say(slack.ann, slack.dm(), "hello")
    assert len({got["event_id"] for got in app.got}) == 1
    assert [headers.get("x-slack-retry-num") for headers in app.headers] == [None, "1", "2"]
    assert app.headers[1]["x-slack-retry-reason"] == "http_error"


async def test_an_event_that_nobody_acknowledges_is_given_up(slack: SlackDouble, app: Listener) -> None:
    slack.courier.retry_pauses = (0.0, 0.0, 0.0)
    app.answers = [404] * 4
    with pytest.raises(Undelivered):
        await slack.say(slack.ann, slack.dm(), "hello")
    assert len(app.got) == 4


async def test_an_event_comes_as_often_as_one_likes(slack: SlackDouble, app: Listener) -> None:
    await slack.say(slack.ann, slack.dm(), "hello", copies=3)
    assert len(app.got) == 3
    assert len({got["event_id"] for got in app.got}) == 1


async def test_events_come_out_of_order_when_held(slack: SlackDouble, app: Listener) -> None:
    async with slack.held() as held:
        for text in ("one", "two"):
            await slack.say(slack.ann, slack.dm(), text)
        held.reverse()
    assert [event["text"] for event in app.events] == ["two", "one"]


async def test_edits_deletions_and_tombstones_are_told(slack: SlackDouble, app: Listener) -> None:
    root = await slack.say(slack.ann, slack.general, "one")
    reply = await slack.say(slack.li, slack.general, "two", thread=root)
    await slack.edit(root, "one, changed")
    await slack.delete(root)
    await slack.delete(reply)
    told = app.events[2:]
    assert [event["subtype"] for event in told] == ["message_changed", "message_changed", "message_deleted"]
    assert told[0]["previous_message"]["text"] == "one"
    assert told[1]["message"]["subtype"] == "tombstone"
    assert told[2]["deleted_ts"] == reply.ts


async def test_the_app_hears_its_own_messages(
    slack: SlackDouble, client: AsyncWebClient, app: Listener
) -> None:
    await client.chat_postMessage(channel=slack.general, text="mine")
    await slack.until(lambda: app.got)
    assert app.events[0]["bot_id"] == slack.home.bot_id
    assert slack.deliveries == []


async def test_an_app_may_refuse_other_attempts(slack: SlackDouble, app: Listener) -> None:
    app.answers, app.more_headers = [500], {"x-slack-no-retry": "1"}
    with pytest.raises(Undelivered):
        await slack.say(slack.ann, slack.dm(), "hello")
    assert len(app.got) == 1


async def test_an_event_that_the_app_did_not_ask_for_does_not_come(slack: SlackDouble, app: Listener) -> None:
    slack.world.subscriptions = frozenset({"app_mention"})
    await slack.say(slack.ann, slack.general, f"{slack.mention} hello")
    assert [event["type"] for event in app.events] == ["app_mention"]


async def test_an_app_that_is_thrown_out_hears_it_and_nothing_more(
    slack: SlackDouble, client: AsyncWebClient, app: Listener
) -> None:
    await slack.uninstall(slack.team)
    await slack.say(slack.ann, slack.dm(), "hello")
    assert [event["type"] for event in app.events] == ["app_uninstalled", "tokens_revoked"]
    assert await error_of(client.auth_test()) == "account_inactive"


async def test_the_stop_button_needs_its_event(slack: SlackDouble, client: AsyncWebClient) -> None:
    slack.world.subscriptions = frozenset({"message.im"})
    asked = await slack.say(slack.ann, slack.dm(), "hello", deliver=False)
    call = client.agents_sessions_setStatus(channel_id=asked.channel, thread_ts=asked.ts, status="processing")
    assert (await call)["response_metadata"]["warnings"] == [
        "missing_agent_session_stopped_event_subscription"
    ]


@pytest.mark.parametrize(
    ("text", "pings"),
    [
        ("<!channel> and <@U0HOMEANN>", ["<!channel>", "<@U0HOMEANN>"]),
        ("<!subteam^S123> @here", ["<!subteam^S123>", "@here"]),
        ("<!\u2060channel> @\u2060here", []),
    ],
)
async def test_who_is_called_by_a_message_is_known(
    slack: SlackDouble, client: AsyncWebClient, text: str, pings: list[str]
) -> None:
    await client.chat_postMessage(channel=slack.general, markdown_text=text)
    assert slack.messages(slack.general)[0].pings == pings


async def test_a_url_is_verified_and_a_flood_announced(slack: SlackDouble, app: Listener) -> None:
    app.body = {"challenge": "another"}
    with pytest.raises(AssertionError, match="another"):
        await slack.verify_url()
    await slack.limit_events(slack.team)
    assert [got["type"] for got in app.got] == ["url_verification", "app_rate_limited"]


async def test_files_need_the_token(slack: SlackDouble, app: Listener) -> None:
    await slack.say(slack.ann, slack.dm(), "", files=[("notes.txt", b"secret")])
    (event,) = app.events
    assert event["subtype"] == "file_share"
    headers = {"Authorization": f"Bearer {slack.home.bot_token}"}
    async with aiohttp.ClientSession() as session:
        async with session.get(event["files"][0]["url_private"]) as answer:
            assert (answer.status, answer.content_type) == (200, "text/html")
        async with session.get(event["files"][0]["url_private"], headers=headers) as answer:
            assert await answer.read() == b"secret"


async def test_a_file_is_uploaded_in_two_steps(slack: SlackDouble, client: AsyncWebClient) -> None:
    await client.files_upload_v2(
        channel=slack.general, filename="data.json", content="{}", initial_comment="Here"
    )
    (message,) = slack.messages(slack.general)
    assert (message.text, message.files[0]["name"]) == ("Here", "data.json")


# -- interactions -----------------------------------------------------------------------------------------------------


async def test_a_button_is_pressed_and_a_form_filled_in(
    slack: SlackDouble, client: AsyncWebClient, app: Listener
) -> None:
    slack.echoing = False
    posted = await client.chat_postMessage(channel=slack.general, text="a", blocks=BUTTONS)
    (message,) = slack.messages(slack.general)
    await slack.press(message, "thumbs", up=False)
    (pressed,) = app.got
    assert pressed["actions"][0]["value"] == "7:-1"
    assert pressed["container"]["message_ts"] == posted["ts"]
    await client.views_open(trigger_id=pressed["trigger_id"], view=MODAL)
    assert (
        await error_of(client.views_open(trigger_id=pressed["trigger_id"], view=MODAL))
        == "exchanged_trigger_id"
    )
    (modal,) = slack.modals()
    await slack.submit(modal, {"reason": "wrong"})
    assert app.got[-1]["view"]["state"]["values"]["b"]["reason"]["value"] == "wrong"
    assert slack.modals() == []


async def test_only_what_is_there_can_be_pressed(slack: SlackDouble, client: AsyncWebClient) -> None:
    await client.chat_postMessage(channel=slack.general, text="a")
    (message,) = slack.messages(slack.general)
    with pytest.raises(AssertionError, match="there is no again"):
        await slack.press(message, "again")


async def test_a_command_is_answered_at_once_and_later(slack: SlackDouble, app: Listener) -> None:
    app.body = {"text": "at once"}
    assert await slack.command("/frontdesk", "help") == {"text": "at once"}
    form = app.got[0]
    assert (form["command"], form["text"], form["channel_id"]) == ("/frontdesk", "help", slack.general)
    async with aiohttp.ClientSession() as session:
        await session.post(form["response_url"], json={"text": "later"})
    assert [message.text for message in slack.ephemerals(slack.ann)] == ["later"]


async def test_a_home_is_published_and_pressed(
    slack: SlackDouble, client: AsyncWebClient, app: Listener
) -> None:
    await slack.open_home(slack.ann)
    await client.views_publish(user_id=slack.ann, view={"type": "home", "blocks": BUTTONS[1:]})
    await slack.press(slack.view(), "again")
    assert app.events_of("app_home_opened")[0]["tab"] == "home"
    assert (app.got[-1]["container"]["type"], app.got[-1]["user"]["id"]) == ("view", slack.ann)


async def test_a_shortcut_names_its_message(slack: SlackDouble, app: Listener) -> None:
    said = await slack.say(slack.li, slack.side, "hello")
    await slack.shortcut("ask_frontdesk", said)
    assert (app.got[0]["type"], app.got[0]["message"]["text"]) == ("message_action", "hello")


# -- Socket Mode ------------------------------------------------------------------------------------------------------


Handler = Callable[[dict[str, Any]], Awaitable[None]]


@asynccontextmanager
async def connected(slack: SlackDouble, handler: Handler, *, sockets: int = 1) -> AsyncIterator[None]:
    """A bolt app with open sockets."""
    client = AsyncWebClient(slack.home.bot_token, base_url=slack.api_url)
    app = AsyncApp(name="tests", client=client)  # bolt finds a name of its own by reading files

    async def heard(body: dict[str, Any]) -> None:
        await handler(body)

    app.event("message")(heard)
    opened = [AsyncSocketModeHandler(app, slack.app.token, ping_interval=1) for _ in range(sockets)]
    for number, one in enumerate(opened, 1):
        await one.connect_async()
        await slack.until(lambda number=number: len(slack.sockets.open) == number)
    try:
        yield
    finally:
        for one in opened:
            await one.close_async()


async def test_every_event_goes_to_one_socket(slack: SlackDouble) -> None:
    heard: list[str] = []

    async def hear(body: dict[str, Any]) -> None:
        heard.append(body["event"]["text"])

    async with connected(slack, hear, sockets=2):
        for number in range(4):
            await slack.say(slack.ann, slack.dm(), str(number))
        await slack.until(lambda: len(heard) == 4)
        assert sorted(heard) == ["0", "1", "2", "3"]


async def test_an_app_comes_back_after_a_disconnect(slack: SlackDouble) -> None:
    async def hear(_: dict[str, Any]) -> None: ...

    async with connected(slack, hear):
        await slack.disconnect()
        await slack.until(lambda: slack.sockets.opened == 2 and slack.sockets.open)
        await slack.say(slack.ann, slack.dm(), "still there?")


async def test_an_event_waits_for_a_socket(slack: SlackDouble) -> None:
    heard: list[str] = []

    async def hear(body: dict[str, Any]) -> None:
        heard.append(body["event"]["text"])

    said = asyncio.create_task(slack.say(slack.ann, slack.dm(), "hello"))
    async with connected(slack, hear):
        await said
        await slack.until(lambda: heard == ["hello"])


async def test_an_app_comes_back_when_its_socket_breaks(slack: SlackDouble) -> None:
    async def hear(_: dict[str, Any]) -> None: ...

    async with connected(slack, hear):
        await slack.disconnect(reason="")
        await slack.until(lambda: slack.sockets.opened == 2 and slack.sockets.open)


async def test_an_envelope_that_is_not_acknowledged_comes_again(slack: SlackDouble) -> None:
    attempts: list[Any] = []

    async def hear(body: dict[str, Any]) -> None:
        attempts.append(body["event_id"])

    slack.courier.ack_seconds = 0.2
    async with connected(slack, hear):
        slack.sockets.deaf = 1
        await slack.say(slack.ann, slack.dm(), "hello")
        await slack.until(lambda: len(attempts) == 2)
        assert [attempt.reason for attempt in slack.deliveries[0].tries] == ["timeout", ""]


def test_a_blocking_test_has_a_double_too() -> None:
    with in_thread() as here:
        said = here.run(here.slack.say(here.slack.ann, here.slack.side, "hello"))
        assert [message.text for message in here.slack.messages(here.slack.side)] == [said.text]


async def test_several_things_happen_at_once(slack: SlackDouble, app: Listener) -> None:
    said = await asyncio.gather(*(slack.say(slack.ann, slack.dm(), str(number)) for number in range(20)))
    assert len({message.ts for message in said}) == len(app.got) == 20
