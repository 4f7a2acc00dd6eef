"""What the doctor says of one thing: its state, in words, and what to do about it.

Knows no check.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal

State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; `todo` says what to do about it."""

    state: State
    what: str
    said: str
    todo: str = ""


def mistake(line: str) -> Finding:
    """A mistake in the settings, told as VARIABLE: what is wrong."""
    variable, _, said = line.partition(": ")
    return Finding("fail", variable, said, "correct this variable")


def without(secrets: Collection[str], finding: Finding) -> Finding:
    """What a platform, or a proxy, says may hold more than we know."""
    said = finding.said
    for secret in secrets:
        said = said.replace(secret, "[secret]")
    return replace(finding, said=said)
