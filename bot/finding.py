"""What the doctor says of one thing: its state, in words, and what to do about it.

Knows no check.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; `todo` says what to do about it."""

    state: State
    what: str
    said: str
    todo: str = ""
