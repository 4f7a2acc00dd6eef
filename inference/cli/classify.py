"""Texts judged by a classifier of the library, in the terminal.

Knows the terminal. What a classifier is opened with is told in `opening`.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from inference.cli.app import DATA, DataOption, JsonOption, app, dump, library, refused, say, sentences

SHOWN = 60  # letters of a text beside its labels


@app.command()
def classify(
    name: Annotated[
        str, typer.Argument(help="NAME, NAME:variant, classifier, moderation, or a folder's path.")
    ],
    texts: Annotated[
        list[str] | None, typer.Argument(help="What to judge; without any, each line of the standard input.")
    ] = None,
    data: DataOption = DATA,
    as_json: JsonOption = False,
) -> None:
    """Say what texts are, with a classifier of the library: each label's probability."""
    from inference import opening
    from inference.request import EngineError

    asked = texts or [line.rstrip("\n") for line in sys.stdin if line.strip()]
    with sentences():
        model = library(data).find(name)
        try:
            with opening.open_classifier(model) as classifier:
                found = classifier.classify(asked)
        except EngineError as error:
            raise refused(str(error)) from error
    if as_json:
        dump([{"text": text, "labels": labels} for text, labels in zip(asked, found, strict=True)])
        return
    for text, labels in zip(asked, found, strict=True):
        best = sorted(labels.items(), key=lambda pair: -pair[1])
        told = ", ".join(f"{label} {share:.3f}" for label, share in best)
        say(f"{text[:SHOWN]}{'…' if len(text) > SHOWN else ''}: {told}")
