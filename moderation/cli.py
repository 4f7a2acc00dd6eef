"""The commands of `frontdesk moderation`: judge a text by hand, check a policy file.

Knows the terminal. What a verdict means stands in the policy.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from moderation.verdict import Finding

app = typer.Typer(name="moderation", help="Judge a text by hand, check a policy file.", no_args_is_help=True)

PolicyOption = Annotated[
    Path | None, typer.Option("--policy", help="Policy file; the bundled one without it.")
]


@app.command()
def check(
    text: Annotated[str, typer.Argument(help="The text, or - to read it from standard input.")],
    output: Annotated[
        bool, typer.Option("--output", help="Judge it as an answer, not as a message.")
    ] = False,
    policy: PolicyOption = None,
) -> None:
    """Show what the policy would do with a text."""
    import asyncio
    import sys

    from rich.console import Console

    from moderation.errors import PolicyError, TextRefused
    from moderation.moderator import Moderator
    from moderation.normalise import clean

    try:
        moderator = Moderator.from_policy(policy)
        told = clean(sys.stdin.read() if text == "-" else text)
    except (PolicyError, TextRefused) as error:
        Console(stderr=True).print(str(error), markup=False, soft_wrap=True)
        raise typer.Exit(1) from error
    verdict = asyncio.run(moderator.check(told, direction="output" if output else "input"))
    console = Console()
    console.print(f"{verdict.action}  (policy {verdict.policy})", style="bold", highlight=False, markup=False)
    if verdict.findings:
        console.print(_table(verdict.findings))
    if verdict.action == "redact":
        console.print(verdict.text, markup=False, highlight=False, soft_wrap=True)


@app.command()
def policy(
    file: Annotated[Path | None, typer.Argument(help="Policy file; the bundled one without it.")] = None,
) -> None:
    """Check a policy file and list its rules."""
    from rich.console import Console
    from rich.table import Table

    from moderation.errors import PolicyError
    from moderation.policy import load

    try:
        loaded = load(file)
    except PolicyError as error:
        Console(stderr=True).print(str(error), markup=False, soft_wrap=True)
        raise typer.Exit(1) from error
    table = Table("rule", "direction", "action", "category")
    for rule in loaded.rules:
        table.add_row(rule.name, ", ".join(rule.directions), rule.action, rule.category)
    console = Console()
    console.print(table)
    console.print(
        f"policy {loaded.version}: {len(loaded.rules)} rules, input up to {loaded.max_input_chars} characters"
    )


def _table(findings: Sequence[Finding]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table("check", "action", "category", "characters", "reason")
    for finding in findings:
        where = "all" if finding.span is None else "{} to {}".format(*finding.span)
        table.add_row(finding.check, finding.action, finding.category, where, Text(finding.reason))
    return table
