"""Variants measured side by side on this machine, shown as a table and a picture, and kept in their manifests.

Knows the terminal. What is measured and how is the bench's business.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
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
    sentences,
    table,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from inference.bench import Figures, Report

DEVICES = ("auto", "cpu", "cuda")


@app.command()
def bench(
    name: Annotated[str, typer.Argument(help="NAME, NAME@version, one NAME:variant, or a folder's path.")],
    text: Annotated[
        Path | None, typer.Option(help="A text (UTF-8) for the perplexity, instead of the bundled one.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",
    rounds: Annotated[int | None, typer.Option(min=1, help="Turns of each variant.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer and shorter turns: says less.")] = False,
    picture: Annotated[Path | None, typer.Option(help="Also write the picture to this PNG.")] = None,
    data: DataOption = DATA,
    as_json: JsonOption = False,
) -> None:
    """Measure all variants of a model side by side on this machine, and recommend one."""
    from rich.console import Console

    from inference.bench import QUICK, TEXT, Plan, measure, variants_of

    if device not in DEVICES:
        raise refused(f"There is no device {device!r}. Choose one of {', '.join(DEVICES)}.")
    _check(text, picture)
    plan = QUICK if quick else Plan()
    plan = replace(plan, rounds=rounds or plan.rounds)
    with sentences():
        models, broken = variants_of(library(data), name)
    aside = Console(stderr=True)
    with aside.status("measuring") as status:
        report = measure(
            models,
            plan=plan,
            text=text or TEXT,
            device=device,
            broken=broken,
            progress=lambda round_, who: status.update(f"round {round_} of {plan.rounds}: {plain(who)}"),
        )
    kept = _keep(report, data)
    if as_json:
        dump(report.to_json())
    else:
        show(report, Console())
    _save(report, picture, aside)
    for sentence in kept:
        aside.print(sentence, markup=False, highlight=False, soft_wrap=True)
    if not report.measured:
        raise typer.Exit(1)


def show(report: Report, console: Console) -> None:
    """The table, the picture, what has to be said besides, and the recommendation."""
    from inference.bench.picture import chart
    from inference.bench.sketch import Sketch

    say = _sayer(console)
    machine = report.machine
    on = machine.get("gpu", f"{machine['processor']}, {machine['cores']} cores")
    say(
        f"{report.model} on {on}, {machine['device']}, ctranslate2 {machine.get('ctranslate2', 'not installed')}"
    )
    if report.measured:
        figures = _table(report)
        wanted = console.measure(figures, options=console.options.update_width(10 * console.width)).maximum
        if wanted > console.width:
            figures.padding = (0, 0, 0, 0)  # each column counts
        console.print(figures)
    if len(report.measured) > 1:  # one dot says less than its figures
        console.print("", Sketch(chart(report)), sep="\n")
    for each in report.variants:
        if each.error:
            say(f"{each.label} was not measured. {each.error}")
    for note in (*_grouped(report), *report.notes):
        say(note)
    if report.choice is not None:
        console.print()
        say(f"Recommended: {report.choice.reason}")
        chosen = next(each for each in report.measured if each.label == report.choice.variant)
        if chosen.variant and report.kind == "chat":
            say(f"Now: frontdesk models promote {chosen.reference}")


def _grouped(report: Report) -> list[str]:
    """What is said of several variants is said once."""
    said: dict[str, list[str]] = {}
    for each in report.measured:
        for note in each.notes:
            said.setdefault(note, []).append(each.label)
    everyone = len(report.measured)
    return [
        f"{'All' if len(labels) == everyone > 1 else ', '.join(labels)}: {note}."
        for note, labels in said.items()
    ]


def _sayer(console: Console) -> Callable[[str], None]:
    """Lines as long as they are for whoever reads them by program, words kept whole for people."""
    whole = not console.is_terminal
    return lambda sentence: console.print(sentence, markup=False, highlight=False, soft_wrap=whole)


def _table(report: Report) -> Table:
    columns = _columns(report)
    headings = tuple(heading for heading, _ in columns)
    made = table("variant", *headings, right=headings)
    made.show_edge = False
    for each in report.measured:
        chosen = report.choice is not None and report.choice.variant == each.label
        made.add_row(
            plain(each.label), *(cell(each) for _, cell in columns), style="bold green" if chosen else ""
        )
    return made


def _columns(report: Report) -> list[tuple[str, Callable[[Figures], str]]]:
    """Headings in two short lines, so that ten figures stand side by side in 80 columns."""
    first, unit = report.measured[0], {"tokens": "tok/s", "texts": "text/s"}[report.unit]
    on_gpu = any(each.device_memory is not None for each in report.measured)
    columns: list[tuple[str, Callable[[Figures], str]]] = [
        (f"{unit}\n{rows} row{'s' * (rows != '1')}", _speed(rows)) for rows in first.per_second
    ]
    if len(report.measured) > 1:
        columns.append(
            (f"times\n{report.against if len(report.against) < 8 and not on_gpu else 'first'}", _times)
        )
    soon = "first" if on_gpu else "first s"
    columns += [(f"{soon}\n@{wanted}", _first(wanted)) for wanted in first.first_token]
    columns.append(("load\ns", lambda each: _short(each.load_seconds)))
    columns.append(("RAM\nMB" if on_gpu else "memory\nMB", lambda each: _mega(each.memory)))
    if on_gpu:
        columns.append(("GPU\nMB", lambda each: _mega(each.device_memory)))
    columns.append(("disk\nMB", lambda each: _mega(each.disk)))
    if report.drift_from:
        columns.append(("drift\n%", lambda each: _drift(each.drift)))
    elif any(each.perplexity for each in report.measured):
        columns.append(("perpl.\n", lambda each: _short(each.perplexity)))
    return columns


def _speed(rows: str) -> Callable[[Figures], str]:
    return lambda each: _short(each.per_second.get(rows))


def _drift(share: float | None) -> str:
    if share is None:
        return "?"
    if share > 10:
        return ">1000"
    figure = f"{100 * share:+.2f}"
    return figure[1:] if figure in ("+0.00", "-0.00") else figure


def _times(each: Figures) -> str:
    most = max(each.ratio, key=int, default="")
    return _short(each.ratio.get(most))


def _first(wanted: str) -> Callable[[Figures], str]:
    return lambda each: _short(each.first_token.get(wanted, {}).get("seconds"))


def _short(figure: float | None) -> str:
    """Three digits that mean something."""
    if figure is None:
        return "-"
    if figure >= 100:
        return f"{figure:,.0f}"
    return f"{figure:.1f}" if figure >= 10 else f"{figure:.2f}" if figure >= 0.1 else f"{figure:.3f}"


def _mega(size: int | None) -> str:
    return "-" if size is None else f"{size / 1e6:,.0f}" if size >= 1e7 else f"{size / 1e6:.1f}"


def _check(text: Path | None, picture: Path | None) -> None:
    """What would only turn out to be wrong after minutes of measuring."""
    if text is not None:
        try:
            words = text.read_text(encoding="utf-8").split()
        except (OSError, ValueError) as error:
            raise refused(f"{text} cannot be read as UTF-8 text: {error}") from error
        if len(words) < 2:
            raise refused(f"{text} holds no text to measure with.")
    if picture is not None:
        if picture.suffix.lower() != ".png":
            raise refused(f"The picture is a PNG: give it a name that ends in .png, not {picture.name}.")
        if not picture.parent.is_dir():
            raise refused(f"There is no folder {picture.parent} to put the picture into.")
        from importlib.util import find_spec

        from inference.bench.picture import INSTALL

        if find_spec("matplotlib") is None:
            raise refused(f"--picture needs matplotlib, which is not installed. Install it: {INSTALL}")


def _keep(report: Report, data: Path) -> list[str]:
    """Each variant's figures into its manifest; sentences on those that have none."""
    from inference.library import ModelNotFound
    from inference.library.durable import ChangeRefused
    from inference.library.shelf import Shelf

    said = []
    for each in report.measured:
        if not _canonical(each.reference):
            said.append(
                f"Not kept: {each.reference} is no variant of this library, and only those have a manifest."
            )
            continue
        try:
            Shelf(models_in(data)).annotate(each.reference, speed=report.speed_of(each))
        except (ModelNotFound, ChangeRefused, OSError) as error:
            said.append(f"Not kept: {error}")
    return said


def _canonical(reference: str) -> bool:
    from inference.library.reference import NoReference, Reference

    try:
        return Reference.parse(reference).canonical
    except NoReference:  # a folder may be called anything
        return False


def _save(report: Report, picture: Path | None, console: Console) -> None:
    from inference.bench.picture import CannotDraw, save

    if picture is None:
        return
    try:
        save(report, picture)
    except (CannotDraw, OSError) as error:
        raise refused(str(error)) from error
    console.print(f"The picture is in {picture}", markup=False, highlight=False, soft_wrap=True)
