"""What the app asks Slack for: scopes, events, its command and its menu entry, each with what it is good for.

Knows names. `deploy/slack-manifest.yaml` repeats them, and a test compares the two with each other and with the code.
"""

from __future__ import annotations

from collections.abc import Mapping

COMMAND = "/frontdesk"
SHORTCUT = "ask_frontdesk"

SCOPES: Mapping[str, str] = {
    "app_mentions:read": "hearing that it is mentioned",
    "assistant:write": "the agent view and its suggested questions",
    "channels:history": "follow-ups in threads of public channels, and finding its own answers there",
    "channels:read": f"greeting public channels that it is invited to, and {COMMAND} in them",
    "chat:write": "answering",
    "commands": f"{COMMAND} and the entry “Ask Frontdesk” in the menu of a message",
    "files:read": "reading attached text files",
    "files:write": "sending people what is kept of them",
    "groups:history": "follow-ups in threads of private channels, and finding its own answers there",
    "groups:read": f"greeting private channels that it is invited to, and {COMMAND} in them",
    "im:history": "direct messages",
    "im:write": "beginning a direct message",
    "mpim:history": "group messages",
    "mpim:read": f"{COMMAND} in group messages",
    "users:read": "names and languages of people",
}
ESSENTIAL = frozenset({"app_mentions:read", "chat:write", "im:history"})  # without these it is no use at all

EVENTS: Mapping[str, str] = {
    "agent_session_stopped": "Slack's own stop button",
    "app_home_opened": "its home and suggested questions",
    "app_mention": "mentions",
    "app_uninstalled": "forgetting the token of a workspace that uninstalls it",
    "member_joined_channel": "greeting channels that it is invited to",
    "message.channels": "follow-ups in threads of public channels",
    "message.groups": "follow-ups in threads of private channels",
    "message.im": "direct messages",
    "message.mpim": "group messages",
    "tokens_revoked": "forgetting tokens that were taken back",
}
