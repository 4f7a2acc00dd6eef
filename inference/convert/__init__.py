"""From a source of transformers to a proved variant in the library: inspected, converted, checked, installed.

Knows the steps and their order. What a family needs stands in `families`, what is compared in `parity_chat` and its
neighbours, what may lie in a folder in `inspection`, how a folder comes into the library in `shelf`. Needs the extra
`train`; importing this file does not.

Memory: the converter holds the source as it is and the variant; after that one model at a time, in float32. So a
conversion needs about 4 bytes for each parameter, or the source and the variant together, whichever is more.
"""

from __future__ import annotations

import gc
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from inference import families, library
from inference.convert import intake, workshop
from inference.convert import source as sources
from inference.convert.intake import ConversionRefused, Plan, SourceGone, speaks
from inference.library import hub, manifest
from inference.library.durable import ChangeRefused
from inference.library.manifest import Manifest
from inference.library.reference import ModelNotFound
from inference.library.shelf import Shelf
from inference.parity import Report

__all__ = ["ConversionRefused", "SourceGone", "Step", "again", "convert", "find_source", "quiet"]

Step = Literal["inspect", "convert", "check", "hash", "install"]

TOOLS = ("frontdesk", "ctranslate2", "transformers", "torch", "tokenizers")


def quiet(step: Step) -> None:
    """A progress that tells nobody."""


def convert(
    source: Path,
    *,
    shelf: Shelf,
    name: str,
    to: str = "int8",
    accept: str = "",
    licence: str = "",
    source_id: str = "",
    revision: str = "",
    engine: str = "",
    progress: Callable[[Step], None] = quiet,
) -> Manifest:
    """Makes the variant `to` of the model `name` from a folder as transformers writes it, and installs it.

    `source_id` and `revision` say where the folder came from; a folder that `pull` fetched says it itself. `accept` is
    the reason why a variant outside the limits is wanted all the same; it stays in the manifest. `engine`
    "transformers" asks for the second engine, e.g. for the context beyond a window. `progress` is told each step as it
    begins. Raises ConversionRefused, inspection.UnsafeFolder, and what Shelf.install raises.
    """
    intake.refuse_name(shelf, name)
    progress("inspect")
    plan = intake.plan(source, to=to, engine=engine)
    intake.refuse_small(shelf, plan, accept=accept)
    with shelf.staging() as made:
        progress("convert")
        note = _make(plan, made)
        progress("check")
        ends = _ends(plan, made)
        report = _proved(plan, made, ends)
        if not (report.passed or accept):
            raise _outside(plan, report)
        progress("hash")
        origin, commit = hub.origin(source)
        found = Manifest(
            name=name,
            version=manifest.version_of(digest := manifest.source_digest(source)),
            variant=plan.variant,
            kind=plan.family.kind,
            family=str(plan.config.get("model_type") or plan.family.name),
            architecture=families.architecture(plan.config),
            engine=plan.route.engine,
            engine_reason=plan.route.reason,
            source=manifest.Source(
                id=source_id or origin,
                revision=revision or commit,
                path=str(source.absolute()),
                digest=digest,
            ),
            licence=licence or sources.licence(source),
            context_length=plan.context_length,
            end_token_ids=ends,
            end_tokens=tuple(str(plan.tokenizer.convert_ids_to_tokens(i)) for i in ends),
            has_chat_template=library.has_chat_template(made),
            labels=_labels(plan),
            files=manifest.digests(made),
            tools={tool: _version(tool) for tool in TOOLS},
            parity=report.to_json(),
            accepted="" if report.passed else accept,
            notes=(*plan.notes, *([note] if note else []), *_told(report)),
            created=manifest.now(),
        )
        progress("install")
        shelf.install(made, found)
    return found


def again(
    model: Manifest, *, shelf: Shelf, to: str, accept: str = "", progress: Callable[[Step], None] = quiet
) -> Manifest:
    """Another variant of what is in the library, from the same source. Raises SourceGone, and what convert raises."""
    source = _source_of(model, shelf)
    progress("inspect")
    if manifest.source_digest(source) != model.source.digest:
        raise SourceGone(
            f"{source} is no longer what {model.reference} was made of. Convert it as a new version: "
            f"frontdesk models convert {source} --name {model.name} --to {to}"
        )
    return convert(
        source,
        shelf=shelf,
        name=model.name,
        to=to,
        accept=accept,
        licence=model.licence,
        source_id=model.source.id,
        revision=model.source.revision,
        progress=progress,
    )


def find_source(text: str, *, shelf: Shelf) -> Path:
    """The folder behind a path, or behind ORG/NAME[@revision] that `pull` has fetched. Raises ConversionRefused."""
    folder = Path(text).expanduser()
    if folder.is_dir():
        return folder
    model_id, _, revision = text.partition("@")
    home = shelf.sources / model_id.replace("/", "--")
    fetched = [path for path in home.glob("*") if path.is_dir() and len(path.name) == 40]  # commits
    fitting = [path for path in fetched if path.name.startswith(revision)]
    if "/" in model_id and fitting:
        return max(fitting, key=lambda path: path.stat().st_mtime)
    raise ConversionRefused(
        f"There is no folder {text}, and no source of that name was fetched. Give the folder of a source, or fetch "
        f"one: frontdesk models pull ORG/NAME"
    )


