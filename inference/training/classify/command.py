"""`frontdesk train classifier`: from files of labelled texts to a model in the library, with its report.

Knows the terminal and puts the parts together. Nothing heavy is imported before the command runs.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from inference.training.classify.recipe import BadRecipe, NoBase, Recipe
from inference.training.classify.records import BadRows
from inference.training.classify.rows import Columns, Reading, read

USUAL = Recipe()

Drop = Annotated[list[str] | None, typer.Option(help="Letters to replace by a space, e.g. '<br />'.")]


def classifier(
    data: Annotated[list[Path], typer.Argument(help="Rows: .csv, .tsv or .jsonl, each also as .gz.")],
    name: Annotated[str, typer.Option(help="What the model is called in the library.")],
    test: Annotated[Path | None, typer.Option(help="Rows that are only judged by.")] = None,
    text: Annotated[str, typer.Option(help="The column with the text.")] = "text",
    label: Annotated[
        list[str] | None,
        typer.Option(help="The column with the label; several: one for each label, with 0 to 1 or nothing."),
    ] = None,
    slice_: Annotated[str, typer.Option("--slice", help="The column that says where a row came from.")] = "",
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave bad rows out, and count them.")] = False,
    drop: Drop = None,
    limit: Annotated[int, typer.Option("--rows", help="Learn from so many rows at most; 0: all.")] = 0,
    method: Annotated[str, typer.Option(help="lp-ft, fine-tune or linear")] = USUAL.method,
    base: Annotated[
        Path | None, typer.Option(help="A BERT-like encoder's folder, instead of MiniLM.")
    ] = None,
    max_tokens: Annotated[int, typer.Option(help="A longer text is cut at its end.")] = USUAL.max_tokens,
    epochs: Annotated[float, typer.Option(help="How often each row is seen.")] = USUAL.epochs,
    steps: Annotated[int, typer.Option(help="Instead of epochs.")] = USUAL.steps,
    batch: Annotated[int, typer.Option(help="Rows of a step.")] = USUAL.batch,
    rate: Annotated[float, typer.Option(help="Learning rate of the uppermost layer.")] = USUAL.rate,
    frozen: Annotated[int, typer.Option(help="1: the embeddings stay; 2: the lowest layer too; ...")] = 0,
    interpolate: Annotated[
        float, typer.Option(help="How much of the tuned weights is kept (WiSE-FT).")
    ] = 1.0,
    class_weights: Annotated[str, typer.Option(help="none or balanced")] = "none",
    seed: Annotated[int, typer.Option(help="Of everything that is drawn by chance.")] = USUAL.seed,
    threads: Annotated[int, typer.Option(help="CPU threads.")] = USUAL.threads,
    run: Annotated[Path | None, typer.Option(help="Checkpoints and report; without it runs/NAME.")] = None,
    to: Annotated[str, typer.Option(help="int8, float32, ...: as it is served.")] = "int8",
    licence: Annotated[str, typer.Option(help="Without it the base model's.")] = "",
    accept: Annotated[str, typer.Option(help="Install it outside its limits, for this reason.")] = "",
    library: Annotated[
        Path, typer.Option("--data", envvar="FRONTDESK_DATA", help="Data folder; models live in its models/.")
    ] = Path("data"),
    as_json: Annotated[
        bool, typer.Option("--json", help="For programs: the report on the standard output.")
    ] = False,
) -> None:
    """Train a text classifier from labelled rows, report on it, and put it into the library.

    The same command again goes on where a killed one stopped.
    """
    columns = Columns(text=text, labels=tuple(label or ["label"]), slice=slice_)
    folder = run or Path("runs") / name
    with _sentences():
        recipe = _recipe(
            base=base,
            method=method,
            max_tokens=max_tokens,
            epochs=epochs,
            steps=steps,
            batch=batch,
            rate=rate,
            frozen=frozen,
            interpolate=interpolate,
            class_weights=class_weights,
            seed=seed,
            threads=threads,
            prepare=_without(drop),
        )
        rows = _chosen(read(data, columns, skip=skip_bad), limit, seed)
        tested = read([test], columns, skip=skip_bad) if test else Reading(())
        _refuse_name(library, name)
        report, where = _made(
            rows,
            tested,
            recipe,
            name=name,
            folder=folder,
            library=library,
            to=to,
            licence=licence,
            accept=accept,
        )
    if as_json:
        typer.echo(json.dumps(report, indent=2, ensure_ascii=False))
        return
    _show(report, where, folder)


def _made(
    rows: Reading,
    tested: Reading,
    recipe: Recipe,
    *,
    name: str,
    folder: Path,
    library: Path,
    to: str,
    licence: str,
    accept: str,
) -> tuple[dict[str, Any], str]:
    """Trained, reported, installed. The report is there even where the installing is refused."""
    from inference.training.classify.judge import needed
    from inference.training.classify.progress import bars
    from inference.training.classify.train import train

    needed()
    with bars() as watch:
        trained = train(rows.rows, recipe, folder=folder, test=tested.rows, watch=watch)
        trained.told = (*rows.told, *(f"Test: {each}" for each in tested.told), *trained.told)

        from inference.library.shelf import Shelf
        from inference.training.classify.export import install
        from inference.training.classify.report import write

        write(trained, folder / "report", title=name)
        made = install(
            trained,
            shelf=Shelf(library / "models"),
            name=name,
            source=folder / "source",
            variant=to,
            licence=licence,
            accept=accept,
            watch=watch,
        )
        report = write(trained, folder / "report", title=name, more={"parity": made.parity})
    return report, str(made.reference)


def _show(report: dict[str, Any], where: str, folder: Path) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from inference.training.classify.report import HEADINGS, headline

    console = Console()
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    shown = [at for at, heading in enumerate(HEADINGS) if heading != "ROC AUC"]  # 80 columns hold no more
    for at in shown:
        named, longest = at < 2, max(map(len, HEADINGS[at].split()))  # a heading is broken between its words
        table.add_column(
            HEADINGS[at],
            justify="left" if named else "right",
            no_wrap=named,
            min_width=longest,
            overflow="fold",
        )
    for row in headline(report):
        table.add_row(*(row[at] for at in shown))
    console.print(table)
    for sentence in (
        *report["told"],
        f"The report is in {folder / 'report' / 'report.md'}",
        f"{where} is installed. Try it: frontdesk models classify {where} 'a text'",
        f"Now: frontdesk models promote {where}",
    ):
        console.print(sentence, markup=False, highlight=False, soft_wrap=True)


def _recipe(**settings: Any) -> Recipe:
    return Recipe(**settings)


def _without(words: list[str] | None) -> Callable[[str], str] | None:
    """Tags and the like become spaces."""
    if not words:
        return None

    def without(text: str) -> str:
        for word in words:
            text = text.replace(word, " ")
        return text

    without.__qualname__ = f"{', '.join(words)} replaced by a space"
    return without


def _chosen(reading: Reading, limit: int, seed: int) -> Reading:
    """Some of the rows, drawn by chance: files are often sorted."""
    import random

    if not limit or limit >= len(reading.rows):
        return reading
    kept = random.Random(seed).sample(reading.rows, limit)  # noqa: S311 (no secret: repeatable)
    return Reading(
        tuple(kept), (*reading.told, f"{limit:,} of {len(reading.rows):,} rows were drawn by chance.")
    )


def _refuse_name(library: Path, name: str) -> None:
    """Before anything is trained."""
    from inference.convert.intake import refuse_name
    from inference.library.shelf import Shelf

    refuse_name(Shelf(library / "models"), name)


@contextlib.contextmanager
def _sentences() -> Iterator[None]:
    """What is refused is told in its own sentence."""
    from inference.library.durable import ChangeRefused
    from inference.library.reference import ModelNotFound
    from inference.training.classify.checkpoint import OtherRun

    known = (BadRows, BadRecipe, NoBase, OtherRun, ChangeRefused, ModelNotFound, ImportError, OSError)
    try:
        yield
    except known as error:
        from rich.console import Console

        Console(stderr=True).print(str(error), markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
