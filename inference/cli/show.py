"""Which models there are, what one says about itself, one of random weights.

Knows the terminal. Which folder is a model, and why not, is the library's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    from inference.library import Library, ModelFolder
    from inference.library.lineup import Lineup
    from inference.library.manifest import Manifest


LONG = 24  # letters of a name that leave room for the other columns


@app.command("list")
def list_models(data: DataOption = DATA, as_json: JsonOption = False) -> None:
    """List every complete model, with its versions and variants."""
    from inference.library.shelf import Shelf

    with sentences():
        shelf, lineup = Shelf(models_in(data)), _lineup(data)
        names = {name: models for name in shelf.library.names() if (models := shelf.library.variants(name))}
        use = shelf.disk_use()
    if as_json:
        disk = {"models": use.models, "sources": use.sources, "staging": use.staging, "free": use.free}
        listed = [_of_name(name, models, lineup) for name, models in names.items()]
        dump({"models": listed, "aliases": _aliases(lineup), "disk": disk})
        return
    _print_names(names, lineup)
    rest = "".join(
        f", {size_text(size)} of {what}"
        for size, what in ((use.sources, "fetched sources"), (use.staging, "unfinished work"))
        if size
    )
    say(f"{size_text(use.models)} in {models_in(data)}{rest}; {size_text(use.free)} free.")
    _tell_incomplete(shelf.library)


@app.command()
def show(
    name: Annotated[
        str, typer.Argument(help="NAME, NAME:variant, NAME@version, default, canary, or a folder's path.")
    ],
    data: DataOption = DATA,
    as_json: JsonOption = False,
) -> None:
    """Show what a model says about itself: its variants, how they were proved, how fast they are."""
    from rich.console import Console
    from rich.table import Table

    with sentences():
        found = library(data)
        model = found.find(name)
        models, lineup = _asked(found, name, model), _lineup(data)
        if as_json:
            dump(_of_name(model.title, models, lineup))
            return
        rows = _facts(model)
    facts = Table(show_header=False)
    facts.add_column(no_wrap=True)
    facts.add_column(overflow="fold")
    for key, value in rows.items():
        facts.add_row(key, plain(value))
    Console().print(facts)
    if model.manifest is not None:
        _print_variants(models, lineup)


@app.command("random")
def make_random(
    folder: Annotated[Path, typer.Argument(help="Where to write it; it must not exist yet.")],
    shape: Annotated[str, typer.Option(help="tiny, 0.1b, 0.5b, 1.5b or 8b")] = "tiny",
    seed: int = 0,
) -> None:
    """Write a model of random weights, for trying things out and for benchmarks: it talks nonsense."""
    from inference import random_model

    if shape not in random_model.SHAPES:
        raise refused(f"There is no shape {shape!r}. Shapes: {', '.join(random_model.SHAPES)}.")
    if folder.exists():
        raise refused(f"{folder} exists already.")
    random_model.make(folder, shape=shape, seed=seed)
    say(f"{folder}: now `frontdesk up --model {folder.absolute()}` runs it")


def _asked(found: Library, name: str, model: ModelFolder) -> Sequence[ModelFolder]:
    """All that the words cover: of NAME every variant, of a path or an alias the one behind it."""
    from inference.library.reference import ALIASES, Reference, is_path

    if is_path(name) or name in ALIASES or not model.version:
        return [model]
    wanted = Reference.parse(name)
    return [each for each in found.variants(wanted.name) if each.name == name or _covers(wanted, each)]


def _covers(wanted: Any, model: ModelFolder) -> bool:
    return bool(model.version) and bool(wanted.covers(type(wanted).parse(model.name)))


def _lineup(data: Path) -> Lineup:
    from inference.library.aliases import Aliases

    return Aliases(models_in(data)).read()


def _print_names(names: dict[str, Sequence[ModelFolder]], lineup: Lineup) -> None:
    from rich.console import Console

    headings = ("name", "version", "variants", "kind", "context", "size", "serves")
    longest = max(len(name) for name in names)  # the starter is always there
    listed = table(
        *headings, right=("context", "size"), wide=("name", "variants") if longest > LONG else ("variants",)
    )
    elsewhere = False
    for name, models in names.items():
        for number, version in enumerate(dict.fromkeys(model.version for model in models)):
            of_it = [model for model in models if model.version == version]
            serves = [f"{mark} {each.variant}".strip() for each in of_it for mark in _marks(each, lineup)]
            other_engine = any(model.engine != "ctranslate2" for model in of_it)
            elsewhere = elsewhere or other_engine
            listed.add_row(
                plain(name) if number == 0 else "",
                version or "-",
                ", ".join(model.variant for model in of_it) if version else "-",
                f"{of_it[0].kind}{'*' if other_engine else ''}",
                f"{of_it[0].context_length:,}",
                size_text(sum(model.size for model in of_it)),
                ", ".join(serves),
            )
    Console().print(listed)
    if elsewhere:
        say("* runs on transformers, the second engine; `frontdesk models show NAME` says why.")


def _print_variants(models: Sequence[ModelFolder], lineup: Lineup) -> None:
    from rich.console import Console

    headings = ("variant", "version", "size", "proved", "speed", "serves")
    listed = table(*headings, right=("size",), wide=("proved", "speed"))
    for model in models:
        if model.manifest is not None:
            listed.add_row(
                model.variant,
                model.version,
                size_text(model.manifest.size),
                plain(_proof(model.manifest)),
                plain(str(model.manifest.speed.get("summary") or "not measured")),
                ", ".join(_marks(model, lineup)),
            )
    Console().print(listed)
    for model in models:
        say(f"{model.variant}: {model.path}")


def _proof(manifest: Manifest) -> str:
    checks = manifest.parity.get("checks")
    if not isinstance(checks, list):
        return f"accepted: {manifest.accepted}" if manifest.accepted else "-"
    passed = [check for check in checks if check.get("passed")]
    if len(passed) == len(checks):
        return f"all {len(checks)} checks"
    return f"{len(passed)} of {len(checks)} checks" + (
        f", accepted: {manifest.accepted}" if manifest.accepted else ""
    )


def _facts(model: ModelFolder) -> dict[str, str]:
    made = {} if model.manifest is None else _made(model.manifest)
    facts = {
        "name": model.name,
        "folder": str(model.path),
        "about": model.description,
        "licence": model.licence,
        "size": size_text(model.size),
        "context": f"{model.context_length:,} tokens, question and answer together",
        **made,
        **_conversation(model),
    }
    return {key: value for key, value in facts.items() if value or model.manifest is None}


def _made(manifest: Manifest) -> dict[str, str]:
    at = f" at {manifest.source.revision[:12]}" if manifest.source.revision else ""
    engine = f"{manifest.engine}: {manifest.engine_reason}" if manifest.engine_reason else manifest.engine
    labels = f"{len(manifest.labels)}: {', '.join(manifest.labels[:8])}" if manifest.labels else ""
    return {
        "kind": f"{manifest.kind}, {manifest.architecture}",
        "engine": engine,
        "made from": f"{manifest.source.id}{at}",
        "made": manifest.created[:16].replace("T", " ") + " UTC",
        "labels": labels,
        "accepted": manifest.accepted,
        "notes": " ".join(manifest.notes),
    }


def _conversation(model: ModelFolder) -> dict[str, str]:
    """How it reads a greeting, of a model that reads conversations."""
    from inference.chat import Chat, ChatError, Turn

    if not model.has_chat_template:
        if model.kind not in ("chat", "seq2seq"):
            return {}
        ends = ", ".join(model.manifest.end_tokens) if model.manifest else ""
        return {"ends with": ends, "conversations": "none: it has no chat template"}
    try:
        chat = Chat.load(model.path)
        prompt = chat.prompt([Turn("user", "Hello")])
    except ChatError as error:
        raise refused(str(error)) from error
    ends = ", ".join(chat.tokens(chat.end_token_ids)) or "none: only max_tokens ends an answer"
    return {
        "ends with": ends,
        'reads "Hello" as': repr(chat.tokenizer.decode(list(prompt), skip_special_tokens=False)),
    }


def _tell_incomplete(found: Library) -> None:
    there = [str(each) for name in found.names() for each in found.references(name)]
    complete = {model.name for model in found.list()}
    broken = [name for name in there if name not in complete]
    if broken:
        say(f"Not complete: {', '.join(broken)}. `frontdesk models verify` says why.")


def _marks(model: ModelFolder, lineup: Lineup) -> list[str]:
    from inference.library.reference import CANARY, DEFAULT, STARTER

    marks = [
        f"{mark} {lineup.canary.share:.0%}"
        if mark == CANARY and lineup.canary and lineup.canary.share
        else mark
        for mark in lineup.marks(model.name)
    ]
    return [DEFAULT, *marks] if lineup.default is None and model.name == STARTER else marks


def _aliases(lineup: Lineup) -> dict[str, Any]:
    return {
        name: {"target": alias.target, "share": alias.share, "previous": list(alias.previous)}
        for name in ("default", "canary")
        if (alias := lineup.get(name)) is not None
    }


def _of_name(name: str, models: Sequence[ModelFolder], lineup: Lineup) -> dict[str, Any]:
    return {
        "name": name,
        "versions": [version for version in dict.fromkeys(model.version for model in models) if version],
        "variants": [_of_variant(model, lineup) for model in models],
    }


def _of_variant(model: ModelFolder, lineup: Lineup) -> dict[str, Any]:
    from dataclasses import asdict

    known = {
        "reference": model.name,
        "variant": model.variant,
        "version": model.version,
        "path": str(model.path.absolute()),
        "kind": model.kind,
        "engine": model.engine,
        "size": model.size,
        "context_length": model.context_length,
        "has_chat_template": model.has_chat_template,
        "licence": model.licence,
        "description": model.description,
        "aliases": [
            alias for alias in ("default", "canary") if alias in " ".join(_marks(model, lineup)).split()
        ],
    }
    if model.manifest is None:
        return known
    full = asdict(model.manifest)
    left_out = ("format", "name", "files", *known)
    return {**known, **{key: value for key, value in full.items() if key not in left_out}}
