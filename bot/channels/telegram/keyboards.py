"""The buttons below our messages, as Telegram's keyboards.

Knows how they look and what their data is called. Leaves what a pressed one does to `actions`, `belongings` and
`linking`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from bot.channels.telegram.places import button
from bot.notices import notice

Keyboard = dict[str, Any]  # as Telegram takes it

STOP: Final = "stop"
RATE: Final = "rate"
REASON: Final = "why"
AGAIN: Final = "again"
EXPORT: Final = "export"
FORGET: Final = "forget"  # asks first
FORGET_YES: Final = "forget_yes"
FORGET_NO: Final = "forget_no"
LINK_YES: Final = "link_yes"
LINK_NO: Final = "link_no"

HELPFUL = "👍"
UNHELPFUL = "👎"
CHOSEN = "✓"
SUGGESTIONS = 6  # more would hide the conversation on a phone
REASONS = ("wrong", "unclear", "unsafe", "other")  # what can be the matter with an answer


def growing(language: str) -> Keyboard:
    """Below an answer that is still being written."""
    return _rows([_button(notice("button_stop", language), STOP)])


def answered(answer_id: int, language: str, *, rated: int = 0, asking: bool = False) -> Keyboard:
    """Below a finished answer. `rated`: the one reader's thumb; `asking`: what was wrong with it."""
    thumbs = [
        _button(_marked(HELPFUL, chosen=rated > 0), RATE, answer_id, 1),
        _button(_marked(UNHELPFUL, chosen=rated < 0), RATE, answer_id, -1),
        _button(notice("button_again", language), AGAIN, answer_id),
    ]
    if not asking:
        return _rows(thumbs)
    reasons = [_button(notice(f"reason_{reason}", language), REASON, answer_id, reason) for reason in REASONS]
    return _rows(thumbs, reasons)


def privacy(asker: int, language: str, *, export: bool) -> Keyboard:
    """Below what we say of a person's data; `export` where nobody else would read it."""
    wanted = [_button(notice("button_export", language), EXPORT, asker)] if export else []
    return _rows([*wanted, _button(notice("button_forget", language), FORGET, asker)])


def forgetting(asker: int, language: str) -> Keyboard:
    """Below the question whether everything is to be deleted. `asker`: whose that is."""
    return _rows(
        [
            _button(notice("forget_yes", language), FORGET_YES, asker),
            _button(notice("forget_no", language), FORGET_NO, asker),
        ]
    )


def linking(token: str, language: str) -> Keyboard:
    """Below the question whether somebody is the one who got a token elsewhere."""
    return _rows(
        [
            _button(notice("telegram_link_yes", language), LINK_YES, token),
            _button(notice("telegram_link_no", language), LINK_NO),
        ]
    )


def suggesting(suggestions: Sequence[str]) -> Keyboard | None:
    """In the place of the keys, until one is pressed: what to ask first. None where nothing is suggested."""
    if not suggestions:
        return None
    rows = [[{"text": each}] for each in suggestions[:SUGGESTIONS]]
    return {"keyboard": rows, "one_time_keyboard": True, "resize_keyboard": True}


def nothing() -> Keyboard:
    """No buttons any more."""
    return _rows()


def _marked(thumb: str, *, chosen: bool) -> str:
    return f"{thumb} {CHOSEN}" if chosen else thumb


def _button(label: str, action: str, *values: int | str) -> dict[str, str]:
    return {"text": label, "callback_data": button(action, *values)}


def _rows(*rows: list[dict[str, str]]) -> Keyboard:
    return {"inline_keyboard": list(rows)}
