"""What a pressed button does: stop, rate, say why, answer again; and to whom the others go.

Knows what each asks of the desk, and that each is heard at once. Leaves how they look to `keyboards`, and a person's
own to `belongings` and `linking`.

2026-12: what a button asks for is done first, and said beside it then. One that was pressed so long ago that Telegram
takes no word for it any more has been heard all the same.
2026-12: in a group one keyboard is everybody's: whose thumb it was stays between them and us.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import structlog

from bot.channels.base import Desk
from bot.channels.telegram import keyboards, places
from bot.channels.telegram.admission import Admission
from bot.channels.telegram.belongings import Belongings
from bot.channels.telegram.intake import Intake
from bot.channels.telegram.keyboards import answered
from bot.channels.telegram.linking import Linking
from bot.channels.telegram.meanings import Pressed
from bot.channels.telegram.outcome import Outcome
from bot.channels.telegram.people import person_of
from bot.channels.telegram.places import CHANNEL, Spot, message_key, query_key
from bot.channels.telegram.voice import Voice
from bot.notices import notice

log = structlog.get_logger(__name__)

LARGEST_ID = 2**63 - 1
OWN = frozenset({keyboards.EXPORT, keyboards.FORGET, keyboards.FORGET_YES, keyboards.FORGET_NO})
LINK = frozenset({(keyboards.LINK_YES, 1), (keyboards.LINK_NO, 0)})  # and the values behind them


@dataclass(frozen=True, slots=True, kw_only=True)
class Actions:
    """One per channel."""

    desk: Desk
    admission: Admission
    intake: Intake
    belongings: Belongings
    linking: Linking
    voice: Voice

    async def pressed(self, pressed: Pressed) -> None:
        """An inline button. Raises Unavailable when the house is away."""
        await self.intake.heard_of(pressed.spot)
        outcome = await self._outcome(pressed)
        await self.voice.toast(pressed.query, outcome.toast)
        if pressed.message_id:
            spot, message_id = pressed.spot, pressed.message_id
            if outcome.sentence:
                await self.voice.change(spot, message_id, outcome.sentence, keyboard=outcome.keyboard)
            elif outcome.keyboard:
                await self.voice.mark(spot, message_id, outcome.keyboard)
        if outcome.then:
            await outcome.then()

    async def _outcome(self, pressed: Pressed) -> Outcome:
        action, values = places.pressed(pressed.data)
        number = _number(values)
        if number is not None and action in OWN:
            return await self.belongings.pressed(pressed, action, number)
        if bar := self.admission.bar(pressed.spot, pressed.sender):
            return Outcome(toast=_said(bar, pressed))
        if (action, len(values)) in LINK:
            return await self.linking.pressed(pressed, action, *values)
        if (there := await self._there(pressed)) is None:
            return Outcome(toast=_said("telegram_old_button", pressed))
        pressed = there
        match action, number, values[1:]:
            case keyboards.STOP, None, ():
                return await self._stop(pressed)
            case keyboards.RATE, int(answer), ("1" | "-1" as thumb,):
                return await self._rate(pressed, answer, int(thumb))
            case keyboards.REASON, int(answer), (reason,) if reason in keyboards.REASONS:
                return await self._rate(pressed, answer, -1, reason=reason)
            case keyboards.AGAIN, int(answer), ():
                return await self._again(pressed, answer)
        log.info("a button of ours is not known any more", action=action)
        return Outcome(toast=_said("telegram_old_button", pressed))

    async def _there(self, pressed: Pressed) -> Pressed | None:
        """The same where its message really was: of one that is gone the house knows the topic, if anybody does."""
        if not pressed.gone:
            return pressed
        key = message_key(pressed.spot.bot, pressed.spot.chat, pressed.message_id)
        found = await self.desk.answer_at(CHANNEL, key)
        return replace(pressed, spot=Spot.of(found[0])) if found else None

    async def _stop(self, pressed: Pressed) -> Outcome:
        stopped = await self.intake.stop(pressed.spot)
        return Outcome(toast=_said("stopped" if stopped else "nothing_to_stop", pressed))

    async def _rate(self, pressed: Pressed, answer: int, value: int, *, reason: str = "") -> Outcome:
        person = person_of(pressed.sender)
        place = pressed.spot.place()
        if not await self.desk.rate(place, person, message_id=answer, value=value, reason=reason):
            return Outcome(toast=_said("unknown_message", pressed))
        asking = value < 0 and not reason
        keyboard = answered(answer, person.language, rated=value, asking=asking)
        return Outcome(
            toast=_said("feedback_thanks", pressed), keyboard=keyboard if pressed.spot.private else None
        )

    async def _again(self, pressed: Pressed, answer: int) -> Outcome:
        spot = pressed.spot
        key = query_key(spot.bot, pressed.query)
        begun = await self.desk.again(spot.place(), message_id=answer, key=key)
        return Outcome(toast=_said("answering" if begun else "not_again", pressed))


def _said(name: str, pressed: Pressed) -> str:
    return notice(name, person_of(pressed.sender).language)


def _number(values: tuple[str, ...]) -> int | None:
    """The first value, where it is an id."""
    text = values[0] if values else ""
    digits = text.removeprefix("-")  # groups have ids below zero
    if not (digits.isascii() and digits.isdigit() and len(digits) < 20):
        return None
    return int(text) if int(digits) <= LARGEST_ID else None
