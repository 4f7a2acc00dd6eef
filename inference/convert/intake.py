"""What is known of a source before anything is written: its family and engine, the variant, the context; and what is
refused then, since it would fail hours later.

Knows configurations and headers. Needs transformers, and opens no weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference import families, memory
from inference.convert import source as sources
from inference.families import Config, Family, Route
from inference.library import inspection
from inference.library.durable import ChangeRefused
from inference.library.reference import ALIASES, NAME, STARTER, VARIANTS
from inference.parity.chat import LONGEST, SCORES

if TYPE_CHECKING:
    from inference.library.shelf import Shelf
    from inference.parity import Report

# Bytes of a parameter, by variant; of int8 also the scales and what stays as it is.
_BYTES = {"float32": 4.0, "float16": 2.0, "bfloat16": 2.0}
_INT8 = 1.1
_LIBRARIES = 500_000_000  # bytes of PyTorch and the others
_KEPT = 8_000  # bytes for each token of the vocabulary: the logits of both sides that are compared


class ConversionRefused(ChangeRefused):
    """No variant was made, and the library is as before; the message says why and what to do. `report` is the gate's,
    where it was the gate that refused."""

    def __init__(self, sentence: str, *, report: Report | None = None) -> None:
        super().__init__(sentence)
        self.report = report


class SourceGone(ConversionRefused):
    """The source that a manifest names is no longer there, or no longer the same."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is known before anything is written."""

    source: Path
    config: Config
    family: Family
    route: Route
    variant: str
    tokenizer: Any
    ends: tuple[int, ...]
    context_length: int
    notes: tuple[str, ...]


def plan(source: Path, *, to: str, engine: str) -> Plan:
    if to not in VARIANTS:
        raise ConversionRefused(f"There is no variant {to!r}. Variants: {', '.join(VARIANTS)}.")
    if engine not in ("", "transformers"):
        raise ConversionRefused(
            f"The engine {engine!r} cannot be asked for. Say transformers, or nothing: the library picks."
        )
    inspection.inspect_source(source)
    if not any(source.glob("*.safetensors")) or not (source / "config.json").is_file():
        raise ConversionRefused(
            f"{source} is no source: it lacks config.json or *.safetensors. Give a folder as transformers writes it."
        )
    config = sources.configuration(source)
    route = families.route(config)
    family = families.family_of(config)
    if route.engine == "refused" or family is None:
        raise ConversionRefused(f"{source.name} cannot be converted. {route.reason}")
    _refuse_awq(config, to)
    if engine == "transformers" and route.engine != engine:
        route = Route("transformers", "It was asked for.")
    kept, notes = to, [*route.notes]
    if route.engine == "transformers":
        kept = sources.weights(source).dtype or "float32"
        if kept != to:
            notes.append(f"Runs on transformers with the source's own weights: {kept}, not {to}.")
    tokenizer = _tokenizer(source)
    length, doubt = sources.context_length(source, config, kind=family.kind)
    return Plan(
        source=source,
        config=config,
        family=family,
        route=route,
        variant=kept,
        tokenizer=tokenizer,
        ends=sources.end_token_ids(source, config, tokenizer=tokenizer) if speaks(family) else (),
        context_length=min(length, route.context_length or length),
        notes=(*notes, *([doubt] if doubt and not route.context_length else [])),
    )


def _tokenizer(source: Path) -> Any:
    try:
        return sources.load_tokenizer(source)
    except Exception as error:  # whatever its many loaders raise
        raise ConversionRefused(
            f"transformers cannot read the tokenizer of {source.name}: {error} An older tokenizer.model needs the "
            "packages sentencepiece and protobuf; else copy the tokenizer's files from where the model came."
        ) from error


def speaks(family: Family) -> bool:
    return family.kind in ("chat", "seq2seq")


def refuse_name(shelf: Shelf, name: str) -> None:
    """What `install` would refuse, before hours are spent."""
    if not NAME.fullmatch(name) or name in (*ALIASES, STARTER):
        raise ConversionRefused(
            f"{name[:80]!r} is no name for a model: letters, digits, dots, dashes and underscores, 64 at most, and "
            f"none of {', '.join((*ALIASES, STARTER))}."
        )
    if (folder := shelf.library.plain_folder(name)) is not None:
        raise ConversionRefused(
            f"{folder} was put there by hand. Choose another name, or move that folder away."
        )


def _refuse_awq(config: Config, to: str) -> None:
    packed = (config.get("quantization_config") or {}).get("quant_method") == "awq"
    if packed:
        raise ConversionRefused(
            "The source is quantised with AWQ, which runs on a GPU only: this Frontdesk cannot prove it equal to its "
            "source. Take the source in float16 or bfloat16, and --to int8_float16."
        )
    if to == "awq":
        raise ConversionRefused(
            "AWQ needs a source that was quantised with AWQ, and this one is not. Take --to int8."
        )


def needed_memory(weights: sources.Weights, variant: str, *, vocabulary: int) -> int:
    """Bytes that a conversion takes at its height."""
    made = weights.parameters * _BYTES.get(variant, _INT8)
    passage = 8 * min(SCORES, LONGEST * vocabulary)  # the longest passage's logits, and a copy of them
    compared = passage + _KEPT * vocabulary
    return int(max(weights.size + made, 4 * weights.parameters) + compared) + _LIBRARIES


def refuse_small(shelf: Shelf, planned: Plan, *, accept: str) -> None:
    weights = sources.weights(planned.source)
    vocabulary = (planned.config.get("text_config") or planned.config).get("vocab_size") or 0
    needed = needed_memory(weights, planned.variant, vocabulary=vocabulary)
    free = memory.unused("cpu")
    if free and needed > free and not accept:
        raise ConversionRefused(
            f"Converting and checking {planned.source.name} takes about {needed / 1e9:.0f} GB of memory, and "
            f"{free / 1e9:.0f} GB are free. Convert it on a larger machine and copy the folder, or say --accept with "
            "the reason why that is enough (swap, for example)."
        )
    disk = shelf.disk_use().free
    takes = (
        weights.size
        if planned.route.engine == "transformers"
        else weights.parameters * _BYTES.get(planned.variant, _INT8)
    )
    if takes > disk:
        raise ConversionRefused(
            f"The variant takes about {takes / 1e9:.1f} GB on disk, and {disk / 1e9:.1f} GB are free there. "
            "`frontdesk models collect --sources` and `remove` make room."
        )
