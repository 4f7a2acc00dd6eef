"""`python -m moderation.training`: measures the recipe on sources left out, and makes the shipped model.

Knows the options and the order of the steps.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Make the shipped moderation model, and measure the recipe.")

Data = Annotated[Path, typer.Option(help="folder of the public sets that sources.yaml names")]
Run = Annotated[Path, typer.Option(help="folder of checkpoints; a killed run goes on from it")]
Cap = Annotated[int, typer.Option(min=1, help="rows of one public set at most")]
Steps = Annotated[int, typer.Option(min=1, help="steps of 32 rows")]
Share = Annotated[float, typer.Option(min=0.01, max=1, help="of the written rows")]
Threads = Annotated[int, typer.Option(min=1, help="CPU threads")]


@app.command()
def cross(
    data: Data,
    run: Run = Path("runs/moderation-cross"),
    seeds: Annotated[int, typer.Option(min=1, help="how many, from 1 on")] = 2,
    cap: Cap = 2000,
    share: Share = 1.0,
    steps: Steps = 500,
    threads: Threads = 2,
) -> None:
    """Leave whole sources out in turn: frozen embeddings with logistic regression beside the tuned encoder."""
    from rich.console import Console

    from inference.training.classify.progress import bars
    from moderation.training import mixture
    from moderation.training.cross import held_out
    from moderation.training.recipe import RECIPE
    from moderation.training.tables import by_category, by_fold

    rows = mixture.rows(data, cap=cap, share=share)
    recipe = replace(RECIPE, steps=steps, threads=threads)
    with bars() as watch:
        held = [held_out(rows, recipe, seed=seed, folder=run, watch=watch) for seed in range(1, seeds + 1)]
    console = Console()
    console.print(by_fold(held))
    console.print(by_category(held))


@app.command()
def train(
    data: Data,
    output: Annotated[Path, typer.Argument(help="the model folder to write")],
    run: Run = Path("runs/moderation"),
    cap: Cap = 2500,
    share: Share = 0.7,
    steps: Steps = 800,
    threads: Threads = 2,
) -> None:
    """Train the shipped model on all sources and write its folder, with report and model card."""
    from inference.training.classify.progress import bars
    from moderation.training.shipped import make

    with bars() as watch:
        card = make(data, output, run=run, cap=cap, share=share, steps=steps, threads=threads, watch=watch)
    typer.echo(f"{output} is ready; its card is {card}")


if __name__ == "__main__":
    app()
