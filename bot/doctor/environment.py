"""The variables that are set: the spelling of their names.

Knows them as plain text, so that it can tell of them also where the settings cannot be read. What each takes is known
to the settings of the house and of each channel.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bot.finding import Finding
from bot.settings import known_variables

PREFIXES = ("FRONTDESK_", "SLACK_", "TELEGRAM_")


def check_unknown(environment: Mapping[str, str]) -> Iterator[Finding]:
    known = known_variables()
    for name in sorted(environment):
        if name.startswith(PREFIXES) and name not in known:
            yield Finding(
                "warn", name, "is no variable of Frontdesk", "check its spelling: frontdesk settings"
            )
