"""Every family of models that the library knows, and for one source: which engine is right, and why.

Reads configurations, no weights. Importing it loads no heavy library; the families' hooks import what they need when
they are called.
"""

from __future__ import annotations

from dataclasses import dataclass

from inference.families import causal, encoder, seq2seq
from inference.families.family import STRAIGHT, Config, EngineName, Family, Kind, Route
from inference.families.generic import of_transformers, refusal

__all__ = [
    "ALL",
    "STRAIGHT",
    "Config",
    "EngineName",
    "Family",
    "Kind",
    "Route",
    "Row",
    "architecture",
    "as_markdown",
    "family_of",
    "route",
    "table",
]

ALL: tuple[Family, ...] = (*causal.FAMILIES, *encoder.FAMILIES, *seq2seq.FAMILIES)


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table of families."""

    family: str
    kind: str
    engine: EngineName
    note: str


def architecture(config: Config) -> str:
    """The class that the source says it is, "" where it says nothing."""
    named = config.get("architectures")
    return str(named[0]) if isinstance(named, list) and named else ""


def family_of(config: Config) -> Family | None:
    """The family of a source by its architecture; what only transformers knows is a family of its own; else None."""
    name = architecture(config)
    known = next((family for family in ALL if name in family.architectures), None)
    return known or of_transformers(config)


def route(config: Config) -> Route:
    """Which engine is right for a source with this configuration, as `source.configuration` reads it: a key that is
    missing in config.json is often no missing setting. "refused" has the reason in a sentence."""
    family = family_of(config)
    reason = refusal(config, known=family is not None)
    if reason or family is None:
        return Route("refused", reason)
    return family.route(config)


def table() -> list[Row]:
    """Families as people ask for them, and last what no family covers."""
    rows = [Row(f.name, f.kind, f.route({}).engine, f.note) for f in ALL]
    return [
        *rows,
        Row("all others that transformers knows", "any", "transformers", "XLNet, ALBERT, StableLM, …"),
    ]


def as_markdown() -> str:
    """The README's table: one line for each family and kind."""
    lines = ["| family | kind | engine | what is special |", "|---|---|---|---|"]
    lines += [f"| {row.family} | {row.kind} | {row.engine} | {row.note} |" for row in table()]
    return "\n".join(lines)
