"""Verdicts as they look at the terminal: the queue of those that wait, and one of them whole.

Knows rich, and the words for a decision. Treats what people wrote as text alone, never as markup or orders to a
terminal.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bot.operating import day

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from bot.store import KeptVerdict

STYLES = {"block": "red", "redact": "magenta", "review": "yellow", "allow": "green"}
MEANING = {"approved": "false alarm, the text was fine", "rejected": "rightly stopped or doubted"}
DIRECTIONS = {"input": "what a person wrote", "output": "what the model wrote"}
BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # would turn around what stands beside them
HINT = "approve ID: it was a false alarm, the text is fine.  reject ID: it was rightly stopped or doubted."


def console() -> Console:
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else 120)


def table(waiting: Sequence[KeptVerdict]) -> RenderableType:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=True)
    shown.add_column("id", justify="right", style="bold")
    shown.add_column("action", no_wrap=True)
    shown.add_column("category", no_wrap=True)
    shown.add_column("score", justify="right")
    shown.add_column("by", no_wrap=True)
    shown.add_column("where", no_wrap=True, overflow="ellipsis", max_width=16)
    shown.add_column("when, UTC", no_wrap=True)
    shown.add_column("text", no_wrap=True, overflow="ellipsis", ratio=1)
    for verdict in waiting:
        category, score = _decisive(verdict)
        shown.add_row(
            str(verdict.id),
            Text(verdict.action, STYLES.get(verdict.action, "")),
            Text(category),
            _number(score),
            "person" if verdict.direction == "input" else "model",
            Text(_where(verdict, short=True)),
            day(verdict.created)[5:],
            Text(" ".join(_safe(verdict.text or "").split())),
        )
    return shown


def _decisive(verdict: KeptVerdict) -> tuple[str, float | None]:
    """The category that a person is asked about, and how sure the classifier was."""
    from moderation.verdict import ACTIONS

    told = asked(verdict) or verdict.findings
    first = max(told, key=lambda f: (ACTIONS.index(f["action"]), f["score"] or 0.0), default=None)
    return (first["category"] or first["check"], first["score"]) if first else ("", None)


def asked(verdict: KeptVerdict) -> list[Mapping[str, Any]]:
    """The findings that a person is asked about: not the address beside the threat, though hiding it weighs more."""
    from bot.record import PRIVATE, family

    return [finding for finding in verdict.findings if family(finding["category"]) not in PRIVATE]


def _where(verdict: KeptVerdict, *, short: bool = False) -> str:
    if verdict.caller:
        return (
            f"{verdict.channel} {verdict.caller}" if short else f"{verdict.channel}, key “{verdict.caller}”"
        )
    return verdict.channel if short or not verdict.place else f"{verdict.channel}, place {verdict.place}"


def page(verdict: KeptVerdict, before: str) -> Iterator[RenderableType]:
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    style = STYLES.get(verdict.action, "")
    yield Text.assemble(
        (f"verdict {verdict.id}  ", "bold"), (verdict.action, f"bold {style}"), f"  {_state(verdict)}"
    )
    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_column(style="dim")
    facts.add_column(overflow="fold")
    for name, value in _facts(verdict):
        facts.add_row(name, Text(_safe(value)))
    yield facts
    if verdict.findings:
        yield _findings(verdict)
    if before:
        yield Text("before it", "dim")
        yield Padding(Text(_safe(before), "dim"), (0, 0, 0, 2))
    yield Text("the text", "dim")
    kept = Text(_safe(verdict.text)) if verdict.text else Text("is not kept", "dim italic")
    yield Padding(kept, (0, 0, 0, 2))
    if verdict.review == "pending":
        yield Text(f"\n{HINT}", "dim")


def _state(verdict: KeptVerdict) -> str:
    if verdict.review == "pending":
        return "waits for a decision"
    if verdict.review in MEANING:
        when = f"by {verdict.reviewed_by} on {day(verdict.reviewed_at)} UTC"
        return f"{verdict.review} ({MEANING[verdict.review]}) {when}"
    return "nothing to decide"


def _facts(verdict: KeptVerdict) -> Iterator[tuple[str, str]]:
    yield "where", f"{_where(verdict)}: {DIRECTIONS.get(verdict.direction, verdict.direction)}"
    yield "when", f"{day(verdict.created)} UTC"
    yield "policy", verdict.policy
    if verdict.model or verdict.language:
        yield "classifier", f"{verdict.model or 'none'}, language {verdict.language or 'not told'}"
    if verdict.scores:
        ranked = sorted(verdict.scores.items(), key=lambda pair: -pair[1])
        yield "scores", ", ".join(f"{name} {score:.2f}" for name, score in ranked)
    if verdict.note:
        yield "note", verdict.note
    yield "sha-256", verdict.text_hash


def _findings(verdict: KeptVerdict) -> RenderableType:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("check", "category", "action"):
        shown.add_column(name)
    shown.add_column("score", justify="right")
    shown.add_column("threshold", justify="right")
    shown.add_column("characters")
    for f in verdict.findings:
        span = f["span"]
        shown.add_row(
            Text(f["check"]),
            Text(f["category"]),
            Text(f["action"], STYLES.get(f["action"], "")),
            _number(f["score"]),
            _number(f["threshold"]),
            f"{span[0]} to {span[1]}" if span else "all",
        )
    return shown


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _safe(text: str) -> str:
    """The text without what a terminal would obey."""
    return "".join(
        "\ufffd" if (unicodedata.category(c) == "Cc" and c not in "\n\t") or c in BIDI else c for c in text
    )
