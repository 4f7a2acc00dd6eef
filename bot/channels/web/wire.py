"""Events of a place as the widget's stream carries them: rendered from the event alone, so any replica says the same.

Knows the stream's format. Leaves when they are sent to `stream`.
"""

from __future__ import annotations

import json

from bot.markup import html, speech
from bot.messages import Event, Said

HEARTBEAT = b":\n\n"
RETRY = b"retry: 1000\n\n"  # ms; how soon a cut stream comes back


def frame(event: Event) -> bytes:
    """One event as bytes."""
    text = json.dumps(_data(event), ensure_ascii=False, separators=(",", ":"))
    return f"id: {event.clock}\nevent: {event.kind}\ndata: {text}\n\n".encode("utf-8", "replace")


def _data(event: Event) -> dict[str, object]:
    match event.kind:
        case "said":
            return _told(_said(event))
        case "piece":
            return _grown(_said(event), before=event.before, text=event.text)
        case "ended":
            return _closed(_said(event))
        case "cleared":
            return {}


def _told(said: Said) -> dict[str, object]:
    return {
        "message": said.message_id,
        "author": said.author,
        "html": html.plain(said.text) if said.author == "person" else html.whole(said.text),
        "state": said.state,
        "reply_to": said.reply_to,
    }


def _grown(said: Said, *, before: str, text: str) -> dict[str, object]:
    """What the piece adds to a viewer who has seen `before`: to its open block alone, or blocks from there on."""
    shown = html.count(before)
    was = html.blocks(before, start=shown).open
    now = html.blocks(before + text, start=shown)
    grown = {"message": said.message_id, "say": speech.spoken(before, before + text)}
    if was and not now.finished and now.open.startswith(was):
        return grown | {
            "add": now.open[len(was) :]
        }  # a long block is not sent again with each of its sentences
    return grown | {"from": shown, "blocks": now.finished, "open": now.open}


def _closed(said: Said) -> dict[str, object]:
    if said.author == "person":
        return {"message": said.message_id, "state": said.state, "from": 0, "blocks": ()}
    shown = html.count(said.text)
    return {
        "message": said.message_id,
        "state": said.state,
        "from": shown,
        "blocks": html.blocks(said.text, start=shown, ended=True).finished,
        "say": speech.spoken(said.text, said.text, ended=True),  # what had no sentence end
    }


def _said(event: Event) -> Said:
    if event.said is None:
        raise ValueError(f"a {event.kind} event without its message")
    return event.said
