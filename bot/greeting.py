"""What `frontdesk up` says once it is ready: a short table, and one line that begins with `ready`.

Knows the terminal and what a newcomer needs to see. What runs is told by `bot/assembly.py`.
"""

from __future__ import annotations

import asyncio
import io
import time
from typing import TYPE_CHECKING

import structlog

from bot.logs import FILE

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from bot.assembly import Running
    from bot.health import Report

log = structlog.get_logger(__name__)

ASK_EVERY = 0.05  # seconds between two questions whether it is ready
SLOW = 15.0  # seconds; then somebody waiting is told what is missing


async def tell(listening: asyncio.Future[Running], *, console: Console, began: float) -> None:
    """Say what is up, once it is: a table and the ready line. Nothing else goes to standard output."""
    from rich.console import Console

    running = await listening
    device = await _ready(running, began=began)
    ready = f"ready  {running.url}  in {time.monotonic() - began:.1f} s"
    said = io.StringIO()  # and written by ourselves: rich would end the whole process when nobody reads
    page = Console(file=said, width=console.width, force_terminal=console.is_terminal, highlight=False)
    page.print(table(running, device=device))
    page.print(ready, markup=False, soft_wrap=True)
    try:
        console.file.write(said.getvalue())
        console.file.flush()
    except OSError as error:
        log.warning("nobody reads standard output", cause=error.strerror)


async def _ready(running: Running, *, began: float) -> str:
    """Wait until a question asked now would be answered; the device that the model runs on."""
    warned = False
    while not (report := await running.health.report()).ready:
        if not warned and time.monotonic() - began > SLOW:
            warned = True
            log.warning("not ready yet", waiting_for=_missing(report), see=str(running.data / FILE))
        await asyncio.sleep(ASK_EVERY)
    return ", ".join(sorted({worker.device for worker in report.queue.workers if worker.loaded}))


def _missing(report: Report) -> str:
    parts = {
        "the database": report.database,
        "Redis": report.queue.redis,
        "a worker": bool(report.queue.workers),
        "a worker with its model loaded": any(worker.loaded for worker in report.queue.workers),
    }
    return next((name for name, there in parts.items() if not there), "nothing")


def table(running: Running, *, device: str) -> Table:
    """The few facts that a newcomer needs."""
    from rich.table import Table
    from rich.text import Text

    rows = {
        "page": running.url,
        "channels": "\n".join(f"{name} is on" for name in running.channels),
        "model": f"{running.model} on {device}" if device else running.model,
        "screen": _screen(running),
        "data": str(running.data),
    }
    shown = Table(box=None, show_header=False, pad_edge=False)
    shown.add_column(style="bold")
    shown.add_column(overflow="fold")
    for name, value in rows.items():
        shown.add_row(name, Text(value))
    return shown


def _screen(running: Running) -> str:
    """An operator who lets answers through before they are judged is reminded of it at each start."""
    if running.shadow:
        return f"answers are shown before they are judged in {', '.join(running.shadow)} (policy {running.policy})"
    return f"every answer is judged before it is shown (policy {running.policy})"