# -- making ----------------------------------------------------------------------------------------------------


def _make(plan: Plan, made: Path) -> str:
    """Everything but the manifest. A sentence for it, where something had to be made anew."""
    if plan.route.engine == "transformers":
        workshop.copy_all(plan.source, made)
        note = workshop.carry_words(plan.source, made, tokenizer=plan.tokenizer)
        workshop.carry_ends(plan.source, made, plan.ends)
        return note
    room = made.parent / "workshop"  # within the staging, so that it goes with it
    room.mkdir()
    workshop.lay_out(plan.source, room)
    if plan.family.prepare:
        plan.family.prepare(plan.source, room)
    _run_converter(plan, room, made)
    gc.collect()  # the model and the spec are large and hold each other
    shutil.rmtree(room)
    note = workshop.carry_words(plan.source, made, tokenizer=plan.tokenizer)
    workshop.carry_ends(plan.source, made, plan.ends)
    workshop.carry_licence(plan.source, made)
    if plan.family.finish:
        with sources.quietly():
            plan.family.finish(plan.source, made)
    return note


def _run_converter(plan: Plan, room: Path, made: Path) -> None:
    from ctranslate2.converters import TransformersConverter

    mended = plan.family.patched(plan.config) if plan.family.patched else nullcontext()
    with sources.quietly(), mended:
        try:
            TransformersConverter(str(room)).convert(str(made), quantization=plan.variant, force=True)
        except Exception as error:  # whatever its loaders and transformers raise over a strange source
            raise ConversionRefused(
                f"CTranslate2's converter fails over {plan.source.name} ({type(error).__name__}: {error}). "
                "Convert it for the second engine: --engine transformers"
            ) from error


def _ends(plan: Plan, made: Path) -> tuple[int, ...]:
    """As the engine will read them from what was made, while there is no manifest."""
    if not speaks(plan.family):
        return ()
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(made / "tokenizer.json"))
    return library.end_token_ids(made, token_id=tokenizer.token_to_id)


def _labels(plan: Plan) -> tuple[str, ...]:
    if plan.family.kind != "classifier":
        return ()
    named = plan.config.get("id2label") or {}
    return tuple(str(named[key]) for key in sorted(named, key=int))


def _version(tool: str) -> str:
    try:
        return metadata.version(tool)
    except metadata.PackageNotFoundError:
        return ""


# -- the gate --------------------------------------------------------------------------------------------------


def _proved(plan: Plan, made: Path, ends: Sequence[int]) -> Report:
    from inference.parity import chat as parity_chat
    from inference.parity import copy as parity_copy

    asked: Mapping[str, Any] = {
        "source": plan.source,
        "made": made,
        "variant": plan.variant,
        "end_token_ids": ends,
    }
    gate = plan.family.parity or (parity_chat.check if plan.family.kind == "chat" else None)
    try:
        if plan.route.engine == "transformers":
            return parity_copy.check(**asked, kind=plan.family.kind)
        assert gate is not None, f"a family of the kind {plan.family.kind} brings its own gate"  # noqa: S101
        return gate(**asked, context_length=plan.context_length)
    except (ChangeRefused, ModelNotFound):
        raise
    except Exception as error:  # whatever transformers raises over a strange source
        raise ConversionRefused(
            f"{plan.source.name} could not be compared with what was made of it, and was not installed "
            f"({type(error).__name__}: {error})."
        ) from error


def _told(report: Report) -> list[str]:
    """What the gate found and has no limit for."""
    told = [check for check in report.checks if check.rule == "told" and check.note]
    return [f"{check.name.capitalize()} {check.figure:.2g}: {check.note}." for check in told]


def _outside(plan: Plan, report: Report) -> ConversionRefused:
    return ConversionRefused(
        f"The {plan.variant} variant of {plan.source.name} differs from its source and was not installed "
        f"({report.wanting}). Try a finer variant, or say --accept with the reason why it is wanted all the same.",
        report=report,
    )


def _source_of(model: Manifest, shelf: Shelf) -> Path:
    fetched = shelf.sources / model.source.id.replace("/", "--") / model.source.revision
    places = [Path(model.source.path), *([fetched] if model.source.revision else [])]
    for place in places:
        if model.source.path and place.is_dir():
            return place
    pull = f"frontdesk models pull {model.source.id}@{model.source.revision}"
    raise SourceGone(
        f"The source of {model.reference} is gone: it lay in {model.source.path or 'no known place'}. "
        + (f"Fetch it again: {pull}" if model.source.revision else "Put it back there.")
    )
