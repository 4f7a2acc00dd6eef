"""An answer as far as it has been told: what one task of a channel reads and another writes to its platform.

Knows the answer's pieces and how it ended. Leaves when and where it is shown to the channel.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from bot.channels.base import Answer
from bot.messages import Ending, Notice, Shown
from bot.notices import notice


@dataclass(slots=True)
class Draft:
    """`changed` is set whenever there is more. `over`: nothing follows; without an `ending` it will be told again."""

    text: str = ""
    notices: list[str] = field(default_factory=list)
    ending: Ending | None = None
    over: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, item: Shown | Notice | Ending) -> None:
        """One thing more was told."""
        match item:
            case Shown():
                self.text += item.text
            case Notice():
                self.notices.append(item.text)
            case Ending():
                self.ending = item
        self.changed.set()

    def close(self) -> None:
        """Nothing more will be told now."""
        self.over = True
        self.changed.set()

    def break_off(self) -> None:
        """Nothing more will be told by us: whoever tells it again has the notices, too."""
        if self.ending is None:
            self.notices.clear()
        self.close()

    def sentences(self, language: str) -> tuple[str, ...]:
        """What the house says below the answer: one that did not come to its end, or came to nothing, says so. Where
        somebody answers by hand there is none."""
        state = self.ending.state if self.ending else ""
        if state == "done" and self.ending and self.ending.answer_id is not None and not self.text.strip():
            state = "failed"
        untold = state == "stopped" or (state == "failed" and not self.notices)
        return (*self.notices, notice(state, language)) if untold else tuple(self.notices)


async def read(answer: Answer, draft: Draft, writing: asyncio.Task[None]) -> None:
    """All of it, whether or not it can be written. When it breaks off, what was written is put in order first."""
    try:
        async for item in answer:
            draft.take(item)
    except Exception:
        draft.close()
        await asyncio.wait({writing})
        raise
    draft.close()
