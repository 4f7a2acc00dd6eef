"""The words that steer a conversation (/stop, /reset ...), the same on every channel.

Recognises them; what each one does stands in `bot/conversation.py`.
"""

from __future__ import annotations

import re
from typing import Literal, get_args

Command = Literal["stop", "reset", "model", "help", "forget", "link", "usage", "unknown"]

# A command is the whole message: "/stop" is one, "/etc/hosts is broken" and "/help me move" are not.
_COMMAND = re.compile(r"/([a-z]{2,20})(?:@\w+)?", re.IGNORECASE)


def parse(text: str) -> Command | None:
    """The command that `text` is, "unknown" for a command-like word we do not know, None for ordinary text."""
    match = _COMMAND.fullmatch(text.strip())
    if match is None:
        return None
    word = match[1].lower()
    for command in get_args(Command):
        if word == command:
            return "unknown" if word == "unknown" else command
    return "unknown"
