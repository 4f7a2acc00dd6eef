"""The place's clock and what is written beside it: the first statement of everything that a viewer can see.

Moving the clock locks the place's row until the commit, so events become visible in the order of their numbers,
also with several bots; a number may be left out, none ever comes late. Whoever writes to a place locks its row
first and its inbox rows after, never the other way round: that order is what rules deadlocks out.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import bindparam, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.messages import Attachment
from bot.store import tables

_TICK = (
    update(tables.place)
    .where(tables.place.c.id == bindparam("place"))
    .values(clock=tables.place.c.clock + bindparam("by", type_=tables.BIG))
    .returning(tables.place.c.clock)
)


async def tick(connection: AsyncConnection, place_id: int, *, by: int = 1) -> int:
    """Move a place's clock on by `by` and return where it stands now. Raises LookupError for an unknown place."""
    clock = (await connection.execute(_TICK, {"place": place_id, "by": by})).scalar_one_or_none()
    if clock is None:
        raise LookupError(f"no place {place_id}")
    return int(clock)


def parts(text: str, attachments: Iterable[Attachment] = ()) -> list[dict[str, str]]:
    """Text, and the files that came with it, as the typed parts that a message's content is made of.

    A part is {"type": "text", "text"}, {"type": "file", "name", "text"}, or {"type": "again"}: asked once more.
    """
    files = ({"type": "file", "name": each.name, "text": each.text} for each in attachments)
    return [{"type": "text", "text": text}, *files]


def text_of(content: list[dict[str, str]]) -> str:
    """What of a message's content can be read: what was written, then each file under its name."""
    written = "".join(part["text"] for part in content if part["type"] == "text")
    files = (f"[{part['name']}]\n{part['text']}" for part in content if part["type"] == "file")
    return "\n\n".join(part for part in (written, *files) if part)


def storable(text: str) -> str:
    """Text that both databases can keep: U+FFFD for NUL (PostgreSQL refuses it) and for halves of a surrogate pair."""
    text = text.replace("\0", "\ufffd")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
