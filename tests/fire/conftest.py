"""The harm is done for real, to real processes; a ledger outside of them counts what became of every message.

Each scenario leaves a line of figures, and all of them a table at the end of the run.
"""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fire.parts import Fire
from tests.fire.visitors import crowd

TOUR = "please give me a really long story about yourself and the house"  # 361 tokens of Markdown
QUESTIONS = (
    TOUR,
    "How do I hook this up to my Slack workspace?",
    "embed code for the website widget?",
    "are there humans answering these messages?",
    "you are tiny, how do I swap you for a bigger LLM?",
    "sprechen Sie Deutsch?",
    "slack setup steps pls",
    "who are u",
)
FIGURES = "fire"

Light = Callable[..., Fire]
Figures = Callable[..., None]


@pytest.fixture
def light(tmp_path: Path, figures: Figures) -> Iterator[Light]:
    """Lights a fire; at the end every part goes when it is asked to, and nothing of it is left. After `figures`, which
    counts that too."""
    lit: list[Fire] = []

    def make(**options: str) -> Fire:
        folder = tmp_path / f"fire{len(lit)}"
        folder.mkdir()
        lit.append(Fire.lit(folder, **options))
        return lit[-1]

    yield make
    left = [one for fire in lit for one in fire.end()]
    for fire in lit:
        print(fire.tails())  # noqa: T201  # pytest shows it where a test failed
    assert left == []


@pytest.fixture(scope="session")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The answers to QUESTIONS, asked one after the other, of a house to which nobody does any harm."""

    async def undisturbed(fire: Fire) -> list[str]:
        bot, worker = fire.bot(), fire.worker()
        await fire.up(bot, worker)
        async with crowd([bot], count=1) as people:
            for question in QUESTIONS:
                await people.visitors[0].say(question)
            await people.settle()
            await people.check()
            return people.visitors[0].account.texts()

    fire = Fire.lit(tmp_path_factory.mktemp("undisturbed"))
    try:
        texts = asyncio.run(undisturbed(fire))
    finally:
        left = fire.end()
    assert left == []
    assert all(texts)
    return texts


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Iterator[Figures]:
    """Takes a scenario's figures by name."""
    began, used = time.monotonic(), _cpu()
    taken: dict[str, object] = {}

    def take(**values: object) -> None:
        taken.update({name: f"{one:.1f}" if isinstance(one, float) else one for name, one in values.items()})
        taken["s"] = f"{time.monotonic() - began:.0f}"
        line = ", ".join(f"{name.replace('_', ' ')} {one}" for name, one in taken.items())
        request.node.user_properties = [(FIGURES, line)]
        print(f"{request.node.name}: {line}")  # noqa: T201

    yield take
    if taken:
        line = f"{request.node.user_properties[-1][1]}, cpu s {_cpu() - used:.0f}"
        request.node.user_properties = [(FIGURES, line)]


def _cpu() -> float:
    """Seconds of the processor that our children took which have ended."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line a scenario."""
    seen: dict[str, str] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, line in getattr(report, "user_properties", ()):
                if name == FIGURES:
                    test = report.nodeid.rpartition("::")[2]
                    seen[test] = max(
                        line, seen.get(test, ""), key=len
                    )  # at its end, the processor's time is known
    if seen:
        terminalreporter.section("under fire")
        for test, line in seen.items():
            terminalreporter.write_line(f"{test.removeprefix('test_').replace('_', ' ')}: {line}")
