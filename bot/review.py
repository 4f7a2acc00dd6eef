"""`frontdesk moderation queue, show, approve, reject, export`: people look at what the screen stopped or doubted.

Knows the terminal and the words for a decision. What is kept of a verdict, and how long, is decided elsewhere; how a
classifier learns from the decisions too.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot import docket
from bot.docket import HINT, MEANING
from bot.operating import day, open_store, run

if TYPE_CHECKING:
    from bot.store import Decided, Decision, KeptVerdict

app = typer.Typer(name="moderation")

Json = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]
Ids = Annotated[list[int], typer.Argument(metavar="ID...", help="The numbers that `queue` shows.")]
Note = Annotated[str, typer.Option("--note", help="Why; kept with the decision.")]
By = Annotated[str, typer.Option("--by", help="Who decides.  [default: the user of this terminal]")]
Overrule = Annotated[
    bool, typer.Option("--overrule", help="Also where somebody has decided otherwise before.")
]


@app.command()
def queue(
    limit: Annotated[int, typer.Option("--limit", min=1, help="Show this many at most.")] = 20,
    as_json: Json = False,
) -> None:
    """List what waits for a decision: the worst first, and of each kind the newest."""

    async def found() -> tuple[list[KeptVerdict], int]:
        async with open_store() as store:
            return await store.waiting(limit=limit)

    waiting, total = run(found())
    if as_json:
        typer.echo(json.dumps([asdict(verdict) for verdict in waiting], ensure_ascii=False))
        return
    if not waiting:
        typer.echo(_nothing_waits())
        return
    console = docket.console()
    console.print(docket.table(waiting))
    more = f", {len(waiting)} of them are shown" if total > len(waiting) else ""
    console.print(f"{total} {'waits' if total == 1 else 'wait'}{more}. One in full: show ID.", style="dim")
    console.print(HINT, style="dim")


@app.command()
def show(
    verdict_id: Annotated[int, typer.Argument(metavar="ID", help="A number that `queue` shows.")],
    as_json: Json = False,
) -> None:
    """Show one verdict whole: every score and threshold, the text, and what was said before it."""

    async def found() -> tuple[KeptVerdict, str] | None:
        async with open_store() as store:
            return await store.verdict(verdict_id)

    there = run(found())
    if there is None:
        raise _unknown([verdict_id])
    verdict, before = there
    if as_json:
        typer.echo(json.dumps({**asdict(verdict), "before": before}, ensure_ascii=False))
        return
    console = docket.console()
    for part in docket.page(verdict, before):
        console.print(part)


@app.command()
def approve(ids: Ids, note: Note = "", by: By = "", overrule: Overrule = False) -> None:
    """It was a FALSE ALARM: the text was fine. Nothing is sent now; the decision helps to train the classifier."""
    _decide("approved", ids, note=note, by=by, overrule=overrule)


@app.command()
def reject(ids: Ids, note: Note = "", by: By = "", overrule: Overrule = False) -> None:
    """It was RIGHTLY STOPPED or doubted: the text was not fine. The decision helps to train the classifier."""
    _decide("rejected", ids, note=note, by=by, overrule=overrule)


@app.command()
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE.jsonl", help="Written anew; - is standard output.")],
) -> None:
    """Write every decision as a row that `frontdesk train classifier` learns from."""

    async def found() -> list[KeptVerdict]:
        async with open_store() as store:
            return await store.decisions()

    decided = run(found())
    rows = [row for verdict in decided if (row := training_row(verdict))]
    lines = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
    try:
        _write(file, lines)
    except OSError as error:
        typer.echo(f"{file} cannot be written: {error.strerror}.", err=True)
        raise typer.Exit(1) from None
    typer.echo(_exported(decided, rows, file), err=True)


def training_row(verdict: KeptVerdict) -> dict[str, Any] | None:
    """A decision as a labelled row; None where there is no text any more, or nothing that a classifier learns.

    A false alarm has none of the categories. What was rightly stopped has those that made the verdict what it was, and
    nobody has looked for the others: they are left unknown.
    """
    from moderation.categories import CATEGORIES, OVERALL

    if not verdict.text:
        return None
    if verdict.review == "approved":
        labels = dict.fromkeys((*CATEGORIES, OVERALL), 0)
    else:
        found = _decisive(verdict)
        labels = {name: 1 for name in CATEGORIES if name in found}
        if not labels:
            return None
        labels[OVERALL] = 1
    return {"text": verdict.text, "labels": labels, "source": "review"}


def _decisive(verdict: KeptVerdict) -> set[str]:
    """The categories of what weighed most of all that a person was asked about."""
    from bot.record import family
    from moderation.verdict import ACTIONS

    asked = docket.asked(verdict)
    most = max((f["action"] for f in asked), key=ACTIONS.index, default="allow")
    return {family(f["category"]) for f in asked if f["action"] == most != "allow"}


def _write(file: Path, lines: str) -> None:
    """What people said is for its owner's eyes."""
    if str(file) == "-":
        sys.stdout.write(lines)
        return
    file.touch(mode=0o600)
    file.chmod(0o600)  # also where it was there before
    file.write_text(lines, encoding="utf-8")


def _exported(decided: Sequence[KeptVerdict], rows: Sequence[dict[str, Any]], file: Path) -> str:
    fine = sum(not any(row["labels"].values()) for row in rows)
    told = [f"{len(rows)} rows in {file}: {fine} false alarms, {len(rows) - fine} rightly stopped."]
    gone = sum(not verdict.text for verdict in decided)
    other = len(decided) - gone - len(rows)
    if gone:
        told.append(f"{gone} left out: their texts are no longer kept (FRONTDESK_VERDICT_DAYS).")
    if other:
        told.append(f"{other} left out: what was found in them is no category of the classifier.")
    return "\n".join(told)


def _decide(decision: Decision, ids: Sequence[int], *, note: str, by: str, overrule: bool) -> None:
    who = by or _user()

    async def made() -> list[Decided | None]:
        async with open_store() as store:
            return [await store.decide(one, decision, by=who, note=note, overrule=overrule) for one in ids]

    done = run(made())
    for one in done:
        if one is not None:
            typer.echo(_told(one, decision))
    missing = [one for one, result in zip(ids, done, strict=True) if result is None]
    if missing:
        raise _unknown(missing)
    if any(one and not one.changed and one.verdict.review != decision for one in done):
        raise typer.Exit(1)


def _told(done: Decided, wanted: Decision) -> str:
    verdict = done.verdict
    if done.changed:
        return f"verdict {verdict.id} is {wanted}: {MEANING[wanted]}."
    if verdict.review in MEANING:
        first = f"{verdict.reviewed_by} {verdict.review} it on {day(verdict.reviewed_at)} UTC"
        stays = "nothing is changed" if verdict.review == wanted else "that stays; --overrule changes it"
        return f"verdict {verdict.id} was decided before: {first} ({MEANING[verdict.review]}); {stays}."
    return f"verdict {verdict.id} waits for nobody: it was allowed, or its text is no longer kept."


def _unknown(ids: Sequence[int]) -> typer.Exit:
    named = ", ".join(map(str, ids))
    typer.echo(f"There is no verdict {named}. `frontdesk moderation queue` shows what waits.", err=True)
    return typer.Exit(1)


def _nothing_waits() -> str:
    from bot.settings import Settings

    if Settings.read().verdict_days:
        return "Nothing waits for a decision."
    return "Nothing waits for a decision, and nothing ever will: FRONTDESK_VERDICT_DAYS is 0, so no text is kept."


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container without an entry for its user
        return "somebody"
