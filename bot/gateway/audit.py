"""What was judged for a request: written down for later, and logged for now.

Knows that neither may spoil an answer: the database may be away, and the reader may leave once it has its answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence

import structlog

from bot.gateway.access import CHANNEL, Caller
from bot.store import Judged, Store, StoreUnavailable
from moderation import Direction, Verdict

log = structlog.get_logger(__name__)


async def keep(store: Store, found: Sequence[Judged], caller: Caller) -> None:
    """Write down what was found."""
    try:
        await store.add_verdicts(found, channel=CHANNEL, caller=caller.label)
    except StoreUnavailable as error:
        log.warning("verdicts could not be kept", verdicts=len(found), cause=str(error))


async def to_its_end(work: Coroutine[None, None, None]) -> None:
    """Do the work even when the reader leaves meanwhile, as most do once they have their answer; only then let go."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


def note(verdict: Verdict, *, direction: Direction) -> None:
    """What the screen decided, for operators; the text itself stays out of the log."""
    if verdict.action != "allow":
        checks = sorted({finding.check for finding in verdict.findings})
        log.info("judged", direction=direction, action=verdict.action, checks=checks, policy=verdict.policy)
