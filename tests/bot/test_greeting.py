"""What is said once the house is ready, and to somebody who waits for it in vain."""

from __future__ import annotations

import asyncio
import io
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from bot import greeting
from bot.greeting import tell
from bot.health import Report
from bot.logs import logging_to
from worker.health import Health, WorkerInfo

WORKER = WorkerInfo(
    name="w",
    host="h",
    pid=1,
    model="tiny",
    device="cuda",
    loaded=True,
    running=0,
    waiting=0,
    slots=1,
    queues=("answers",),
)
LOADED = Report(database=True, queue=Health(redis=True, workers=(WORKER,)))


@dataclass
class Looks:
    """Gives one report after another, and the last one again and again."""

    reports: list[Report]
    taken: list[Report] = field(default_factory=list)

    async def report(self) -> Report:
        self.taken.append(self.reports[min(len(self.taken), len(self.reports) - 1)])
        return self.taken[-1]


def running(
    tmp_path: Path,
    *reports: Report,
    channels: tuple[str, ...] = ("web",),
    shadow: tuple[str, ...] = (),
) -> Any:
    return SimpleNamespace(
        url="http://127.0.0.1:8080",
        port=8080,
        channels=channels,
        model="[tiny]",
        data=tmp_path,
        policy="2026-11-24+1a2b",
        shadow=shadow,
        health=Looks(list(reports)),
    )


async def told(house: Any, *, began: float | None = None) -> str:
    out = io.StringIO()
    listening = asyncio.get_running_loop().create_future()
    listening.set_result(house)
    began = time.monotonic() if began is None else began
    await tell(listening, console=Console(file=out, width=200), began=began)
    return out.getvalue()


async def test_the_ready_line_comes_last_and_only_when_it_is_true(tmp_path: Path) -> None:
    house = running(tmp_path, Report(database=False, queue=Health(redis=True)), LOADED)
    lines = (await told(house)).splitlines()
    assert lines[-1].startswith("ready  http://127.0.0.1:8080  in ")
    assert len(house.health.taken) == 2
    assert not any(line.startswith("ready") for line in lines[:-1])


async def test_names_are_shown_as_they_are(tmp_path: Path) -> None:
    assert "[tiny] on cuda" in await told(running(tmp_path, LOADED))


async def test_every_channel_that_is_on_is_told_and_no_other(tmp_path: Path) -> None:
    text = await told(running(tmp_path, LOADED, channels=("web", "telegram")))
    assert "web is on" in text
    assert "telegram is on" in text
    assert "slack" not in text.lower()


async def test_who_lets_answers_through_unjudged_is_reminded_of_it(tmp_path: Path) -> None:
    assert "every answer is judged before it is shown" in await told(running(tmp_path, LOADED))
    text = await told(running(tmp_path, LOADED, shadow=("web", "api")))
    assert "answers are shown before they are judged in web, api (policy 2026-11-24+1a2b)" in text


@pytest.mark.parametrize(
    ("report", "missing"),
    [
        (Report(database=False, queue=Health(redis=True)), "the database"),
        (Report(database=True, queue=Health(redis=False)), "Redis"),
        (Report(database=True, queue=Health(redis=True)), "a worker"),
    ],
)
async def test_who_waits_long_is_told_for_what(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, report: Report, missing: str
) -> None:
    monkeypatch.setattr(greeting, "SLOW", 0.0)
    with logging_to(file=tmp_path / "log", stderr="none"):
        await told(running(tmp_path, report, LOADED), began=time.monotonic() - 1)
    (line,) = map(json.loads, (tmp_path / "log").read_text().splitlines())
    assert (line["event"], line["waiting_for"]) == ("not ready yet", missing)


async def test_a_closed_standard_output_ends_nothing(tmp_path: Path) -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(32, "Broken pipe")

    listening = asyncio.get_running_loop().create_future()
    listening.set_result(running(tmp_path, LOADED))
    with logging_to(file=tmp_path / "log", stderr="none"):
        await tell(listening, console=Console(file=Closed(), width=200), began=time.monotonic())
    assert "nobody reads standard output" in (tmp_path / "log").read_text()
