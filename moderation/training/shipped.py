"""The shipped folder: trained on all sources, exported in int8 with both heads, described by its card.

Knows the order of the steps and what the card says. Which rows and which numbers stands in `mixture` and `recipe`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from jinja2 import Environment

from inference.heads import Head
from inference.training.classify import Trained, train
from inference.training.classify.progress import Watch, silent
from moderation.categories import LABELS, OVERALL
from moderation.classifier import EMBEDDING, HEAD
from moderation.training import mixture, sources
from moderation.training.recipe import RECIPE

CARD = "README.md"
READ = 256  # tokens that the served model reads at once; it is trained on the first 96 of a row, to be done in an hour


def make(
    data: Path,
    output: Path,
    *,
    run: Path,
    cap: int,
    share: float,
    steps: int,
    threads: int = 2,
    watch: Watch = silent,
) -> Path:
    """Train, prove, export; returns the card. Raises SourceMissing, GrammarError and what training and export raise."""
    from inference.training.classify.export import export
    from inference.training.classify.report import write

    rows = mixture.divided(mixture.rows(data, cap=cap, share=share))
    recipe = replace(RECIPE, steps=steps, threads=threads)
    trained = train(rows, recipe, folder=run, labels=LABELS, watch=watch)
    _widen(trained, watch)
    parity = export(trained, output, head=HEAD, more={EMBEDDING: Head("mean", normalised=True)}, watch=watch)
    report = write(trained, run / "report", title="moderation", more={"parity": parity.to_json()})
    card = output / CARD
    card.write_text(_card(report, steps=steps), encoding="utf-8")
    return card


def _widen(trained: Trained, watch: Watch) -> None:
    """As long as it will be served; what is kept of validation is judged again, as it will be read then."""
    from inference.training.classify.tokens import Words
    from inference.training.classify.train import judged

    trained.judge.words = Words(trained.judge.folder, max_tokens=READ)
    trained.judged = {
        name: judged(trained.judge, each.rows, watch=watch, stage=f"judging {name} as served")
        for name, each in trained.judged.items()
    }


def _card(report: dict[str, Any], *, steps: int) -> str:
    template = Path(__file__).with_name("card.md.jinja").read_text(encoding="utf-8")
    page = Environment(trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True).from_string(template)  # noqa: S701 (Markdown of our own words)
    by_source = {file.source: file for file in sources.manifest()}
    return page.render(
        report=report,
        steps=steps,
        labels=LABELS,
        overall=OVERALL,
        sources=list(by_source.values()),
    )
