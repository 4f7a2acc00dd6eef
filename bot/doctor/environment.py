"""The variables that are set: where they stand, the shape of tokens, the spelling of names.

Knows them as plain text, so that it can tell of them also where the settings cannot be read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from bot.finding import Finding
from bot.settings import PLANNED, known_variables

SHAPES = {
    "TELEGRAM_BOT_TOKEN": (r"\d{6,12}:[\w-]{30,}", "123456789:AA…, as @BotFather gives it"),
    "TELEGRAM_API_URL": (
        r"https?://\S+[^/]",
        "the server's root, without a slash at its end and without /bot",
    ),
    "TELEGRAM_WEBHOOK_SECRET": (r"[\w-]{1,256}", "letters, digits, _ and -, 256 at most"),
}


def check_tokens(environment: Mapping[str, str]) -> Iterator[Finding]:
    for variable, (shape, takes) in SHAPES.items():
        value = environment.get(variable, "")
        if value and not re.fullmatch(shape, value):
            yield Finding("fail", variable, "does not look right", takes)
        elif value and variable in PLANNED and not _channel_exists(PLANNED[variable]):
            channel = PLANNED[variable]
            yield Finding("warn", variable, f"{channel} is not in this version yet: it has no effect")
        elif value:
            yield Finding("ok", variable, "looks right")


def _channel_exists(name: str) -> bool:
    folder = Path(__file__).parents[1] / "channels"
    return (folder / f"{name.lower()}.py").is_file() or (folder / name.lower()).is_dir()


def check_unknown(environment: Mapping[str, str]) -> Iterator[Finding]:
    known = known_variables()
    for name in sorted(environment):
        if name.startswith("FRONTDESK_") and name not in known:
            yield Finding(
                "warn", name, "is no variable of Frontdesk", "check its spelling: frontdesk settings"
            )
