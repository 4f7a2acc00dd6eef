"""What a pressed button, or a sent form, below an answer does: rate it, say why, answer again, begin anew, stop.

Knows what each asks of the desk. Leaves how they look to `blocks`, and the home's own buttons to `home`.

2026-11: the form that asks why opens before the press is read from the inbox: Slack lets a press open one for three
seconds, and another process may read it later than that.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

import structlog

from bot.channels.base import Desk
from bot.channels.slack.admission import Admission
from bot.channels.slack.api import READING_PATIENCE, Api, SlackFailure
from bot.channels.slack.blocks import AGAIN, FEEDBACK, NEW, STOP
from bot.channels.slack.intake import Intake
from bot.channels.slack.meanings import Event, Pressed, SessionStopped, Submitted
from bot.channels.slack.people import People
from bot.channels.slack.places import Spot, action_key
from bot.channels.slack.voice import Voice
from bot.messages import Incoming, Refusal
from bot.notices import notice

log = structlog.get_logger(__name__)

REASON = "frontdesk_reason"  # the form that asks why, and its only input
REASON_CHARS = 1_000
LARGEST_ID = 2**63 - 1  # of an answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Actions:
    """One per channel."""

    desk: Desk
    api: Api
    people: People
    admission: Admission
    intake: Intake
    voice: Voice

    async def pressed(self, event: Event, pressed: Pressed) -> None:
        """A button below an answer. Raises Unavailable when the house is away."""
        if self.admission.bar(pressed.channel, pressed.user):
            return
        spot = Spot(event.team, pressed.channel, pressed.thread)
        done = {FEEDBACK: self._rate, AGAIN: self._again, NEW: self._begin_anew, STOP: self._stop}
        if act := done.get(pressed.action):
            await act(spot, pressed)

    async def stopped(self, event: Event, stopped: SessionStopped) -> None:
        """Slack's own stop button. Where nothing was under way its wheel is stopped here; else `showing` does it."""
        if self.admission.bar(stopped.channel, stopped.user):
            return
        spot = Spot(event.team, stopped.channel, stopped.thread)
        if await self.intake.stop(spot):
            return
        try:
            await self.api.call(
                event.team,
                "agents.sessions.setStatus",
                patience=READING_PATIENCE,
                channel_id=spot.channel,
                thread_ts=spot.thread,
                status="active",
            )
        except SlackFailure as failure:
            log.info("a session's status could not be set", code=failure.code)

    async def submitted(self, event: Event, submitted: Submitted) -> None:
        """Why an answer was no help. What the form's note says was put there by us."""
        reason = submitted.values.get(REASON, "").strip()
        if submitted.form != REASON or not reason:
            return
        note = json.loads(submitted.note)
        spot = Spot(event.team, note["channel"], note["thread"])
        person = await self.people.person(event.team, submitted.user)
        await self.desk.rate(
            spot.place(), person, message_id=note["answer"], value=-1, reason=reason[:REASON_CHARS]
        )

    async def ask_why(self, event: Event, pressed: Pressed) -> None:
        """Open the form, while the press may still do so. A form that cannot be opened is let go: the thumb counts."""
        rated = _rated(pressed.value)
        if pressed.action != FEEDBACK or rated is None or rated[1] > 0 or not pressed.trigger:
            return
        if self.admission.bar(pressed.channel, pressed.user):
            return
        person = await self.people.person(event.team, pressed.user)
        note = {"answer": rated[0], "channel": pressed.channel, "thread": pressed.thread}
        try:
            await self.api.call(
                event.team,
                "views.open",
                urgent=True,
                patience=0.0,
                trigger_id=pressed.trigger,
                view=_form(note, person.language),
            )
        except SlackFailure as failure:
            log.info("the form that asks why could not be opened", code=failure.code)

    async def _rate(self, spot: Spot, pressed: Pressed) -> None:
        rated = _rated(pressed.value)
        if rated is None:
            return
        person = await self.people.person(spot.team, pressed.user)
        answer, value = rated
        known = await self.desk.rate(spot.place(), person, message_id=answer, value=value)
        sentence = notice("feedback_thanks" if known else "unknown_message", person.language)
        await self.voice.privately(spot, pressed.user, sentence)

    async def _again(self, spot: Spot, pressed: Pressed) -> None:
        answer = _id(pressed.value)
        key = action_key(spot.team, pressed.ts)
        if answer and await self.desk.again(spot.place(), message_id=answer, key=key):
            return
        person = await self.people.person(spot.team, pressed.user)
        await self.voice.privately(spot, pressed.user, notice("not_again", person.language))

    async def _begin_anew(self, spot: Spot, pressed: Pressed) -> None:
        person = await self.people.person(spot.team, pressed.user)
        reset = Incoming(
            key=action_key(spot.team, pressed.ts), place=spot.place(), person=person, text="/reset"
        )
        received = await self.intake.receive(spot, reset)
        if isinstance(received, Refusal):
            await self.voice.privately(spot, pressed.user, received.sentence)

    async def _stop(self, spot: Spot, pressed: Pressed) -> None:
        if await self.intake.stop(spot):
            return
        person = await self.people.person(spot.team, pressed.user)
        await self.voice.privately(spot, pressed.user, notice("nothing_to_stop", person.language))


def _rated(value: str) -> tuple[int, Literal[1, -1]] | None:
    """The answer and the thumb."""
    answer, _, thumb = value.partition(":")
    if not _id(answer) or thumb not in ("1", "-1"):
        return None
    return _id(answer), 1 if thumb == "1" else -1


def _id(value: str) -> int:
    """The id of an answer, 0 if it is none."""
    number = int(value) if value.isascii() and value.isdigit() and len(value) < 20 else 0
    return number if number <= LARGEST_ID else 0


def _form(note: dict[str, Any], language: str) -> dict[str, Any]:
    def plain(name: str) -> dict[str, Any]:
        return {"type": "plain_text", "text": notice(name, language)}

    return {
        "type": "modal",
        "callback_id": REASON,
        "private_metadata": json.dumps(note),
        "title": plain("reason_title"),
        "submit": plain("reason_send"),
        "close": plain("reason_skip"),
        "blocks": [
            {
                "type": "input",
                "block_id": REASON,
                "optional": True,
                "label": plain("reason_label"),
                "element": {
                    "type": "plain_text_input",
                    "action_id": REASON,
                    "multiline": True,
                    "max_length": REASON_CHARS,
                },
            }
        ],
    }
