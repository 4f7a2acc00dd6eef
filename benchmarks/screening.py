"""What the screen costs, and what its normaliser makes good.

python benchmarks/screening.py normalise                     microseconds for a chat message of about 100 characters
python benchmarks/screening.py normalise --data DIR          and how many everyday sentences and words come back
python benchmarks/screening.py screen                        how late a first sentence is after its last character

The classifier's own figures: moderation_soak.py. What is asked of each is in README.md.
"""

import asyncio
import json
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from moderation import Moderator, screened
from moderation.normalise import classifier_copy

sys.path.append(str(Path(__file__).parents[1]))
from tests.moderation.attacks import ATTACKS

app = typer.Typer(add_completion=False)
SAID = (
    "could you tell me where the nearest station is and how long it takes to walk there from the old town in the rain",
    "thanks a lot, that was really helpful, but i still do not know when the letter with my new card will arrive here",
    "we would like to book a room for two people from friday to sunday with breakfast and a view of the river please",
)
TYPED = (
    "I'd like a room at 7pm for 2 nights – the café’s “best” offer was $120, right? Please mail j.doe@example.org… 😊",
    "Order no. 4711-B, v2.0.1: the RTX4090 arrived on 12/03/2026 at 10:30, but the 3rd of 5 boxes (16GB) is missing!",
)
CHINESE = ("你好,我想预订下周五晚上的一个双人房间,请问还有空房吗?早餐是否包含在内?谢谢你的帮助。" * 2,)
LIMIT = 50.0  # microseconds for a chat message
LATE = 30.0  # milliseconds after a first sentence's last character


def _micros(texts: Sequence[str], rounds: int) -> list[float]:
    """Of each text, the best of three goes; time of this process alone, so that others hardly count."""
    found: list[float] = []
    for text in texts * rounds:
        goes: list[float] = []
        for _ in range(3):
            began = time.process_time_ns()
            classifier_copy(text)
            goes.append((time.process_time_ns() - began) / 1000)
        found.append(min(goes))
    return found


@app.command()
def normalise(
    data: Annotated[Path | None, typer.Option(help="Folder that holds clinc-oos/data_full.json.")] = None,
    rounds: Annotated[int, typer.Option(min=1)] = 100,
) -> None:
    """What the classifier's copy costs, and what it reads of everyday and of disguised text."""
    rng = random.Random(5)
    kinds: dict[str, Sequence[str]] = {"plain": SAID, "typed": TYPED, "Chinese": CHINESE}
    kinds |= {
        name: [attack(text, rng) for text in SAID for _ in range(5)] for name, attack in ATTACKS.items()
    }
    table = Table(
        "text", "characters", "p50, µs", "p95, µs", title=f"limit for everyday text: {LIMIT:.0f} µs"
    )
    for name, texts in kinds.items():
        times = sorted(_micros(tuple(texts), rounds if name in ("plain", "typed", "Chinese") else 3))
        table.add_row(
            name,
            f"{statistics.mean(map(len, texts)):.0f}",
            f"{statistics.median(times):.0f}",
            f"{times[int(0.95 * len(times))]:.0f}",
        )
    Console().print(table)
    if data:
        _recovered(data)


def _recovered(data: Path) -> None:
    read = json.loads((data / "clinc-oos" / "data_full.json").read_text(encoding="utf-8"))
    said = sorted({row[0] for rows in read.values() for row in rows})
    same = sum(classifier_copy(text).text == text.lower() for text in said)
    console = Console()
    console.print(f"{same / len(said):.2%} of {len(said)} everyday sentences come out as they are")
    sample = random.Random(1).sample(said, 500)
    table = Table("attack", "sentences read again", "words read again")
    for name, attack in ATTACKS.items():
        rng = random.Random(5)
        whole = right = total = 0
        for text in sample:
            plain, seen = _words(text), _words(attack(text, rng))
            whole += plain == seen
            right += sum((Counter(plain) & Counter(seen)).values())
            total += len(plain)
        table.add_row(name, f"{whole / len(sample):.1%}", f"{right / total:.1%}")
    console.print(table)


def _words(text: str) -> list[str]:
    copy = classifier_copy(text).text
    return "".join(char if char.isalnum() else " " for char in copy).split()


@dataclass(frozen=True, slots=True)
class _Bit:
    text: str


@app.command()
def screen(
    answers: Annotated[int, typer.Option(min=1)] = 200,
    pace: Annotated[float, typer.Option(help="Seconds between two tokens.")] = 0.01,
    classifier: Annotated[bool, typer.Option(help="Judge with the bundled classifier as well.")] = True,
) -> None:
    """How late a first sentence is released after its last character came."""
    late = sorted(asyncio.run(_late(answers, pace, classifier=classifier)))
    median, high = statistics.median(late), late[int(0.95 * len(late))]
    Console().print(f"first sentence late: p50 {median:.1f} ms, p95 {high:.1f} ms (limit {LATE:.0f} ms)")


async def _late(answers: int, pace: float, *, classifier: bool) -> list[float]:
    scorer = None
    if classifier:
        from moderation.classifier import Classifier

        scorer = Classifier.load()
    moderator = Moderator.from_policy(scorer=scorer)
    await moderator.check("All is warm now.", direction="output")
    late: list[float] = []
    for number in range(answers):
        came: list[float] = []

        async def drafts(number: int = number, came: list[float] = came) -> AsyncGenerator[_Bit, None]:
            for word in f"Number {number} is ready for you at the desk near the door. And".split(" "):
                await asyncio.sleep(pace)
                if word.endswith("."):
                    came.append(time.perf_counter())
                yield _Bit(f"{word} " if not word.endswith(".") else word)
            await asyncio.sleep(1)

        async with aclosing(screened(drafts(), moderator)) as released:
            await anext(released)
            late.append((time.perf_counter() - came[0]) * 1000)
    return late


if __name__ == "__main__":
    app()
