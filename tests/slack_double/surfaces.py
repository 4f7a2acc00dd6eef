"""views.*, agents.sessions.*, assistant.threads.*: what an app shows outside its messages.

Knows that a trigger opens one view, and soon. Leaves the kinds of blocks to `kit`.
"""

from __future__ import annotations

from typing import Any

from tests.slack_double.answers import Answer, Asked, Refused, method
from tests.slack_double.kit import wrong_view
from tests.slack_double.state import TRIGGER_SECONDS, Session

PROMPTS = 4  # more are not shown


@method("views.publish")
def publish(asked: Asked) -> Answer:
    user = asked.get("user_id")
    if user not in asked.workspace.users:
        raise Refused("user_not_found")
    before = asked.world.homes.get(user, {})
    if asked.get("hash") and before and asked.get("hash") != before["hash"]:
        raise Refused("hash_conflict")
    asked.world.homes[user] = _view(asked, before.get("id", ""))
    return {"view": asked.world.homes[user]}


@method("views.open")
@method("views.push")
def open_(asked: Asked) -> Answer:
    trigger = asked.get("trigger_id") or asked.get("interactivity_pointer")
    if trigger in asked.world.spent_triggers:
        raise Refused("exchanged_trigger_id")
    team, user, since = asked.world.triggers.get(trigger, ("", "", 0.0))
    if team != asked.workspace.team:
        raise Refused("invalid_trigger_id")
    if asked.world.clock() - since > TRIGGER_SECONDS:
        raise Refused("expired_trigger_id")
    view = _view(asked, "") | {"opened_for": user}
    asked.world.spent_triggers.add(trigger)
    asked.world.views[view["id"]] = view
    return {"view": view}


@method("views.update")
def update(asked: Asked) -> Answer:
    external = asked.get("external_id")
    found = asked.world.views.get(asked.get("view_id")) or next(
        (view for view in asked.world.views.values() if external and view.get("external_id") == external),
        None,
    )
    if found is None:
        raise Refused("not_found")
    view = _view(asked, found["id"]) | {"opened_for": found["opened_for"]}
    asked.world.views[view["id"]] = view
    return {"view": view}


def _view(asked: Asked, view_id: str) -> dict[str, Any]:
    view = asked.get("view", {})
    asked.invalid("invalid_arguments", wrong_view(view))
    return {
        "private_metadata": "",
        "callback_id": "",
        "external_id": "",
        "state": {"values": {}},
        **view,
        "id": view_id or asked.world.id("V"),
        "team_id": asked.workspace.team,
        "hash": asked.world.ts(),
        "app_id": asked.world.app_id,
        "bot_id": asked.workspace.bot_id,
        "root_view_id": view_id,
    }


@method("agents.sessions.setStatus")
def set_session_status(asked: Asked) -> Answer:
    if not asked.workspace.agent:
        raise Refused("feature_disabled")
    channel = asked.channel("channel_id")
    if asked.workspace.bot not in channel.members:
        raise Refused("not_authorized")
    thread = asked.thread(channel, "internal_error")
    if not thread:
        raise Refused("thread_ts_required")
    key = (channel.id, thread)
    session = asked.world.sessions.setdefault(key, Session(title=asked.get("title")))
    session.history.append(asked.get("status"))
    told: Answer = {"status": session.status, "agent_status": session.status, "title": session.title}
    if session.status == "processing" and not asked.world.subscribes("agent_session_stopped"):
        told["response_metadata"] = {"warnings": ["missing_agent_session_stopped_event_subscription"]}
    return told


@method("agents.sessions.rename")
def rename_session(asked: Asked) -> Answer:
    if not asked.workspace.agent:
        raise Refused("feature_disabled")
    session = asked.world.sessions.get((asked.channel("channel_id").id, asked.get("thread_ts")))
    if session is None:
        raise Refused("session_not_found")
    session.title = asked.get("title")
    return {"title": session.title}


@method("assistant.threads.setStatus")
def set_status(asked: Asked) -> Answer:
    channel = asked.channel("channel_id")
    if asked.workspace.bot not in channel.members:
        raise Refused("channel_not_found")
    thread = asked.thread(channel, "invalid_thread_ts")
    key = (channel.id, thread)
    asked.world.statuses[key] = (asked.get("status"), asked.world.clock())
    return {}


@method("assistant.threads.setSuggestedPrompts")
def set_prompts(asked: Asked) -> Answer:
    if not asked.workspace.agent:
        raise Refused("not_agent_app")
    channel = asked.channel("channel_id")
    if len(asked.get("prompts", [])) > PROMPTS:
        asked.violations.append(f"only {PROMPTS} prompts are shown")
    asked.world.prompts[channel.id, asked.get("thread_ts")] = asked.get("prompts", [])
    return {}


@method("assistant.threads.setTitle")
def set_title(asked: Asked) -> Answer:
    channel = asked.channel("channel_id")
    thread = asked.thread(channel, "invalid_thread_ts")
    asked.world.titles[channel.id, thread] = asked.get("title")
    return {}
