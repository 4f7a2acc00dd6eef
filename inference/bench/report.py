"""From readings to figures: medians, ratios taken round by round, drift from the best float variant, a recommendation.

Knows arithmetic. How a reading is taken, and how a report looks, is said elsewhere.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from inference.bench import drift
from inference.bench.drift import FLOATS
from inference.bench.recommend import Candidate, Choice, percent, recommend

if TYPE_CHECKING:
    from inference.bench.plan import Plan, Reading
    from inference.library import ModelFolder

FORMAT = 1

# The best first: what the others are compared with, and the order of the tables.
ORDER = (*FLOATS, "int8_float32", "int8_bfloat16", "int8_float16", "int8", "awq")

# Head-room that a variant must leave: so many conversations at once (as many rows as are measured) of so many tokens,
# or the whole context where it is shorter. A long talk at a front desk has about that many.
CONVERSATIONS, TOKENS = 8, 2048

# Noise from which figures say little. A machine that does nothing else stays within some percent.
BUSY = 0.1

DRIFTS = {
    "chat": "perplexity drift",
    "seq2seq": "perplexity drift",
    "classifier": "drift of probabilities",
    "embedder": "drift of vectors",
}
UNITS = {"chat": "tokens", "seq2seq": "tokens", "classifier": "texts", "embedder": "texts"}


@dataclass(slots=True, kw_only=True)
class Figures:
    """One variant, all rounds together. Seconds, bytes, shares; None or empty: not measured, and `notes` say why.

    `load_seconds` is opening it as a worker does, with every file verified. `memory` is what its process held at most,
    less what it held before any library was loaded.
    """

    reference: str
    variant: str
    engine: str
    disk: int
    runs_as: str = ""
    load_seconds: float | None = None
    per_second: dict[str, float] = field(default_factory=dict)  # by rows, all rows together
    ratio: dict[str, float] = field(default_factory=dict)  # by rows, to the variant `Report.against`
    noise: float | None = None  # half the spread of its rounds
    first_token: dict[str, dict[str, float]] = field(default_factory=dict)
    memory: int | None = None
    device_memory: int | None = None
    room: int | None = None  # tokens of conversations beside the weights
    fits: bool | None = None
    perplexity: float | None = None
    drift: float | None = None
    error: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def label(self) -> str:
        """What it is called beside its kin; a plain folder has no variant, only what it runs as."""
        return self.variant or self.runs_as or "as it is"

    @property
    def footprint(self) -> int:
        """What it takes of the scarcer memory."""
        return self.device_memory or self.memory or 0


@dataclass(slots=True, kw_only=True)
class Report:
    model: str
    kind: str
    machine: Mapping[str, str | int]
    plan: Plan
    text: str
    text_tokens: int
    variants: list[Figures]
    against: str  # the variant to which ratios are taken
    drift_from: str  # what drift is measured from; empty where nothing can serve
    choice: Choice | None
    notes: list[str] = field(default_factory=list)

    @property
    def measured(self) -> list[Figures]:
        return [each for each in self.variants if not each.error]

    @property
    def unit(self) -> str:
        return UNITS[self.kind]

    @property
    def drift(self) -> str:
        """What the drift of such a model is called."""
        return DRIFTS[self.kind]

    def recommends(self, figures: Figures) -> bool:
        """Before others: who is measured alone is not preferred to anybody."""
        return len(self.measured) > 1 and self.choice is not None and self.choice.variant == figures.label

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "model": self.model,
            "kind": self.kind,
            "unit": self.unit,
            **self._shared(),
            "variants": [asdict(each) for each in self.variants],
            "recommended": asdict(self.choice) if self.choice else None,
            "notes": self.notes,
        }

    def speed_of(self, figures: Figures) -> dict[str, Any]:
        """What stays in the manifest of one variant."""
        own = {
            key: value
            for key, value in asdict(figures).items()
            if key not in ("reference", "variant", "engine")
        }
        reason = self.choice.reason if self.choice else ""
        return {
            "format": FORMAT,
            "summary": summary(figures, self),
            "unit": self.unit,
            **own,
            **self._shared(),
            "recommended": self.recommends(figures),
            "reason": reason,
        }

    def _shared(self) -> dict[str, Any]:
        return {
            "machine": dict(self.machine),
            "plan": asdict(self.plan),
            "text": {"name": self.text, "tokens": self.text_tokens},
            "against": self.against,
            "drift_from": self.drift_from,
        }


def summary(figures: Figures, report: Report) -> str:
    """One line for whoever looks at the variant alone."""
    said = [
        f"{_figure(speed)} {report.unit}/s" if rows == "1" else f"{_figure(speed)} at {rows} rows"
        for rows, speed in figures.per_second.items()
    ]
    chosen = report.recommends(figures)
    return ", ".join([*said, *(["recommended"] if chosen else [])])


def _figure(speed: float) -> str:
    return f"{speed:,.0f}" if speed >= 100 else f"{speed:.3g}"


def reported(
    models: Sequence[ModelFolder],
    readings: Mapping[str, Sequence[Reading]],
    *,
    plan: Plan,
    text: str,
    machine: Mapping[str, str | int],
    broken: Mapping[str, str] | None = None,
) -> Report:
    """`readings` by the model's name, one a round as far as it went. `broken`: variants that cannot even be opened, and
    why, by reference."""
    models = sorted(models, key=_rank)
    kind = models[0].kind
    variants = [_figures(model, readings[model.name]) for model in models]
    good = [each for each in variants if not each.error]
    against = _against(good)
    if against is not None:
        for each in good:
            _compare(each, readings[each.reference], readings[against.reference])
    drifts = drift.measured(kind, [model for model in models if not readings[model.name][-1].error], readings)
    for each in good:
        each.drift = drifts.of.get(each.reference)
    variants += [
        Figures(reference=name, variant=name.rpartition(":")[2], engine="", disk=0, error=error)
        for name, error in (broken or {}).items()
    ]
    return Report(
        model=_title(models[0]),
        kind=kind,
        machine=machine,
        plan=plan,
        text=text,
        text_tokens=max((reading.scored for each in good for reading in readings[each.reference]), default=0),
        variants=variants,
        against=against.label if against else "",
        drift_from=drifts.source,
        choice=recommend([_candidate(each) for each in good], drift=DRIFTS[kind]),
        notes=[_noise(good), drifts.note] if good else [],
    )


def _rank(model: ModelFolder) -> int:
    return ORDER.index(model.variant) if model.variant in ORDER else len(ORDER)


def _title(model: ModelFolder) -> str:
    return model.name.partition(":")[0]


def _figures(model: ModelFolder, rounds: Sequence[Reading]) -> Figures:
    figures = Figures(reference=model.name, variant=model.variant, engine=model.engine, disk=model.size)
    if rounds[-1].error:
        figures.error = rounds[-1].error
        if len(rounds) > 1:
            figures.error += f" (in round {len(rounds)}; it went well before)"
        return figures
    first = rounds[0]
    figures.runs_as = first.runs_as
    figures.load_seconds = statistics.median(each.load_seconds for each in rounds)
    figures.per_second = _medians([each.per_second for each in rounds])
    figures.first_token = {
        wanted: {
            **found,
            "seconds": statistics.median(each.first_token[wanted]["seconds"] for each in rounds),
        }
        for wanted, found in first.first_token.items()
    }
    figures.memory = max(each.memory for each in rounds)
    on_device = [each.device_memory for each in rounds if each.device_memory is not None]
    figures.device_memory = max(on_device, default=None)
    figures.room, figures.perplexity = first.room, _perplexity(first.loss)
    figures.fits = _fits(model, first.room)
    figures.notes = [*_said_of(model, figures), *first.notes]
    return figures


def _perplexity(loss: float | None) -> float | None:
    """None also where it is beyond any number."""
    return math.exp(loss) if loss is not None and loss < drift.LARGEST else None


def _fits(model: ModelFolder, room: int | None) -> bool | None:
    if model.kind in ("classifier", "embedder"):
        return True  # it keeps nothing between two texts, and has just been run
    return None if room is None else room >= CONVERSATIONS * min(TOKENS, model.context_length)


def _said_of(model: ModelFolder, figures: Figures) -> list[str]:
    """What a reader of its figures has to know."""
    said = []
    if model.engine == "transformers":
        said.append("runs on transformers, not on CTranslate2")
    if model.variant and figures.runs_as and not _runs_so(model.variant, figures.runs_as):
        said.append(f"this device runs it as {figures.runs_as}")
    if figures.fits is False:
        said.append(
            f"leaves room for {figures.room:,} tokens of conversations, too few for {CONVERSATIONS} at once"
        )
    return said


def _runs_so(variant: str, runs_as: str) -> bool:
    """int8 alone means int8 with whatever the device computes the rest in; of awq nobody can tell."""
    return variant in (runs_as, "awq") or (variant == "int8" and runs_as.startswith("int8"))


def _medians(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {key: statistics.median(each[key] for each in rounds) for key in rounds[0]}


def _against(good: Sequence[Figures]) -> Figures | None:
    """The best float variant, else the first: they are in order."""
    return good[0] if good else None


def _compare(figures: Figures, own: Sequence[Reading], others: Sequence[Reading]) -> None:
    """Ratios are taken within a round, where the machine was in the same mood for both."""
    ratios = [
        {rows: speed / other.per_second[rows] for rows, speed in each.per_second.items()}
        for each, other in zip(own, others, strict=True)
    ]
    figures.ratio = _medians(ratios)
    most = max(figures.ratio, key=int, default=None)
    if most is not None and len(ratios) > 1:
        values = [each[most] for each in (ratios if own is not others else [one.per_second for one in own])]
        figures.noise = (max(values) - min(values)) / 2 / statistics.median(values)


def _candidate(figures: Figures) -> Candidate:
    most = max(figures.ratio, key=int, default="")
    return Candidate(
        variant=figures.label,
        speed=figures.ratio.get(most, 0.0),
        memory=figures.footprint,
        disk=figures.disk,
        drift=figures.drift,
        noise=figures.noise,
        fits=figures.fits,
    )


def _noise(good: Sequence[Figures]) -> str:
    noise = max((each.noise for each in good if each.noise is not None), default=None)
    if noise is None:
        return "Noise: unknown after a single round."
    busy = " The machine was busy with other things: measure again when it is quiet." if noise > BUSY else ""
    return f"Noise: between rounds, the speed of one variant differed by up to {percent(noise)} either way.{busy}"
