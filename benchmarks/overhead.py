"""What the house costs: first token and tokens per second of the bare Generator beside those of the whole path.

One run, both sides by turns and never at once, the same model, threads and questions; each round's answers must be
equal, or the run fails. Run it as `python benchmarks/overhead.py`; what the figures mean stands in README.md.
"""

import asyncio
import json
import math
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import aiohttp
import typer
from bare import Bare, Timeline
from figures import Target, percentile, verdicts
from house import House, Streamed, running
from rich.console import Console
from rich.table import Table

from inference import random_model
from inference.bench.machine import processor
from inference.chat import Chat, Turn
from inference.text import TextStream
from inference.threads import cores

SCREENS = ("shadow", "hold")
# The bare Generator once more: what differs between it and itself is the machine's noise, not the house's cost.
AGAIN = "bare again"
SIDES = ("bare", "shadow", AGAIN, "hold")

# Seconds of rest between two answers: OpenMP's threads spin for 0.2 after the last one, on a core that the other needs.
REST = 0.4

# Words that the random model's small vocabulary knows, so that the prompt has as many tokens as with a real one: 70.
QUESTION = (
    "{number}: a guest waits at the desk and asks the old question again. The letter with the answer opens a small "
    "door near the river. Our kind city keeps the light on in the quiet evening, and before morning we reads it here."
)


@dataclass(frozen=True, slots=True)
class Answer:
    """One side's answer in one round. Times are seconds since it was asked."""

    first: float
    last: float
    tokens: int
    late: float = 0.0  # first text after the bare Generator had produced those same characters
    gaps: tuple[float, ...] = ()  # between pieces

    @property
    def speed(self) -> float:
        """Tokens per second of the whole answer, the wait for the first included."""
        return self.tokens / self.last

    @property
    def pace(self) -> float:
        """Tokens per second once the first had come; not a number where all came at once."""
        return (self.tokens - 1) / (self.last - self.first) if self.last > self.first else math.nan


Round = dict[str, Answer]


def main(
    shape: Annotated[str, typer.Option(help="0.5b or tiny")] = "0.5b",
    rounds: Annotated[int, typer.Option(min=1, help="How often each side answers.")] = 20,
    tokens: Annotated[int, typer.Option(min=8, help="How long each answer is.")] = 96,
    threads: Annotated[
        int, typer.Option(min=0, help="CTranslate2's threads on both sides; 0: one a core.")
    ] = 0,
    model: Annotated[Path | None, typer.Option(help="A model folder, instead of making one.")] = None,
    output: Annotated[Path | None, typer.Option("--json", help="Write the figures there as well.")] = None,
) -> None:
    """Measure the house against the bare Generator."""
    console = Console()
    threads = threads or cores()
    with tempfile.TemporaryDirectory(prefix="frontdesk-benchmark-") as folder:
        if model is None:
            console.print(f"making a model of shape {shape} ...")
            model = random_model.make(Path(folder) / f"random-{shape}", shape=shape)
        data = Path(folder) / "data"
        with Bare(model, threads=threads) as bare, running(data, model=model, threads=threads) as house:
            measured = asyncio.run(
                _measure(bare, house, model=model, rounds=rounds, tokens=tokens, say=console.print)
            )
    targets = _targets(measured)
    console.print(
        _answers(measured, title=f"{model.name}, {tokens} tokens, {rounds} rounds, {threads} threads")
    )
    console.print(verdicts(targets))
    console.print(_noise(measured))
    if output:
        output.write_text(json.dumps(_figures(measured, targets, threads=threads), indent=2))


async def _measure(
    bare: Bare, house: House, *, model: Path, rounds: int, tokens: int, say: Callable[[str], None]
) -> list[Round]:
    chat = Chat.load(model)
    keys = {screen: house.key(screen) for screen in SCREENS}
    measured = []
    async with aiohttp.ClientSession() as session:
        for number in range(-1, rounds):  # the first warms both sides up, and does not count
            question = QUESTION.format(number=number + 2)
            prompt = chat.prompt([Turn("user", question)])
            asked: dict[str, Any] = {}
            for side in _order(number):
                await asyncio.sleep(REST)
                if side not in SCREENS:
                    asked[side] = bare.ask(chat.tokens(prompt), max_tokens=tokens)
                else:
                    asked[side] = await house.ask(
                        session, question, key=keys[side], max_tokens=tokens, model=model.name
                    )
            _check_same(chat, asked, prompt_tokens=len(prompt))
            if number >= 0:
                measured.append(_answers_of(chat, asked))
                say(f"round {number + 1} of {rounds}: {_short(measured[-1])}")
    return measured


def _order(number: int) -> Sequence[str]:
    """Each side comes first, second and last equally often, so that no drift of the machine favours one."""
    first = number % len(SIDES)
    return SIDES[first:] + SIDES[:first]


