"""What comes of a pressed button: the word beside it, and what its message says from then on.

Knows only that. Leaves deciding it to whoever the button is of, and showing it to `actions`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot.channels.telegram.keyboards import Keyboard


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """`toast`: what the person sees for a moment; `sentence`: what the message says from now on, "" for the same;
    `keyboard`: the buttons below it, None for the same; `then`: what takes longer."""

    toast: str = ""
    sentence: str = ""
    keyboard: Keyboard | None = None
    then: Callable[[], Awaitable[None]] | None = None
