"""What a bulk worker can be asked for: commands of `python -m inference`, and no others.

Knows their names and what may stand after them. What each does is inference's business.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

CHORES: Mapping[str, tuple[str, ...]] = {
    "pull": ("models", "pull"),
    "convert": ("models", "convert"),
    "quantise": ("models", "quantise"),
    "classifier": ("train", "classifier"),
}
AS_JSON = frozenset({"pull", "convert", "quantise"})  # these tell their result as JSON
LONGEST = 4096  # characters of one argument
MOST = 64  # arguments

_OPTION = re.compile(r"--[a-z][a-z0-9-]*(=.*)?", re.DOTALL)
_WORKERS_OWN = ("--data", "--json")  # where models lie is the worker's to know


class ChoreRefused(ValueError):
    """It cannot be asked for; the message says why."""


def command(chore: str, arguments: Sequence[str]) -> list[str]:
    """The arguments of `python -m inference` for a chore. Raises ChoreRefused."""
    if chore not in CHORES:
        raise ChoreRefused(f"There is no chore {chore!r:.40}; there are {', '.join(CHORES)}.")
    if len(arguments) > MOST or any(len(argument) > LONGEST or "\0" in argument for argument in arguments):
        raise ChoreRefused(f"At most {MOST} arguments of {LONGEST:,} characters each, please.")
    for argument in arguments:
        if argument.startswith("-") and not _OPTION.fullmatch(argument):
            raise ChoreRefused(f"{argument!r:.40} is no option: write it out, --name.")
        if argument.partition("=")[0] in _WORKERS_OWN:
            raise ChoreRefused(f"{argument.partition('=')[0]} is the worker's own.")
    return [*CHORES[chore], *arguments, *(["--json"] if chore in AS_JSON else [])]
