"""The library kept in order: verified, freed of what is not wanted, swept.

Knows the terminal. What may be removed is the shelf's business.
"""

from __future__ import annotations

from typing import Annotated

import typer

from inference.cli.app import (
    DATA,
    DataOption,
    JsonOption,
    app,
    dump,
    models_in,
    plain,
    refused,
    say,
    sentences,
    size_text,
    table,
)


@app.command()
def verify(
    name: Annotated[str, typer.Argument(help="NAME, NAME:variant, an alias, or all.")] = "all",
    data: DataOption = DATA,
    as_json: JsonOption = False,
) -> None:
    """Compare every file of a model, or of all, with what its manifest says."""
    from rich.console import Console

    from inference.library.audit import audit

    with sentences():
        findings = list(audit(models_in(data), name))
    damaged = [finding for finding in findings if finding.state == "damaged"]
    if as_json:
        models = [
            {
                "reference": each.name,
                "path": str(each.path.absolute()),
                "state": each.state,
                "reason": each.reason,
            }
            for each in findings
        ]
        dump({"ok": not damaged, "models": models})
        raise typer.Exit(1 if damaged else 0)
    listed = table("model", "state")
    for finding in findings:
        style = {"verified": "green", "damaged": "red"}.get(finding.state, "yellow")
        listed.add_row(plain(finding.name), f"[{style}]{finding.state}[/]")
    Console().print(listed)
    if damaged:
        raise refused("\n".join(finding.reason for finding in damaged))


@app.command()
def remove(
    name: Annotated[str, typer.Argument(help="NAME for all of it, NAME@version, or NAME@version:variant.")],
    force: Annotated[bool, typer.Option("--force", help="Also what `rollback` would go back to.")] = False,
    data: DataOption = DATA,
    as_json: JsonOption = False,
) -> None:
    """Remove a model, or one of its versions or variants. What serves is never removed."""
    from inference.library.shelf import Shelf

    with sentences():
        removed = Shelf(models_in(data)).remove(name, force=force)
    if as_json:
        dump({"removed": list(removed)})
        return
    say(f"Removed: {', '.join(removed)}")


@app.command()
def collect(
    sources: Annotated[
        bool, typer.Option("--sources", help="Also what `pull` fetched: it would be fetched anew.")
    ] = False,
    data: DataOption = DATA,
    as_json: JsonOption = False,
) -> None:
    """Sweep up what killed commands left behind."""
    from inference.library.shelf import Shelf

    with sentences():
        shelf = Shelf(models_in(data))
        swept, kept = shelf.collect(sources=sources), shelf.disk_use().sources
    if as_json:
        dump({"removed": list(swept.paths), "size": swept.size})
        return
    say(
        f"Swept up {len(swept.paths)}, {size_text(swept.size)}."
        if swept.paths
        else "There was nothing to sweep up."
    )
    if kept:
        say(f"Fetched sources take {size_text(kept)}: --sources removes them too.")
