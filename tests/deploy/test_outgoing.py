"""Who speaks to the network: a list that grows only on purpose, since every such place could be talked into a visit."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("bot", "worker", "inference", "moderation")

# How a file of ours begins a connection over HTTP, or any other that is not Redis or the database.
SPEAKS = re.compile(
    r"\bClientSession\(|\bAsyncWebClient\b|\bHTTPXRequest\b|\burllib\.request\b|\bhttp\.client\b|\bhttpx\.\w"
    r"|\bHfApi\b|\bsnapshot_download\b|\bopen_connection\(|\bcreate_connection\(|^import requests|^from requests",
    re.MULTILINE,
)
KNOWN = {
    "bot/channels/slack/api.py": "Slack's Web API, files and sockets",
    "bot/channels/slack/doctor.py": "our own public address, asked by the operator's command",
    "bot/channels/slack/installation.py": "Slack's OAuth",
    "bot/channels/telegram/arriving.py": "our own webhook, asked by the operator's command",
    "bot/channels/telegram/wire.py": "the Bot API and its files",
    "bot/doctor/network.py": "this computer, asked by the operator's command",
    "bot/terminal.py": "the server that `frontdesk chat` is given",
    "inference/library/hub.py": "the model hub, asked by the operator's command",
}


def test_nobody_else_speaks_to_the_network() -> None:
    """So an address in a message, in a file or in a model's answer is visited by nobody."""
    found = {
        str(file.relative_to(ROOT))
        for package in PACKAGES
        for file in (ROOT / package).rglob("*.py")
        if SPEAKS.search(file.read_text())
    }
    assert found == set(KNOWN)
