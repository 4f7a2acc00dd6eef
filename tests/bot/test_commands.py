"""Words that steer a conversation, told apart from ordinary text."""

from __future__ import annotations

import pytest

from bot.commands import parse


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("/stop", "stop"),
        ("  /Reset \n", "reset"),
        ("/help@frontdesk_bot", "help"),
        ("/forget", "forget"),
        ("/model", "model"),
        ("/dance", "unknown"),
        ("/unknown", "unknown"),
        ("/etc/hosts is broken", None),
        ("/help me move", None),
        ("please /stop", None),
        ("/", None),
        ("", None),
    ],
)
def test_a_command_is_the_whole_message(text, command):
    assert parse(text) == command
