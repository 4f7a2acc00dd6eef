"""A source becomes a variant, a model gets another one; and which families there are.

Knows the terminal. What is converted how, and what is refused, is the library's business.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inference.cli.app import (
    DATA,
    DataOption,
    JsonOption,
    app,
    dump,
    library,
    models_in,
    plain,
    refused,
    say,
    sentences,
    size_text,
    table,
)

if TYPE_CHECKING:
    from inference.convert import Step
    from inference.library.manifest import Manifest

# What is told while it lasts.
STEPS: dict[Step, str] = {
    "inspect": "looking at the source",
    "convert": "converting",
    "check": "checking it against its source",
    "hash": "hashing every file",
    "install": "installing",
}

ToOption = Annotated[
    str, typer.Option("--to", help="float32, float16, bfloat16, int8, int8_float16, int8_bfloat16")
]
AcceptOption = Annotated[
    str,
    typer.Option(help="Install it although the gate refuses it, for this reason; it stays in the manifest."),
]


@app.command()
def convert(
    source: Annotated[str, typer.Argument(help="A folder as transformers writes it, or a pulled ORG/NAME.")],
    name: Annotated[
        str, typer.Option(help="What the model is called in the library; without it, as its source.")
    ] = "",
    to: ToOption = "int8",
    accept: AcceptOption = "",
    licence: Annotated[str, typer.Option(help="Where the source does not name one.")] = "",
    engine: Annotated[
        str, typer.Option(help="transformers: the second engine, e.g. for a context beyond the window.")
    ] = "",
    data: DataOption = DATA,
    as_json: JsonOption = False,
) -> None:
    """Convert a source, prove the result equal to it, and install it. Needs the extra `train`."""
    with _told(as_json) as progress:
        from inference import convert as converting
        from inference.library.shelf import Shelf

        shelf = Shelf(models_in(data))
        made = converting.convert(
            converting.find_source(source, shelf=shelf),
            shelf=shelf,
            name=name or Path(source).absolute().name,
            to=to,
            accept=accept,
            licence=licence,
            engine=engine,
            progress=progress,
        )
    _show(made, as_json=as_json)


@app.command()
def quantise(
    name: Annotated[str, typer.Argument(help="NAME, NAME@version or NAME:variant of the library.")],
    to: ToOption = "int8",
    accept: AcceptOption = "",
    data: DataOption = DATA,
    as_json: JsonOption = False,
) -> None:
    """Make another variant of a model, from the source that it was made of. Needs the extra `train`."""
    with _told(as_json) as progress:
        from inference import convert as converting
        from inference.library.shelf import Shelf

        model = library(data).find(name)
        if model.manifest is None:
            raise refused(f"{model.name} was not converted here: nobody knows its source.")
        made = converting.again(
            model.manifest, shelf=Shelf(models_in(data)), to=to, accept=accept, progress=progress
        )
    _show(made, as_json=as_json)


@app.command()
def families(
    markdown: Annotated[bool, typer.Option("--markdown", help="As it stands in the README.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Which families of models can be converted, and which engine runs them."""
    from dataclasses import asdict

    from rich.console import Console

    from inference.families import as_markdown
    from inference.families import table as rows

    if markdown:
        typer.echo(as_markdown())
        return
    if as_json:
        dump([asdict(row) for row in rows()])
        return
    listed = table("family", "kind", "engine", "what is special", wide=("family", "what is special"))
    for row in rows():
        listed.add_row(plain(row.family), row.kind, row.engine, plain(row.note))
    Console().print(listed)


@contextlib.contextmanager
def _told(as_json: bool) -> Iterator[Callable[[Step], None]]:
    """Each step on a line of its own while it lasts, where there is a terminal. What is refused is told in a sentence,
    with the gate's report where it was the gate."""
    from rich.console import Console

    aside = Console(stderr=True)
    with sentences(), aside.status(STEPS["inspect"]) as status:
        from inference.convert.intake import ConversionRefused

        def progress(step: Step) -> None:
            status.update(STEPS[step])
            if not aside.is_terminal:  # for whoever reads along: a log, a bulk worker
                number = list(STEPS).index(step) + 1
                aside.print(f"[{number}/{len(STEPS)}] {STEPS[step]}", markup=False, highlight=False)

        try:
            yield progress
        except ImportError as error:
            raise refused(
                f"Converting needs PyTorch and transformers ({error}). Install them: pip install 'frontdesk[train]'"
            ) from error
        except ConversionRefused as error:
            status.stop()
            if error.report and as_json:
                typer.echo(json.dumps({"error": str(error), "parity": error.report.to_json()}, indent=2))
            elif error.report:
                aside.print(error.report.table())
            raise


def _show(made: Manifest, *, as_json: bool) -> None:
    from rich.console import Console

    from inference.parity import Report

    if as_json:
        dump(json.loads(made.to_json()))
        return
    Console().print(Report.from_json(made.parity).table())
    say(
        f"{made.reference} is installed: {size_text(made.size)}, {made.context_length:,} tokens, on {made.engine}."
    )
    for sentence in (made.engine_reason, *made.notes):
        if sentence:
            say(sentence)
    if made.accepted:
        say(f"Outside the limits, and accepted: {made.accepted}")
    if made.has_chat_template:
        say(f"Now: frontdesk models promote {made.reference}")
