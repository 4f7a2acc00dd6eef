"""Which model serves: promoted, tried by some conversations first, taken back.

Knows the terminal. What an alias may point to is told in `aliases`.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from inference.cli.app import DATA, DataOption, JsonOption, app, dump, library, models_in, say, sentences

_NEXT = {
    "classifier": "`frontdesk models classify` asks it.",
    "moderation": "It judges messages from the next start on, in place of the bundled one.",
}


@app.command()
def promote(
    name: Annotated[str, typer.Argument(help="NAME, NAME:variant, NAME@version:variant, or canary.")],
    canary: Annotated[
        float | None,
        typer.Option(
            "--canary", metavar="SHARE", help="Only for this share of conversations: 0.1 is a tenth."
        ),
    ] = None,
    role: Annotated[
        str,
        typer.Option(
            "--as", help="Of a classifier: classifier (without this), or moderation: it judges messages then."
        ),
    ] = "",
    data: DataOption = DATA,
    as_json: JsonOption = False,
) -> None:
    """Put a model in service, once every file of it was verified. Running workers change over by themselves."""
    from inference.library.aliases import CANARY, Aliases
    from inference.library.reference import OF_CLASSIFIERS

    with sentences():
        name_of_alias = CANARY if canary is not None else _role(name, role, data)
        alias = Aliases(models_in(data)).promote(name, name_of_alias, share=canary)
    if as_json:
        dump({"alias": name_of_alias, **_plain(alias)})
    elif name_of_alias in OF_CLASSIFIERS:
        say(f"{alias.target} is the {name_of_alias} now. {_NEXT[name_of_alias]}")
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
    role: Annotated[str, typer.Option("--as", help="classifier or moderation, instead of the default.")] = "",
    data: DataOption = DATA,
    as_json: JsonOption = False,
) -> None:
    """Go back to the model that served before."""
    from inference.library.aliases import CANARY, DEFAULT, Aliases

    name = CANARY if canary else role or DEFAULT
    with sentences():
        aliases = Aliases(models_in(data))
        alias = aliases.rollback(name)
        default = aliases.read().default
    if as_json:
        dump({"alias": name, **(_plain(alias) if alias else {"target": None})})
    elif alias is None and not canary:
        say(f"No model of the library is the {name} any more.")
    elif alias is None:
        say(
            f"There is no canary any more: {default.target if default else 'the starter'} gets every conversation."
        )
    else:
        say(f"{alias.target} is the {name} again.")


def _role(name: str, role: str, data: Path) -> str:
    """What a model is promoted to, where it is not said: by its kind."""
    from inference.library.aliases import DEFAULT
    from inference.library.reference import CLASSIFIER, ModelNotFound

    if role:
        return role
    try:
        return CLASSIFIER if library(data).find(name).kind == "classifier" else DEFAULT
    except ModelNotFound:
        return DEFAULT  # promoting says what is wrong


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
