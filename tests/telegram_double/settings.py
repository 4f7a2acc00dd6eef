"""What a bot sets about itself: commands by scope and language, descriptions, its webhook.

Knows what BotFather and the Bot API let through. Leaves sending updates to the webhook to `delivery`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.telegram_double.answers import Asked, method
from tests.telegram_double.updates import allow

PORTS = frozenset({443, 80, 88, 8443})
COMMAND = re.compile(r"[a-z0-9_]{1,32}")
SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")
LANGUAGE = re.compile(r"[a-z]{2}")
COMMANDS = 100
Scope = tuple[str, str]  # the scope as JSON, the language


@dataclass(kw_only=True)
class Webhook:
    """Where updates are sent, and how that went."""

    url: str = ""
    secret: str = ""
    connections: int = 40
    error: str = ""
    error_at: int = 0


@dataclass(kw_only=True)
class Settings:
    """`commands`: by scope and language. `texts`: descriptions and names, by what they are and language."""

    reads_groups: bool = True  # privacy mode is off
    topics: bool = False  # private chats have topics
    webhook: Webhook = field(default_factory=Webhook)
    commands: dict[Scope, list[dict[str, Any]]] = field(default_factory=dict)
    texts: dict[tuple[str, str], str] = field(default_factory=dict)

    def commands_of(self, scope: str = "default", language: str = "") -> dict[str, str]:
        """What stands in the menu: descriptions by command."""
        told = self.commands.get((json.dumps({"type": scope}), language), [])
        return {command["command"]: command["description"] for command in told}


@method("getMe")
def get_me(asked: Asked) -> dict[str, Any]:
    return asked.world.me.as_telegram() | {
        "can_join_groups": True,
        "can_read_all_group_messages": asked.settings.reads_groups,
        "supports_inline_queries": False,
        "can_connect_to_business": False,
        "has_main_web_app": False,
        "has_topics_enabled": asked.settings.topics,
        "allows_users_to_create_topics": asked.settings.topics,
    }


def _scope(asked: Asked) -> Scope:
    language = asked.get("language_code", "")
    if language and not LANGUAGE.fullmatch(language):
        raise asked.invalid(f"language_code {language!r} is no ISO 639-1 code")
    return json.dumps(asked.get("scope", {"type": "default"}), sort_keys=True), language


@method("setMyCommands")
def set_commands(asked: Asked) -> bool:
    scope, commands = _scope(asked), asked.get("commands", [])
    if len(commands) > COMMANDS:
        raise asked.invalid("BOT_COMMANDS_TOO_MUCH")
    for command in commands:
        if not COMMAND.fullmatch(command["command"]):
            raise asked.invalid(f"BOT_COMMAND_INVALID: {command['command']!r}")
        if not 1 <= len(command["description"]) <= 256:
            raise asked.invalid("BOT_COMMAND_DESCRIPTION_INVALID")
    asked.settings.commands[scope] = commands
    return True


@method("getMyCommands")
def get_commands(asked: Asked) -> list[dict[str, Any]]:
    return asked.settings.commands.get(_scope(asked), [])


@method("deleteMyCommands")
def delete_commands(asked: Asked) -> bool:
    asked.settings.commands.pop(_scope(asked), None)
    return True


@method("setWebhook")
def set_webhook(asked: Asked) -> bool:
    url, secret = asked.get("url", ""), asked.get("secret_token", "")
    if not url:
        return _no_webhook(asked)
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        raise asked.invalid("bad webhook: An HTTPS URL must be provided for webhook")
    if (parts.port or 443) not in PORTS:
        raise asked.invalid("bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443")
    if secret and not SECRET.fullmatch(secret):
        raise asked.invalid("secret token contains unallowed characters")
    allow(asked)
    asked.settings.webhook = Webhook(url=url, secret=secret, connections=asked.get("max_connections", 40))
    _drop_pending(asked)
    asked.updates.ring()
    return True


@method("deleteWebhook")
def delete_webhook(asked: Asked) -> bool:
    return _no_webhook(asked)


def _no_webhook(asked: Asked) -> bool:
    asked.settings.webhook = Webhook()
    _drop_pending(asked)
    asked.updates.ring()
    return True


def _drop_pending(asked: Asked) -> None:
    if asked.get("drop_pending_updates", False):
        asked.updates.pending.clear()


@method("getWebhookInfo")
def get_webhook(asked: Asked) -> dict[str, Any]:
    webhook = asked.settings.webhook
    told: dict[str, Any] = {
        "url": webhook.url,
        "has_custom_certificate": False,
        "pending_update_count": len(asked.updates.pending),
    }
    if webhook.url:
        told |= {"max_connections": webhook.connections, "ip_address": "127.0.0.1"}
    if webhook.error:
        told |= {"last_error_date": webhook.error_at, "last_error_message": webhook.error}
    if asked.updates.allowed:
        told["allowed_updates"] = list(asked.updates.allowed)
    return told
