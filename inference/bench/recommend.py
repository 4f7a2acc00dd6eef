"""Which variant to take, and why, in a sentence. Pure: figures in, a choice out.

Knows nothing of how the figures came about; that is the bench's business.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

# A perplexity that is 1 % higher is far below what a reader notices (models a size apart differ by 10 % and more), and
# far above what rounding alone does to a sound int8 variant of a usual model (a few tenths of a percent). For a
# classifier it is one point of probability, for an embedder one hundredth of the cosine.
LIMIT = 0.01

# Shares of speed that count as equal however quiet the machine was: nobody feels them. And of memory: two runs of one
# variant differ by as much.
LEAST_NOISE = 0.02
SAME_MEMORY = 0.05

DRIFT = "perplexity drift"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One measured variant. `fits`: the weights, and room for conversations beside them; None where nobody can tell."""

    variant: str
    speed: float  # tokens or texts per second, of all rows together
    memory: int  # bytes at its peak
    disk: int = 0  # bytes
    drift: float | None = None  # 0.01: 1 % worse than the reference; None: unknown
    noise: float | None = None  # share of speed by which its rounds differ; None: a single round
    fits: bool | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    variant: str
    reason: str


def recommend(candidates: Sequence[Candidate], *, limit: float = LIMIT, drift: str = DRIFT) -> Choice | None:
    """The fastest that fits and drifts no further than `limit`; of equally fast ones the smaller. None of nothing.

    Where no drift is known, the fastest that fits; where all drift too far, the one that drifts least; where nothing
    fits, the smallest. The reason says which of these it was. `drift` is what the figure is called.
    """
    if not candidates:
        return None
    fitting = [each for each in candidates if each.fits is not False]
    if not fitting:
        return _smallest(candidates)
    good = [each for each in fitting if _within(each, limit)]
    known = [each for each in fitting if each.drift is not None and math.isfinite(each.drift)]
    if good:
        return _fastest(good, candidates, limit=limit, drift=drift)
    if known:
        return _nearest(known, candidates, limit=limit, drift=drift)
    unknown = [each for each in fitting if each.drift is None]
    return (
        _unknown(unknown, candidates, drift=drift) if unknown else None
    )  # else its figures are not even numbers


def percent(share: float) -> str:
    if share > 10:
        return "more than 1000 %"
    figure = f"{100 * share:.2f}" if abs(share) < 0.1 else f"{100 * share:.1f}"
    return f"{figure.rstrip('0').rstrip('.')} %"


def megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB" if size >= 1e7 else f"{size / 1e6:.1f} MB"


def _within(candidate: Candidate, limit: float) -> bool:
    return candidate.drift is not None and candidate.drift <= limit  # not so for NaN


def _smallest(candidates: Sequence[Candidate]) -> Choice:
    best = min(candidates, key=lambda each: each.memory)
    return Choice(
        best.variant,
        f"No variant leaves room for conversations on this machine; {best.variant} needs the least memory "
        f"({megabytes(best.memory)}). A smaller model, or more memory, would serve better.",
    )


def _fastest(good: Sequence[Candidate], every: Sequence[Candidate], *, limit: float, drift: str) -> Choice:
    best, equal = _best(good)
    figure = percent(best.drift or 0)
    if len(every) == 1:
        return Choice(
            best.variant,
            f"{best.variant} is the only variant; there is nothing to choose between.{_room(best)}",
        )
    if equal:
        tied = ", ".join(each.variant for each in equal)
        reason = (
            f"{best.variant} is as fast as {tied} within the noise of this machine and takes less "
            f"{_less(best, equal)}, at a {drift} of {figure}."
        )
    elif len(good) == 1:
        reason = f"{best.variant} is the only one that fits with a {drift} below {percent(limit)} ({figure})."
    else:
        reason = f"{best.variant} is the fastest with a {drift} below {percent(limit)} ({figure})."
    return Choice(best.variant, reason + _passed_over(best, every, limit=limit) + _room(best))


def _nearest(known: Sequence[Candidate], every: Sequence[Candidate], *, limit: float, drift: str) -> Choice:
    best = min(known, key=lambda each: (each.drift, each.memory))
    figure = percent(best.drift or 0)
    if len(every) == 1:
        reason = f"{best.variant} is the only variant; its {drift} of {figure} is more than {percent(limit)}."
    else:
        reason = f"No variant that fits has a {drift} below {percent(limit)}; {best.variant}'s is the least ({figure})."
    return Choice(best.variant, reason + _room(best))


def _unknown(fitting: Sequence[Candidate], every: Sequence[Candidate], *, drift: str) -> Choice:
    best, equal = _best(fitting)
    if len(every) == 1:
        reason = f"{best.variant} is the only variant"
    elif equal:
        tied = ", ".join(each.variant for each in equal)
        less = _less(best, equal)
        reason = f"{best.variant} is as fast as {tied} within the noise of this machine and takes less {less}"
    else:
        reason = f"{best.variant} is the fastest that fits"
    return Choice(
        best.variant,
        f"{reason}; its {drift} is unknown, since there is nothing to compare it with.{_room(best)}",
    )


def _best(candidates: Sequence[Candidate]) -> tuple[Candidate, list[Candidate]]:
    """The smallest of those that are as fast as the fastest within the noise, and the others of them."""
    fastest = max(candidates, key=lambda each: each.speed)
    equal = [each for each in candidates if each.speed >= fastest.speed * (1 - _noise(each, fastest))]
    least = min(each.memory for each in equal)
    small = [each for each in equal if each.memory <= least * (1 + SAME_MEMORY)]
    best = min(small, key=lambda each: (each.disk, -each.speed))
    return best, [each for each in equal if each is not best]


def _less(best: Candidate, others: Sequence[Candidate]) -> str:
    """Than all others: memory, or disk where memory is about the same."""
    if all(each.memory > best.memory * (1 + SAME_MEMORY) for each in others):
        return f"memory ({megabytes(best.memory)})"
    return f"room ({megabytes(best.memory)} of memory, {megabytes(best.disk)} on disk)"


def _noise(one: Candidate, other: Candidate) -> float:
    return max(LEAST_NOISE, one.noise or 0, other.noise or 0)


def _passed_over(best: Candidate, every: Sequence[Candidate], *, limit: float) -> str:
    """Whoever reads the table sees something faster, and asks why not that one."""
    faster = [each for each in every if each.speed > best.speed * (1 + _noise(each, best))]
    told = []
    for each in sorted(faster, key=lambda each: -each.speed):
        if each.fits is False:
            told.append(f"{each.variant} is faster, but leaves no room for conversations")
        elif each.drift is None:
            told.append(f"{each.variant} is faster, but its drift is unknown")
        elif not _within(each, limit):
            told.append(f"{each.variant} is faster, but drifts by {percent(each.drift)}")
    return f" {'; '.join(told)}." if told else ""


def _room(best: Candidate) -> str:
    return " Whether it leaves room for conversations could not be told." if best.fits is None else ""
