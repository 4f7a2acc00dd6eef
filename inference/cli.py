"""The commands of `frontdesk models`: which models there are, what one says about itself, one of random weights.

Knows the terminal. Which folder is a model, and why not, is the library's business.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from inference.library import Library, ModelFolder

app = typer.Typer(name="models", help="Which models there are, and what they are.", no_args_is_help=True)

DataOption = Annotated[
    Path, typer.Option("--data", envvar="FRONTDESK_DATA", help="Data folder; models live in its models/.")
]
DATA = Path("data")


@app.command("list")
def list_models(data: DataOption = DATA) -> None:
    """List every complete model."""
    from rich.console import Console
    from rich.table import Table

    table = Table("name", "context", "size", "about")
    for model in _library(data).list():
        table.add_row(model.name, f"{model.context_length:,}", _megabytes(model), model.description)
    Console().print(table)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A name from `frontdesk models list`, or a folder's path.")],
    data: DataOption = DATA,
) -> None:
    """Show what one model says about itself, and how it reads a greeting."""
    from rich.console import Console
    from rich.table import Table

    from inference.chat import Chat, ChatError, Turn
    from inference.library import ModelNotFound

    try:
        model = _library(data).find(name)
        chat = Chat.load(model.path)
        prompt = chat.prompt([Turn("user", "Hello")])
    except (ModelNotFound, ChatError) as error:
        raise _refused(str(error)) from error
    ends = ", ".join(chat.tokens(chat.end_token_ids)) or "none: only max_tokens ends an answer"
    rows = {
        "name": model.name,
        "folder": str(model.path),
        "about": model.description,
        "licence": model.licence,
        "size": _megabytes(model),
        "context": f"{model.context_length:,} tokens, question and answer together",
        "ends with": ends,
        'reads "Hello" as': repr(chat.tokenizer.decode(list(prompt), skip_special_tokens=False)),
    }
    table = Table(show_header=False)
    for key, value in rows.items():
        table.add_row(key, _plain(value))
    Console().print(table)


@app.command("random")
def make_random(
    folder: Annotated[Path, typer.Argument(help="Where to write it; it must not exist yet.")],
    shape: Annotated[str, typer.Option(help="tiny, 0.1b, 0.5b, 1.5b or 8b")] = "tiny",
    seed: int = 0,
) -> None:
    """Write a model of random weights, for trying things out and for benchmarks: it talks nonsense."""
    from rich.console import Console

    from inference import random_model

    if shape not in random_model.SHAPES:
        raise _refused(f"There is no shape {shape!r}. Shapes: {', '.join(random_model.SHAPES)}.")
    if folder.exists():
        raise _refused(f"{folder} exists already.")
    random_model.make(folder, shape=shape, seed=seed)
    Console().print(f"{folder}: now `frontdesk up --model {folder.absolute()}` runs it", markup=False)


def _library(data: Path) -> Library:
    from inference.library import Library

    return Library(root=data / "models")


def _megabytes(model: ModelFolder) -> str:
    return f"{sum(f.stat().st_size for f in model.path.iterdir() if f.is_file()) / 1e6:,.1f} MB"


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _refused(sentence: str) -> typer.Exit:
    from rich.console import Console

    Console(stderr=True).print(sentence, markup=False, soft_wrap=True)
    return typer.Exit(1)
