"""A source is fetched from a hub.

Knows the terminal, and that the hub and the token are named in the environment. Fetching is the hub's business.
"""

from __future__ import annotations

import os
from typing import Annotated

import typer

from inference.cli.app import DATA, DataOption, JsonOption, app, dump, models_in, say, sentences


@app.command()
def pull(
    model: Annotated[
        str, typer.Argument(help="ORG/NAME, or ORG/NAME@revision: a branch, a tag or a commit.")
    ],
    data: DataOption = DATA,
    as_json: JsonOption = False,
) -> None:
    """Fetch a model's source from a hub: safetensors only, pinned to a commit. HF_TOKEN and HF_ENDPOINT are read."""
    from inference.library import hub
    from inference.library.shelf import Shelf

    model_id, _, revision = model.partition("@")
    with sentences():
        pulled = hub.pull(
            model_id,
            shelf=Shelf(models_in(data)),
            revision=revision,
            token=os.environ.get("HF_TOKEN") or None,
            endpoint=os.environ.get("HF_ENDPOINT") or None,
        )
    if as_json:
        dump(
            {
                "id": pulled.id,
                "revision": pulled.revision,
                "path": str(pulled.path.absolute()),
                "licence": pulled.licence,
            }
        )
        return
    say(f"{pulled.id} at {pulled.revision[:12]} is in {pulled.path}")
    say(f"Now: frontdesk models convert {pulled.path} --name {pulled.id.rpartition('/')[2][:64]} --to int8")
