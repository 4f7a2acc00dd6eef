"""Slack's bodies, in the shapes that Slack sends them, and what they mean for us."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from bot.channels.slack.events import file_of, read
from bot.channels.slack.meanings import (
    Asked,
    Commanded,
    Deleted,
    Edited,
    File,
    HomeOpened,
    Joined,
    Pressed,
    Said,
    SessionStopped,
    Submitted,
    Uninstalled,
)

TEAM, BOT, ANN = "T061EG9R6", "U0LAN0Z89", "U061F7AUR"
CHANNEL, DM = "C061EG9SL", "D024BE91L"
TS, ROOT = "1515449522.000016", "1515449400.000002"


def delivered(event: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """An event in its envelope."""
    return {
        "token": "ZZZZZZWSxiZZZ2yIvs3peJ",
        "team_id": TEAM,
        "api_app_id": "A0MDYCDME",
        "event": event,
        "type": "event_callback",
        "event_id": "Ev0MDYHUEL",
        "event_time": 1515449522,
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": TEAM,
                "user_id": BOT,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": False,
        "context_team_id": TEAM,
        "context_enterprise_id": None,
        "event_context": "4-eyJldCI6Im1lc3NhZ2UiLCJ0aWQiOiJUMDYxRUc5UjYifQ",
        **changed,
    }


def message(text: str = "hello", **changed: Any) -> dict[str, Any]:
    """A message in a channel."""
    return {
        "user": ANN,
        "type": "message",
        "ts": TS,
        "client_msg_id": "6bd5f6fc-7ee3-4b0e-8e7f-5d6cd1a2b4e6",
        "text": text,
        "team": TEAM,
        "blocks": [
            {"type": "rich_text", "block_id": "q7Kw", "elements": [{"type": "rich_text_section"}]},
        ],
        "channel": CHANNEL,
        "event_ts": TS,
        "channel_type": "channel",
        **changed,
    }


def mention(text: str = f"<@{BOT}> hello", **changed: Any) -> dict[str, Any]:
    told = message(text, type="app_mention", **changed)
    del told["channel_type"]
    return told


def test_a_mention_in_a_channel_is_said_to_us() -> None:
    event = read(delivered(mention()))
    assert event is not None
    assert event.meaning == Said(
        channel=CHANNEL,
        ts=TS,
        thread=TS,
        user=ANN,
        text=f"<@{BOT}> hello",
        direct=False,
        called=True,
    )
    assert (event.team, event.enterprise, event.bot) == (TEAM, "", BOT)
    assert event.key == f"message:{TEAM}/{CHANNEL}/{TS}"
    assert event.lane == f"{TEAM}/{CHANNEL}/{TS}"


def test_both_events_of_a_mention_have_one_key_and_one_lane() -> None:
    text = f"<@{BOT}> hello"
    pair = [
        read(delivered(mention(text), event_id="Ev1")),
        read(delivered(message(text), event_id="Ev2")),
    ]
    assert pair[0]
    assert pair[1]
    assert (pair[0].key, pair[0].lane) == (pair[1].key, pair[1].lane)


def test_a_reply_goes_into_its_threads_lane() -> None:
    event = read(delivered(message("and then?", thread_ts=ROOT, parent_user_id=BOT)))
    assert event is not None
    assert isinstance(event.meaning, Said)
    assert event.meaning.follows
    assert event.lane == f"{TEAM}/{CHANNEL}/{ROOT}"


def test_a_direct_message_needs_no_mention() -> None:
    event = read(delivered(message(channel=DM, channel_type="im")))
    assert event is not None
    assert isinstance(event.meaning, Said)
    assert event.meaning.direct
    assert not event.meaning.follows


def test_people_among_themselves_are_not_kept() -> None:
    assert read(delivered(message("lunch?"))) is None
    assert read(delivered(message("<@U0OTHER12> lunch?"))) is None


def test_without_authorizations_a_message_is_kept_until_we_know_who_we_are() -> None:
    body = delivered(message(f"<@{BOT}> hello"))
    del body["authorizations"]
    event = read(body)
    assert event is not None
    assert isinstance(event.meaning, Said)
    assert (event.bot, event.meaning.mentions) == ("", {BOT})


def test_a_thread_reply_also_sent_to_the_channel_counts_as_said() -> None:
    told = message("hi", subtype="thread_broadcast", thread_ts=ROOT, root={"ts": ROOT})
    assert isinstance(getattr(read(delivered(told)), "meaning", None), Said)


@pytest.mark.parametrize(
    "changed",
    [
        {"bot_id": "B0OURS", "user": BOT},
        {"user": BOT},
        {"bot_id": "B0OTHER", "user": "U0OTHERBOT", "bot_profile": {"id": "B0OTHER", "name": "poll"}},
        {"subtype": "bot_message", "bot_id": "B0OTHER", "username": "jenkins", "user": None},
        {"user": "USLACKBOT"},
        {"subtype": "channel_join"},
        {"subtype": "channel_topic", "topic": "news"},
        {"subtype": "message_replied", "hidden": True, "message": {}},
        {"user": None},
        {"ts": None},
    ],
)
def test_bots_slack_and_housekeeping_are_nothing_to_us(changed: dict[str, Any]) -> None:
    told = {**message(f"<@{BOT}> hello", channel=DM, channel_type="im"), **changed}
    assert read(delivered({name: value for name, value in told.items() if value is not None})) is None


def test_files_come_with_what_is_needed_to_fetch_them() -> None:
    shared = {
        "id": "F0S43P1CZ",
        "created": 1531763254,
        "name": "notes.md",
        "title": "notes.md",
        "mimetype": "text/markdown",
        "filetype": "markdown",
        "size": 120,
        "mode": "hosted",
        "is_external": False,
        "url_private": "https://files.slack.com/files-pri/T0-F0/notes.md",
        "url_private_download": "https://files.slack.com/files-pri/T0-F0/download/notes.md",
        "file_access": "visible",
    }
    event = read(delivered(message("", channel=DM, channel_type="im", subtype="file_share", files=[shared])))
    assert event is not None
    assert isinstance(event.meaning, Said)
    told = File(
        id="F0S43P1CZ",
        name="notes.md",
        kind="markdown",
        mime="text/markdown",
        size=120,
        url="https://files.slack.com/files-pri/T0-F0/download/notes.md",
        mode="hosted",
        access="visible",
    )
    assert event.meaning.files == (told,)
    assert file_of({"ok": True, "file": shared}) == told


def test_a_forwarded_message_comes_with_its_words() -> None:
    attachments = [
        {"is_share": True, "is_msg_unfurl": True, "author_name": "Li", "text": "The printer is on fire."},
        {"fallback": "a link", "text": "preview of a page"},
    ]
    event = read(delivered(message("what now?", channel=DM, channel_type="im", attachments=attachments)))
    assert event is not None
    assert isinstance(event.meaning, Said)
    assert event.meaning.shared == ("The printer is on fire.",)


def changed_message(text: str = "hello there", before: str = "hello", **inner: Any) -> dict[str, Any]:
    new = {
        "type": "message",
        "user": ANN,
        "edited": {"user": ANN, "ts": "1515449600.000000"},
        "text": text,
        "ts": TS,
        **inner,
    }
    return {
        "type": "message",
        "subtype": "message_changed",
        "hidden": True,
        "channel": CHANNEL,
        "ts": "1515449600.000100",
        "event_ts": "1515449600.000100",
        "channel_type": "channel",
        "message": {name: value for name, value in new.items() if value is not None},
        "previous_message": {"type": "message", "user": ANN, "text": before, "ts": TS},
    }


def test_an_edit_keeps_what_came_forwarded() -> None:
    forwarded = [{"is_share": True, "text": "Ship it."}, {"text": "a link that was unfurled"}]
    event = read(delivered(changed_message(attachments=forwarded)))
    assert event is not None
    assert event.meaning == Edited(
        channel=CHANNEL, ts=TS, thread=TS, text="hello there", shared=("Ship it.",)
    )


def test_an_edit_goes_into_the_lane_of_its_message() -> None:
    event = read(delivered(changed_message(thread_ts=ROOT)))
    assert event is not None
    assert event.meaning == Edited(channel=CHANNEL, ts=TS, thread=ROOT, text="hello there")
    assert (event.key, event.lane) == (f"event:{TEAM}/Ev0MDYHUEL", f"{TEAM}/{CHANNEL}/{ROOT}")


@pytest.mark.parametrize(
    "told",
    [
        changed_message("same", "same", attachments=[{"title": "a link that was unfurled"}]),
        changed_message(edited=None),
        changed_message(user=BOT, bot_id="B0OURS"),
        changed_message(subtype="bot_message", bot_id="B0OTHER"),
    ],
)
def test_changes_that_no_person_made_to_their_words_are_nothing(told: dict[str, Any]) -> None:
    assert read(delivered(told)) is None


def deleted_message(**before: Any) -> dict[str, Any]:
    return {
        "type": "message",
        "subtype": "message_deleted",
        "hidden": True,
        "channel": CHANNEL,
        "ts": "1515449700.000100",
        "deleted_ts": TS,
        "event_ts": "1515449700.000100",
        "channel_type": "channel",
        "previous_message": {"type": "message", "user": ANN, "text": "hello", "ts": TS, **before},
    }


def test_a_deletion_goes_into_the_lane_of_its_message() -> None:
    event = read(delivered(deleted_message(thread_ts=ROOT)))
    assert event is not None
    assert event.meaning == Deleted(channel=CHANNEL, ts=TS, thread=ROOT)
    assert event.lane == f"{TEAM}/{CHANNEL}/{ROOT}"


def test_a_deleted_root_with_replies_becomes_a_tombstone() -> None:
    told = changed_message(
        "This message was deleted.",
        user="USLACKBOT",
        subtype="tombstone",
        hidden=True,
        thread_ts=TS,
        reply_count=2,
        edited=None,
    )
    event = read(delivered(told))
    assert event is not None
    assert event.meaning == Deleted(channel=CHANNEL, ts=TS, thread=TS)


def test_the_deletion_of_our_own_message_is_nothing() -> None:
    assert read(delivered(deleted_message(user=BOT, bot_id="B0OURS"))) is None


def test_the_home_is_opened() -> None:
    told = {
        "type": "app_home_opened",
        "user": ANN,
        "channel": DM,
        "event_ts": "1515449522000016",
        "tab": "messages",
    }
    event = read(delivered(told))
    assert event is not None
    assert event.meaning == HomeOpened(user=ANN, tab="messages", channel=DM)
    assert (event.key, event.lane) == (f"event:{TEAM}/Ev0MDYHUEL", f"{TEAM}/{ANN}")


def test_slacks_own_stop_waits_behind_nothing() -> None:
    told = {
        "type": "agent_session_stopped",
        "channel": DM,
        "thread_ts": ROOT,
        "user": ANN,
        "streaming_message_ts": [TS],
        "event_ts": "1515449800.000000",
    }
    event = read(delivered(told))
    assert event is not None
    assert event.meaning == SessionStopped(channel=DM, thread=ROOT, user=ANN)
    assert event.lane == f"{TEAM}/{DM}/{ROOT}/stop"


def test_only_our_own_joining_counts() -> None:
    told = {
        "type": "member_joined_channel",
        "user": BOT,
        "channel": CHANNEL,
        "channel_type": "C",
        "team": TEAM,
        "inviter": ANN,
        "event_ts": "1515449522.000100",
    }
    event = read(delivered(told))
    assert event is not None
    assert event.meaning == Joined(channel=CHANNEL, inviter=ANN)
    assert read(delivered({**told, "user": ANN})) is None


def test_the_end_of_an_installation_says_when() -> None:
    event = read(delivered({"type": "app_uninstalled"}))
    assert event is not None
    assert (event.meaning, event.lane) == (Uninstalled(at=1515449522.0), TEAM)
    revoked = {"type": "tokens_revoked", "tokens": {"oauth": [ANN], "bot": [BOT]}}
    event = read(delivered(revoked))
    assert event is not None
    assert isinstance(event.meaning, Uninstalled)
    revoked["tokens"] = {"oauth": [ANN], "bot": []}
    assert read(delivered(revoked)) is None


def test_in_a_shared_channel_the_team_is_the_one_that_installed_us() -> None:
    body = delivered(mention(user_team="T0STRANGER", source_team="T0STRANGER"), team_id="T0STRANGER")
    event = read(body)
    assert event is not None
    assert event.team == TEAM


def test_the_organisation_is_told_along() -> None:
    body = delivered(mention(), enterprise_id="E0ORG")
    body["authorizations"][0]["enterprise_id"] = "E0ORG"
    event = read(body)
    assert event is not None
    assert event.enterprise == "E0ORG"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"type": "url_verification", "token": "x", "challenge": "3eZbrw1aB"},
        {"type": "app_rate_limited", "team_id": TEAM, "minute_rate_limited": 1518467820},
        delivered({"type": "reaction_added", "user": ANN, "reaction": "eyes"}),
        delivered({"type": "message"}),
        delivered({}),
        {"type": "block_actions", "team": {"id": TEAM}, "user": {"id": ANN}, "actions": []},
        {"type": "block_actions", "team": {"id": TEAM}, "user": {"id": ANN}, "actions": None},
        {"type": "shortcut", "team": {"id": TEAM}, "user": {"id": ANN}, "callback_id": "other"},
        {"type": "view_closed", "team": {"id": TEAM}, "user": {"id": ANN}, "view": {"id": "V1"}},
    ],
)
def test_anything_else_is_nothing(body: dict[str, Any]) -> None:
    assert read(body) is None


PRESSED = {
    "type": "block_actions",
    "user": {"id": ANN, "username": "ann", "name": "ann", "team_id": TEAM},
    "api_app_id": "A0MDYCDME",
    "token": "ZZZZZZWSxiZZZ2yIvs3peJ",
    "container": {
        "type": "message",
        "message_ts": TS,
        "channel_id": CHANNEL,
        "is_ephemeral": False,
        "thread_ts": ROOT,
    },
    "trigger_id": "1065.1230.4f5b",
    "team": {"id": TEAM, "domain": "house"},
    "enterprise": None,
    "is_enterprise_install": False,
    "channel": {"id": CHANNEL, "name": "general"},
    "message": {
        "bot_id": "B0OURS",
        "type": "message",
        "text": "42",
        "user": BOT,
        "ts": TS,
        "thread_ts": ROOT,
    },
    "state": {"values": {}},
    "response_url": "https://hooks.slack.com/actions/T061EG9R6/1/abc",
    "actions": [
        {
            "type": "feedback_buttons",
            "action_id": "frontdesk_feedback",
            "block_id": "fb1",
            "value": "17:-1",
            "action_ts": "1515449900.123456",
        }
    ],
}


def test_a_pressed_button_tells_its_thread() -> None:
    event = read(PRESSED)
    assert event is not None
    assert event.meaning == Pressed(
        user=ANN,
        channel=CHANNEL,
        thread=ROOT,
        action="frontdesk_feedback",
        value="17:-1",
        ts="1515449900.123456",
        trigger="1065.1230.4f5b",
    )
    assert event.key == f"action:{TEAM}/{ANN}/frontdesk_feedback/1515449900.123456"
    assert event.lane == f"{TEAM}/{CHANNEL}/{ROOT}"


def test_a_pressed_stop_waits_behind_nothing() -> None:
    body = copy.deepcopy(PRESSED)
    body["actions"][0] |= {"type": "button", "action_id": "frontdesk_stop", "value": ROOT}  # type: ignore[index]
    event = read(body)
    assert event is not None
    assert event.lane == f"{TEAM}/{CHANNEL}/{ROOT}/stop"


def test_a_button_of_the_home_is_in_no_channel() -> None:
    body = {
        name: value
        for name, value in PRESSED.items()
        if name not in {"channel", "message", "container", "response_url"}
    }
    body |= {
        "container": {"type": "view", "view_id": "V0HOME"},
        "view": {"id": "V0HOME", "type": "home", "app_installed_team_id": TEAM},
    }
    event = read(body)
    assert event is not None
    assert isinstance(event.meaning, Pressed)
    assert (event.meaning.channel, event.lane) == ("", f"{TEAM}/{ANN}")


def test_a_form_tells_its_values_by_name() -> None:
    body = {
        "type": "view_submission",
        "team": {"id": TEAM, "domain": "house"},
        "user": {"id": ANN, "username": "ann", "team_id": TEAM},
        "trigger_id": "12466734323.1395872398",
        "view": {
            "id": "VNHU13V36",
            "type": "modal",
            "callback_id": "frontdesk_reason",
            "private_metadata": '{"answer":17}',
            "hash": "156663117.cd33ad1f",
            "state": {"values": {"reason": {"reason": {"type": "plain_text_input", "value": "wrong year"}}}},
            "app_installed_team_id": TEAM,
        },
    }
    event = read(body)
    assert event is not None
    assert event.meaning == Submitted(
        user=ANN, form="frontdesk_reason", note='{"answer":17}', values={"reason": "wrong year"}
    )
    assert event.key == f"view:{TEAM}/VNHU13V36"


def test_a_form_left_empty_tells_empty_words() -> None:
    body = {
        "type": "view_submission",
        "team": {"id": TEAM},
        "user": {"id": ANN},
        "view": {
            "id": "V1",
            "callback_id": "frontdesk_reason",
            "state": {"values": {"reason": {"reason": {"type": "plain_text_input", "value": None}}}},
        },
    }
    event = read(body)
    assert event is not None
    assert isinstance(event.meaning, Submitted)
    assert event.meaning.values == {"reason": ""}


def test_a_slash_command() -> None:
    body = {
        "token": "gIkuvaNzQIHg97ATvDxqgjtO",
        "team_id": TEAM,
        "team_domain": "house",
        "channel_id": CHANNEL,
        "channel_name": "general",
        "user_id": ANN,
        "user_name": "ann",
        "command": "/frontdesk",
        "text": "what is 6 * 7?",
        "response_url": "https://hooks.slack.com/commands/1234/5678",
        "trigger_id": "13345224609.738474920.8088930838d88f008e0",
        "api_app_id": "A0MDYCDME",
    }
    event = read(body)
    assert event is not None
    assert event.meaning == Commanded(
        user=ANN,
        channel=CHANNEL,
        text="what is 6 * 7?",
        trigger="13345224609.738474920.8088930838d88f008e0",
        reply_to="https://hooks.slack.com/commands/1234/5678",
    )
    assert event.key == f"command:{TEAM}/13345224609.738474920.8088930838d88f008e0"


def test_a_message_shortcut_tells_the_message() -> None:
    body = {
        "token": "Nj2rfC2hU8mAfgaJLemZgO7H",
        "callback_id": "ask_frontdesk",
        "type": "message_action",
        "trigger_id": "13345224609.8534564800.6f8ab1f53e13d0cd15f96106292d5536",
        "response_url": "https://hooks.slack.com/app-actions/T0MJR11A4/21974584944/yk1S9ndf35Q1flupVG5JbpM6",
        "team": {"id": TEAM, "domain": "house"},
        "channel": {"id": CHANNEL, "name": "general"},
        "user": {"id": ANN, "name": "ann"},
        "message": {
            "type": "message",
            "user": "U0MJRG1AL",
            "ts": TS,
            "text": "The <https://example.com|build> is red",
        },
        "message_ts": TS,
        "action_ts": "1516305600.1",
    }
    event = read(body)
    assert event is not None
    assert event.meaning == Asked(
        user=ANN,
        channel=CHANNEL,
        ts=TS,
        thread=TS,
        author="U0MJRG1AL",
        text="The <https://example.com|build> is red",
        trigger="13345224609.8534564800.6f8ab1f53e13d0cd15f96106292d5536",
        reply_to="https://hooks.slack.com/app-actions/T0MJR11A4/21974584944/yk1S9ndf35Q1flupVG5JbpM6",
    )
    assert event.key == f"shortcut:{TEAM}/13345224609.8534564800.6f8ab1f53e13d0cd15f96106292d5536"


def test_another_apps_shortcut_or_command_by_our_address_is_not_ours() -> None:
    assert read({"type": "message_action", "callback_id": "other", "team": {"id": TEAM}}) is None