def _check_same(chat: Chat, asked: dict[str, Any], *, prompt_tokens: int) -> None:
    """Both sides did the same work, token by token."""
    text = chat.tokenizer.decode(asked["bare"].ids)
    for screen in SCREENS:
        streamed: Streamed = asked[screen]
        if streamed.prompt_tokens != prompt_tokens or streamed.tokens != len(asked["bare"].ids):
            raise RuntimeError(f"{screen}: {streamed.prompt_tokens} tokens in, {streamed.tokens} out")
        if streamed.text != text:
            raise RuntimeError(
                f"{screen} answered otherwise than the bare Generator:\n{streamed.text}\n{text}"
            )


def _answers_of(chat: Chat, asked: dict[str, Any]) -> Round:
    timeline: Timeline = asked["bare"]
    answers = {
        side: Answer(asked[side].times[0], asked[side].times[-1], len(asked[side].ids))
        for side in ("bare", AGAIN)
    }
    for screen in SCREENS:
        streamed: Streamed = asked[screen]
        times = [piece.at for piece in streamed.pieces]
        answers[screen] = Answer(
            first=times[0],
            last=times[-1],
            tokens=streamed.tokens,
            late=times[0] - _produced(chat, timeline, characters=len(streamed.pieces[0].text)),
            gaps=tuple(after - before for before, after in pairwise(times)),
        )
    return answers


def _produced(chat: Chat, timeline: Timeline, *, characters: int) -> float:
    """When the bare Generator had produced so many characters."""
    stream, length = TextStream(chat.tokenizer), 0
    for at, token in zip(timeline.times, timeline.ids, strict=True):
        length += len(stream.feed(token))
        if length >= characters:
            return at
    return timeline.times[-1]


def _short(answers: Round) -> str:
    return ", ".join(
        f"{side} first {answer.first * 1000:.0f} ms {answer.speed:.1f} tok/s"
        for side, answer in answers.items()
    )


def _targets(measured: list[Round]) -> list[Target]:
    """Ratios, and the typical difference, are taken within a round, where both sides met the same machine and question.
    A slow first token is compared with the bare Generator's slow ones: the difference of two within one round has the
    machine's noise twice, which `_noise` tells."""
    later, ratios = _later(measured, "shadow"), _ratios(measured, "shadow")
    held = [answers["hold"].late * 1000 for answers in measured]
    slow = percentile(_firsts(measured, "shadow"), 0.95) - percentile(_firsts(measured, "bare", AGAIN), 0.95)
    return [
        Target("shadow: first token later than bare, ms, p50", percentile(later, 0.5), 15),
        Target("shadow: p95 of the first token beyond bare's p95, ms", slow, 40),
        Target(
            "shadow: tokens per second, share of bare, p50", statistics.median(ratios), 0.95, at_least=True
        ),
        Target("hold: first piece after bare had its characters, ms, p50", percentile(held, 0.5), 30),
    ]


def _firsts(measured: list[Round], *sides: str) -> list[float]:
    """When the first text of these sides came, milliseconds."""
    return [answers[side].first * 1000 for answers in measured for side in sides]


def _later(measured: list[Round], side: str) -> list[float]:
    """How much later than the bare Generator its first text came in each round, milliseconds."""
    return [(answers[side].first - answers["bare"].first) * 1000 for answers in measured]


def _ratios(measured: list[Round], side: str) -> list[float]:
    return [answers[side].speed / answers["bare"].speed for answers in measured]


def _noise(measured: list[Round]) -> str:
    later, ratios = _later(measured, AGAIN), _ratios(measured, AGAIN)
    shadow = percentile(_later(measured, "shadow"), 0.95)
    return (
        f"noise of this machine, the bare Generator against itself: first token p50 {percentile(later, 0.5):+.1f} ms, "
        f"p95 {percentile(later, 0.95):+.1f} ms (shadow against it: {shadow:+.1f}); tokens per second "
        f"{statistics.median(ratios):.3f}"
    )


def _answers(measured: list[Round], *, title: str) -> Table:
    table = Table(
        "",
        "first text, ms p50",
        "p95",
        "tokens/s p50",
        "after the first",
        "piece gap, ms p50",
        "p95",
        title=title,
    )
    for side in SIDES:
        answers = [each[side] for each in measured]
        firsts = [answer.first * 1000 for answer in answers]
        gaps = [gap * 1000 for answer in answers for gap in answer.gaps]
        table.add_row(
            side,
            f"{percentile(firsts, 0.5):.1f}",
            f"{percentile(firsts, 0.95):.1f}",
            f"{statistics.median(answer.speed for answer in answers):.2f}",
            f"{statistics.median(answer.pace for answer in answers):.2f}",
            *(f"{percentile(gaps, share):.1f}" if gaps else "" for share in (0.5, 0.95)),
        )
    return table


def _figures(measured: list[Round], targets: list[Target], *, threads: int) -> dict[str, Any]:
    return {
        "when": time.strftime("%Y-%m-%d %H:%M:%S%z"),
        "machine": {"processor": processor(), "cores": cores(), "python": platform.python_version()},
        "threads": threads,
        "targets": [asdict(target) | {"kept": target.kept} for target in targets],
        "rounds": [{side: asdict(answer) for side, answer in answers.items()} for answers in measured],
    }


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(main)
    app()
