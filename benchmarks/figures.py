"""From times to figures: percentiles, what a run of conversations comes to, and promises kept or missed.

Knows arithmetic, and the table in which verdicts are shown.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from conversations import Exchange
from rich.table import Table

Talk = Sequence[Exchange]  # all exchanges of one load, once


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest rank: a value that was measured."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


@dataclass(frozen=True, slots=True)
class Target:
    """What the project promises. `at_most` or `at_least`, in the unit that the name gives."""

    name: str
    value: float
    limit: float
    at_least: bool = False

    @property
    def kept(self) -> bool:
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    @property
    def sign(self) -> str:
        return "≥" if self.at_least else "≤"


def verdicts(targets: Sequence[Target]) -> Table:
    table = Table("target", "limit", "measured", "")
    for target in targets:
        table.add_row(
            target.name,
            f"{target.sign} {target.limit:.3g}",
            f"{target.value:.3g}",
            "[green]kept[/]" if target.kept else "[red]missed[/]",
        )
    return table


@dataclass(frozen=True, slots=True)
class Summary:
    """One system under one load, all rounds together. Seconds, and tokens per second of wall time."""

    tokens_per_second: float
    first_p50: float
    first_p95: float
    between_p95: float
    prompt_tokens: int  # of all prompts; what a cache spares is counted too
    tokens: int


def seconds(talk: Talk) -> float:
    """From the first question to the last token."""
    return max(each.asked + each.times[-1] for each in talk) - min(each.asked for each in talk)


def speed(talk: Talk) -> float:
    return sum(each.tokens for each in talk) / seconds(talk)


def summary(talks: Sequence[Talk]) -> Summary:
    exchanges = [each for talk in talks for each in talk]
    firsts = [each.times[0] for each in exchanges]
    between = [after - before for each in exchanges for before, after in pairwise(each.times)]
    tokens = sum(each.tokens for each in exchanges)
    return Summary(
        tokens_per_second=tokens / sum(map(seconds, talks)),
        first_p50=percentile(firsts, 0.5),
        first_p95=percentile(firsts, 0.95),
        between_p95=percentile(between, 0.95) if between else 0.0,
        prompt_tokens=sum(each.prompt_tokens for each in exchanges),
        tokens=tokens,
    )


# What each system said to each number of conversations: one talk a round.
Measured = dict[int, dict[str, list[Talk]]]


def targets(measured: Measured) -> list[Target]:
    """What the engine promises against one call each and against batches, and alone against the bare Generator."""
    made = []
    at = min(measured, key=lambda conversations: abs(conversations - 16))
    single, ours = (summary(measured[at][system]) for system in ("single", "frontdesk"))
    made.append(
        Target(
            f"tokens/s at {at}, times one call each",
            ours.tokens_per_second / single.tokens_per_second,
            3.5,
            at_least=True,
        )
    )
    made.append(
        Target(f"first token p50 at {at}, share of one call each", ours.first_p50 / single.first_p50, 1 / 6)
    )
    for conversations, talks in measured.items():
        mine, batched = (summary(talks[system]) for system in ("frontdesk", "batched"))
        ratio = mine.tokens_per_second / batched.tokens_per_second
        made.append(Target(f"tokens/s at {conversations}, times batches", ratio, 1, at_least=True))
    if 1 in measured:
        pairs = zip(measured[1]["frontdesk"], measured[1]["bare"], strict=True)
        alone = statistics.median(speed(mine) / speed(bare) for mine, bare in pairs)
        made.append(Target("tokens/s at 1, share of the bare Generator", alone, 0.97, at_least=True))
    return made
