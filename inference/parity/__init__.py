"""What the gate found: a converted model against its source, figure by figure, each with the limit it has to keep.

Knows reports only, and imports nothing heavy. What is compared stands in `parity_chat` for decoders, in
`parity_encoder` for encoders.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from rich.table import Table

# "told" has no limit: a figure that depends on the machine, for the reader.
Rule = Literal["at most", "at least", "told"]


@dataclass(frozen=True, slots=True)
class Check:
    """One figure and its limit. A figure that is no number (NaN) fails: whatever the rule, it is not within."""

    name: str
    figure: float
    rule: Rule
    limit: float
    note: str = ""

    @property
    def passed(self) -> bool:
        if self.rule == "told":
            return math.isfinite(self.figure)
        return self.figure <= self.limit if self.rule == "at most" else self.figure >= self.limit


@dataclass(frozen=True, slots=True)
class Report:
    """All checks of one variant against one reference, as it stays in the manifest."""

    variant: str
    reference: str  # e.g. "transformers 5.23.0, float32, eager attention, CPU"
    checks: tuple[Check, ...]
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        return bool(self.checks) and all(check.passed for check in self.checks)

    @property
    def failures(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if not check.passed)

    @property
    def wanting(self) -> str:
        """What failed and by how much, for a sentence."""
        return "; ".join(
            f"{check.name} {check.figure:.3g}, {check.rule} {check.limit:.3g} wanted"
            for check in self.failures
        )

    def to_json(self) -> dict[str, Any]:
        checks = [
            {**asdict(check), "figure": _finite(check.figure), "passed": check.passed}
            for check in self.checks
        ]
        return {**asdict(self), "checks": checks, "passed": self.passed}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Report:
        """What to_json wrote; `passed` is worked out anew, never read."""
        checks = tuple(
            Check(
                name=check["name"],
                figure=math.nan if check["figure"] is None else check["figure"],
                rule=check["rule"],
                limit=check["limit"],
                note=check["note"],
            )
            for check in value["checks"]
        )
        return cls(
            variant=value["variant"],
            reference=value["reference"],
            checks=checks,
            seconds=value["seconds"],
        )

    def table(self) -> Table:
        """For people."""
        from rich.table import Table

        table = Table("check", "measured", "limit", "", title=f"{self.variant} against {self.reference}")
        for check in self.checks:
            mark = (
                "[green]ok[/]" if check.passed else "[red]fails[/]"
            )  # in words too: not everybody sees colours
            limit = "" if check.rule == "told" else f"{check.rule} {check.limit:.3g}"
            table.add_row(check.name, f"{check.figure:.3g}", limit, mark)
        return table


def _finite(figure: float) -> float | None:
    """JSON has no NaN and no infinity."""
    return figure if math.isfinite(figure) else None
