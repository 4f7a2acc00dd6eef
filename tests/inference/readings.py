"""Readings and models made up, for whoever tests what becomes of figures: no model, no clock, no process."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from inference.bench import Plan, Reading, Report
from inference.bench.report import reported
from inference.library import ModelFolder
from inference.library.manifest import Manifest, Source, now

VERSION = "0123abcd"
PLAN = Plan(rounds=3)
MACHINE = {
    "processor": "A processor",
    "cores": 2,
    "memory_bytes": 8 * 10**9,
    "device": "cpu",
    "ctranslate2": "4.8.5",
    "measured": "2026-11-24T12:00:00+00:00",
}


def model(variant: str, *, folder: Path, kind: str = "chat", size: int = 1000) -> ModelFolder:
    path = folder / variant
    path.mkdir(parents=True, exist_ok=True)
    (path / "model.bin").write_bytes(bytes(size))
    return ModelFolder(
        name=f"small@{VERSION}:{variant}",
        path=path,
        context_length=2048,
        kind=kind,
        version=VERSION,
        variant=variant,
    )


def reading(speed: float = 100.0, *, loss: float | None = math.log(20), **changed: Any) -> Reading:
    """One turn: `speed` tokens a second with eight rows, a quarter of it alone."""
    made = Reading(
        device="cpu",
        load_seconds=0.5,
        per_second={"1": speed / 4, "8": speed},
        first_token={
            "128": {"tokens": 128, "seconds": 12.8 / speed},
            "1024": {"tokens": 1024, "seconds": 102.4 / speed},
        },
        memory=500_000_000,
        runs_as="float32",
        free=10**9,
        room=100_000,
        loss=loss,
        scored=2000,
        vocabulary=1000,
    )
    return replace(made, **changed)


def drifted(share: float) -> float:
    """The loss of a text whose perplexity is so much higher than that of `reading`."""
    return math.log(20 * (1 + share))


def report(folder: Path, readings: dict[str, list[Reading]], *, kind: str = "chat", **told: Any) -> Report:
    """By variant, in the order in which they are found."""
    models = [model(variant, folder=folder, kind=kind) for variant in readings]
    by_name = {each.name: readings[each.variant] for each in models}
    return reported(models, by_name, plan=PLAN, text="bundled", machine=MACHINE, **told)


def a_manifest(**told: Any) -> Manifest:
    """Of the int8 variant, if not told otherwise."""
    return Manifest(
        name="small",
        version=VERSION,
        variant=told.pop("variant", "int8"),
        kind="chat",
        family="llama",
        architecture="LlamaForCausalLM",
        engine="ctranslate2",
        source=Source(id="small"),
        context_length=512,
        has_chat_template=True,
        files=told.pop("files", {}),
        created=now(),
        **told,
    )
