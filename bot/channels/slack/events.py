"""What Slack delivers, read: a body as it came in, and what it means for us as a plain frozen value.

Knows the shapes of events, interactions and commands. Asks nobody and does nothing: whether we answer stands in
`admission`, what happens then in `intake`, `actions`, `commands` and `home`.

2026-11: a mention in a channel comes twice, as `message` and as `app_mention`, with two event ids. Both get the key of
their channel and ts, so that one of them is kept, and both read alike.
2026-11: when somebody deletes the root of a thread, Slack calls it a change into a tombstone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bot.channels.slack.blocks import STOP
from bot.channels.slack.meanings import (
    Asked,
    Commanded,
    Deleted,
    Edited,
    Event,
    File,
    HomeOpened,
    Joined,
    Meaning,
    Pressed,
    Said,
    SessionStopped,
    Submitted,
    Uninstalled,
)
from bot.channels.slack.scopes import SHORTCUT

Body = Mapping[str, Any]

SAYING = frozenset({"", "file_share", "thread_broadcast"})  # subtypes of a message that a person wrote
SYSTEM_USER = "USLACKBOT"


def read(body: Body) -> Event | None:
    """What a body means, or None when it is nothing to us."""
    team = _team(body)
    found = _meaning(body, _bot(body)) if team else None
    if found is None:
        return None
    meaning, key, lane = found
    return Event(
        key=_key(key, team),
        lane=f"{team}/{lane}" if lane else team,
        team=team,
        enterprise=_enterprise(body),
        bot=_bot(body),
        meaning=meaning,
    )


_Found = tuple[Meaning, tuple[str, str], str] | None  # what it means, the kind and rest of its key, its lane


def _meaning(body: Body, bot: str) -> _Found:
    kind = _text(body, "type")
    if kind == "event_callback":
        event = _map(body, "event")
        reader = _EVENTS.get(_text(event, "type"))
        return reader(body, event, bot) if reader else None
    if kind == "block_actions":
        return _pressed(body)
    if kind == "view_submission":
        return _submitted(body)
    if kind == "message_action":
        return _asked(body)
    return _commanded(body) if _text(body, "command") else None


# -- events ----------------------------------------------------------------------------------------------------


def _message(body: Body, event: Body, bot: str) -> _Found:
    subtype = _text(event, "subtype")
    if subtype == "message_changed":
        return _changed(body, event, bot)
    if subtype == "message_deleted":
        return _deleted(body, event, _map(event, "previous_message"), _text(event, "deleted_ts"), bot)
    said = _said(event)
    if subtype not in SAYING or said is None or not _by_a_person(event, bot):
        return None
    if bot and not (said.direct or said.called or said.follows or bot in said.mentions):
        return None  # people among themselves
    return said, ("message", f"{said.channel}/{said.ts}"), f"{said.channel}/{said.thread}"


def _said(event: Body) -> Said | None:
    channel, ts, user = _text(event, "channel"), _text(event, "ts"), _text(event, "user")
    if not (channel and ts and user):
        return None
    return Said(
        channel=channel,
        ts=ts,
        thread=_text(event, "thread_ts") or ts,
        user=user,
        text=_text(event, "text"),
        direct=_text(event, "channel_type") == "im" or channel.startswith("D"),
        called=_text(event, "type") == "app_mention",
        files=tuple(map(_file, _list(event, "files"))),
        shared=_shared(event),
    )


def _changed(body: Body, event: Body, bot: str) -> _Found:
    message, before = _map(event, "message"), _map(event, "previous_message")
    if _text(message, "subtype") == "tombstone":
        return _deleted(body, event, before, _text(message, "ts"), bot)
    theirs = _by_a_person(message, bot) and _text(message, "subtype") in SAYING
    if not theirs or "edited" not in message or _text(message, "text") == before.get("text"):
        return None  # our own, or Slack's: a link that was unfurled
    channel, ts = _text(event, "channel"), _text(message, "ts")
    thread = _text(message, "thread_ts") or ts
    edited = Edited(
        channel=channel, ts=ts, thread=thread, text=_text(message, "text"), shared=_shared(message)
    )
    return edited, ("event", _text(body, "event_id")), f"{channel}/{thread}"


def _deleted(body: Body, event: Body, before: Body, ts: str, bot: str) -> _Found:
    if not ts or (before and not _by_a_person(before, bot)):
        return None
    channel, thread = _text(event, "channel"), _text(before, "thread_ts") or ts
    deleted = Deleted(channel=channel, ts=ts, thread=thread)
    return deleted, ("event", _text(body, "event_id")), f"{channel}/{thread}"


def _home_opened(body: Body, event: Body, bot: str) -> _Found:
    opened = HomeOpened(
        user=_text(event, "user"), tab=_text(event, "tab") or "home", channel=_text(event, "channel")
    )
    return opened, ("event", _text(body, "event_id")), opened.user


def _session_stopped(body: Body, event: Body, bot: str) -> _Found:
    stopped = SessionStopped(
        channel=_text(event, "channel"), thread=_text(event, "thread_ts"), user=_text(event, "user")
    )
    if not (stopped.channel and stopped.thread):
        return None
    return stopped, ("event", _text(body, "event_id")), _stopping(stopped.channel, stopped.thread)


def _joined(body: Body, event: Body, bot: str) -> _Found:
    if not bot or _text(event, "user") != bot:
        return None
    joined = Joined(channel=_text(event, "channel"), inviter=_text(event, "inviter"))
    return joined, ("event", _text(body, "event_id")), joined.channel


def _uninstalled(body: Body, event: Body, bot: str) -> _Found:
    if _text(event, "type") == "tokens_revoked" and not _map(event, "tokens").get("bot"):
        return None  # somebody's own token: we keep none
    at = body.get("event_time")
    when = float(at) if isinstance(at, int | float) else 0.0
    return Uninstalled(at=when), ("event", _text(body, "event_id")), ""


_EVENTS: Mapping[str, Callable[[Body, Body, str], _Found]] = {
    "message": _message,
    "app_mention": _message,
    "app_home_opened": _home_opened,
    "agent_session_stopped": _session_stopped,
    "member_joined_channel": _joined,
    "app_uninstalled": _uninstalled,
    "tokens_revoked": _uninstalled,
}


# -- interactions ----------------------------------------------------------------------------------------------


def _pressed(body: Body) -> _Found:
    actions = _list(body, "actions")
    user = _text(_map(body, "user"), "id")
    if not actions or not user:
        return None
    action, message, container = actions[0], _map(body, "message"), _map(body, "container")
    channel = _text(_map(body, "channel"), "id") or _text(container, "channel_id")
    pressed = Pressed(
        user=user,
        channel=channel,
        thread=_text(message, "thread_ts") or _text(container, "thread_ts") or _text(message, "ts"),
        action=_text(action, "action_id"),
        value=_text(action, "value"),
        ts=_text(action, "action_ts"),
        trigger=_text(body, "trigger_id"),
    )
    lane = f"{channel}/{pressed.thread}" if channel else user
    if pressed.action == STOP:
        lane = _stopping(channel, pressed.thread)
    return pressed, ("action", f"{user}/{pressed.action}/{pressed.ts}"), lane


def _submitted(body: Body) -> _Found:
    view, user = _map(body, "view"), _text(_map(body, "user"), "id")
    values = {
        name: _text(each, "value")
        for block in _map(_map(view, "state"), "values").values()
        for name, each in block.items()
    }
    submitted = Submitted(
        user=user, form=_text(view, "callback_id"), note=_text(view, "private_metadata"), values=values
    )
    return submitted, ("view", _text(view, "id")), user


def _asked(body: Body) -> _Found:
    if _text(body, "callback_id") != SHORTCUT:
        return None
    message = _map(body, "message")
    ts = _text(message, "ts") or _text(body, "message_ts")
    asked = Asked(
        user=_text(_map(body, "user"), "id"),
        channel=_text(_map(body, "channel"), "id"),
        ts=ts,
        thread=_text(message, "thread_ts") or ts,
        author=_text(message, "user"),
        text=_text(message, "text"),
        trigger=_text(body, "trigger_id"),
        reply_to=_text(body, "response_url"),
    )
    return asked, ("shortcut", asked.trigger), f"{asked.channel}/{asked.thread}"


def _commanded(body: Body) -> _Found:
    commanded = Commanded(
        user=_text(body, "user_id"),
        channel=_text(body, "channel_id"),
        text=_text(body, "text"),
        trigger=_text(body, "trigger_id"),
        reply_to=_text(body, "response_url"),
    )
    return commanded, ("command", commanded.trigger), commanded.user


# -- of every body ---------------------------------------------------------------------------------------------


def _team(body: Body) -> str:
    """The workspace that we are installed in: in a channel shared with another, that is not always `team_id`."""
    installed = _text(_map(body, "view"), "app_installed_team_id")
    return (
        installed
        or _text(_authorization(body), "team_id")
        or _text(body, "team_id")
        or _text(_map(body, "team"), "id")
        or _text(_map(body, "user"), "team_id")
    )


def _enterprise(body: Body) -> str:
    return (
        _text(_authorization(body), "enterprise_id")
        or _text(body, "enterprise_id")
        or _text(_map(body, "enterprise"), "id")
    )


def _bot(body: Body) -> str:
    """Our own user id there, or "" when the body does not say."""
    authorization = _authorization(body)
    return _text(authorization, "user_id") if authorization.get("is_bot") is True else ""


def _authorization(body: Body) -> Body:
    return next(iter(_list(body, "authorizations")), {})


def _by_a_person(message: Body, bot: str) -> bool:
    """Whether a person wrote it: not we, no other bot, not Slack. Answering bots would never end."""
    user = _text(message, "user")
    machine = message.get("bot_id") or message.get("bot_profile") or message.get("hidden")
    return bool(user) and user not in (bot, SYSTEM_USER) and not machine


def _shared(message: Body) -> tuple[str, ...]:
    """The words of the messages that came forwarded with one."""
    return tuple(
        _text(each, "text") for each in _list(message, "attachments") if each.get("is_share") is True
    )


def _file(file: Body) -> File:
    size = file.get("size")
    return File(
        id=_text(file, "id"),
        name=_text(file, "name") or _text(file, "title"),
        kind=_text(file, "filetype"),
        mime=_text(file, "mimetype"),
        size=size if isinstance(size, int) else 0,
        url=_text(file, "url_private_download") or _text(file, "url_private"),
        mode=_text(file, "mode"),
        access=_text(file, "file_access"),
    )


def file_of(body: Body) -> File:
    """A file as `files.info` tells of it."""
    return _file(_map(body, "file"))


def _stopping(channel: str, thread: str) -> str:
    """A lane of its own: a stop waits behind nothing."""
    return f"{channel}/{thread}/stop"


def _key(key: tuple[str, str], team: str) -> str:
    kind, rest = key
    return f"{kind}:{team}/{rest}"


def _text(body: Body, name: str) -> str:
    value = body.get(name)
    return value if isinstance(value, str) else ""


def _map(body: Body, name: str) -> Body:
    value = body.get(name)
    return value if isinstance(value, Mapping) else {}


def _list(body: Body, name: str) -> list[Body]:
    value = body.get(name)
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []
