"""Which model serves: promoted, tried by some conversations first, taken back.

Knows the terminal. What an alias may point to is told in `aliases`.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from inference.cli.app import DATA, DataOption, JsonOption, app, dump, library, models_in, say, sentences


@app.command()
def promote(
    name: Annotated[str, typer.Argument(help="NAME, NAME:variant, NAME@version:variant, or canary.")],
    canary: Annotated[
        float | None,
        typer.Option(
            "--canary", metavar="SHARE", help="Only for this share of conversations: 0.1 is a tenth."
        ),
    ] = None,
    data: DataOption = DATA,
    as_json: JsonOption = False,
) -> None:
    """Put a model in service, once every file of it was verified. Running workers change over by themselves."""
    from inference.library.aliases import CANARY, DEFAULT, Aliases

    name_of_alias = DEFAULT if canary is None else CANARY
    with sentences():
        alias = Aliases(models_in(data)).promote(name, name_of_alias, share=canary)
    if as_json:
        dump({"alias": name_of_alias, **_plain(alias)})
    elif canary is None:
        before = f" `frontdesk models rollback` goes back to {alias.previous[0]}." if alias.previous else ""
        say(f"{alias.target} is the default now.{before}")
        _advise(alias.target, data)
    else:
        say(
            f"{alias.target} gets {alias.share:.0%} of the conversations. `frontdesk models promote canary` gives it "
            "all of them, `frontdesk models rollback --canary` none."
        )


@app.command()
def rollback(
    canary: Annotated[bool, typer.Option("--canary", help="End the canary; the default stays.")] = False,
    data: DataOption = DATA,
    as_json: JsonOption = False,
) -> None:
    """Go back to the model that served before."""
    from inference.library.aliases import CANARY, DEFAULT, Aliases

    name = CANARY if canary else DEFAULT
    with sentences():
        aliases = Aliases(models_in(data))
        alias = aliases.rollback(name)
        default = aliases.read().default
    if as_json:
        dump({"alias": name, **(_plain(alias) if alias else {"target": None})})
    elif alias is None:
        say(
            f"There is no canary any more: {default.target if default else 'the starter'} gets every conversation."
        )
    else:
        say(f"{alias.target} is the default again.")


def _advise(target: str, data: Path) -> None:
    """What happens next, and what `bench` would have taken."""
    say("Workers load it now, and it answers from then on: `loaded` in GET /v1/models says when.")
    here = library(data)
    promoted = here.find(target)
    for other in here.variants(promoted.title):
        measured = other.manifest.speed if other.manifest else {}
        if other.version == promoted.version and other.name != target and measured.get("recommended"):
            say(f"On this machine `frontdesk models bench` recommended {other.name}.")


def _plain(alias: Any) -> dict[str, Any]:
    return {**asdict(alias), "previous": list(alias.previous)}
