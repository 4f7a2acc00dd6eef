"""The root of `frontdesk models` and what its commands share: where the library is, how a refusal is told.

Knows the terminal. The commands stand beside it, one file for each thing that is done with models.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from inference.library import Library

app = typer.Typer(
    name="models",
    help="The library of models: what is there, and all that is done with it.",
    no_args_is_help=True,
)

DataOption = Annotated[
    Path, typer.Option("--data", envvar="FRONTDESK_DATA", help="Data folder; models live in its models/.")
]
DATA = Path("data")

JsonOption = Annotated[bool, typer.Option("--json", help="For programs: JSON on the standard output.")]


def models_in(data: Path) -> Path:
    return data / "models"


def library(data: Path) -> Library:
    from inference.library import Library

    return Library(root=models_in(data))


def plain(text: str) -> str:
    """As it is, without rich's markup."""
    from rich.markup import escape

    return escape(text)


def say(sentence: str) -> None:
    """A sentence for people, as long as it is: the terminal wraps it, and a pipe gets one line."""
    from rich.console import Console

    Console().print(sentence, markup=False, highlight=False, soft_wrap=True)


def dump(value: Any) -> None:
    """For programs."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def table(*headings: str, right: tuple[str, ...] = (), wide: tuple[str, ...] = ()) -> Table:
    """Columns that stand in 80 characters, one space between them; only the `wide` ones are broken where they must."""
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in headings:
        made.add_column(
            heading,
            justify="right" if heading in right else "left",
            no_wrap=heading not in wide,
            overflow="fold",
            min_width=8 if heading in wide else None,
        )
    return made


def size_text(size: int) -> str:
    """512 kB, 0.5 MB, 16.1 GB: a few digits that mean something."""
    unit, one = next((pair for pair in (("GB", 1e9), ("MB", 1e5)) if size >= pair[1]), ("kB", 1e3))
    figure = size / (1e6 if unit == "MB" else one)
    return f"{figure:,.0f} {unit}" if figure >= 100 or unit == "kB" else f"{figure:,.1f} {unit}"


def refused(sentence: str) -> typer.Exit:
    """The sentence on the error channel, and the exit to raise."""
    from rich.console import Console

    Console(stderr=True).print(sentence, markup=False, highlight=False, soft_wrap=True)
    return typer.Exit(1)


@contextlib.contextmanager
def sentences() -> Iterator[None]:
    """What the library refuses is told in its own sentence."""
    from inference.library.durable import ChangeRefused
    from inference.library.reference import ModelNotFound

    try:
        yield
    except (ModelNotFound, ChangeRefused) as error:
        raise refused(str(error)) from error
    except OSError as error:  # a full disk, a folder without permission
        raise refused(f"That did not work: {error}. The library is as it was.") from error
