"""kill -9 at random moments of pull, convert and promote, fifty times: the library is always whole.

Whole: it lists, `verify` passes, and the alias points to a complete model. And the same command, given again, succeeds.
The moments are drawn from a seeded generator, over the time that the command takes when nobody kills it.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from inference.cli import app
from inference.library import Library, hub
from inference.library.aliases import Aliases
from inference.library.audit import audit
from inference.library.shelf import STAGING, Shelf
from tests.inference.hub_server import COMMIT, Hub, repository, serving
from tests.inference.shelved import all_paths, described, put

PULLS, INSTALLS, REPLACEMENTS, CONVERSIONS, PROMOTIONS = 12, 14, 7, 2, 15
ATTEMPTS = 4  # for each kill: some children are done before their moment comes, or have not begun to write

SIZE = 2 * 2**20  # bytes of a model
DOWNLOAD = 11 * 2**20  # bytes; the client writes in pieces of ten megabytes


def test_fifty_in_all() -> None:
    assert PULLS + INSTALLS + REPLACEMENTS + CONVERSIONS + PROMOTIONS == 50


class Nursery:
    def __init__(self, tmp_path: Path, *modules: str, **environment: str) -> None:
        self._output = tmp_path / "output"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.inference.nursery", *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={
                **os.environ,
                "NURSERY": str(self._output),
                "HF_HUB_DISABLE_PROGRESS_BARS": "1",
                **environment,
            },
            text=True,
        )

    def ask(self, *order: object) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def run(self, command: Sequence[str]) -> float:
        """To its end, which must be a good one; the seconds it took."""
        began = time.monotonic()
        code = self.ask("wait", self.ask("run", *command))
        assert code == 0, f"{command} ended with {code}: {self._output.read_text()[-3000:]}"
        return time.monotonic() - began

    def kill(self, command: Sequence[str], *, after: float) -> bool:
        """False where it was done before."""
        pid = self.ask("run", *command)
        time.sleep(after)  # the moment that was drawn
        os.kill(pid, signal.SIGKILL)  # nobody has waited for it: the id is still its own
        code = self.ask("wait", pid)
        assert code in (0, -signal.SIGKILL), (
            f"{command} ended with {code}: {self._output.read_text()[-3000:]}"
        )
        return code != 0

    def run_here(self, command: Sequence[str], *, kill_after: float | None = None) -> tuple[int, float]:
        """In the nursery itself, which ends with it: how it ended, and the seconds it took."""
        pid, began = self.ask("here", *command), time.monotonic()
        if kill_after is not None:
            time.sleep(kill_after)
            os.kill(pid, signal.SIGKILL)
        code = self._process.wait()
        assert code in (0, -signal.SIGKILL), (
            f"{command} ended with {code}: {self._output.read_text()[-3000:]}"
        )
        return code, time.monotonic() - began

    def __enter__(self) -> Nursery:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=30)


class House:
    """A library, and how to see that it is whole."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.shelf = Shelf(data / "models")
        self.aliases = Aliases(self.shelf.root)
        self.left: list[str] = []  # what kills left behind, of all rounds

    def check(self) -> None:
        listed = CliRunner().invoke(app, ["list", "--data", str(self.data)])
        assert listed.exit_code == 0, listed.output
        assert "Not complete" not in listed.output
        damaged = [finding for finding in audit(self.shelf.root) if finding.state == "damaged"]
        assert damaged == []
        Library(root=self.shelf.root).find("default")
        staging = self.shelf.root / STAGING
        self.left += [path.name for path in staging.iterdir()] if staging.is_dir() else []


@pytest.fixture
def house(tmp_path: Path, folder: Path) -> House:
    house = House(tmp_path)
    put(house.shelf, folder, name="serving")
    house.aliases.promote("serving")
    return house


@pytest.fixture
def nursery(tmp_path: Path) -> Iterator[Nursery]:
    with Nursery(tmp_path) as nursery:
        yield nursery


def moments(seconds: float, *, seed: int) -> Iterator[float]:
    """Drawn over all that the command does."""
    drawn = random.Random(seed)
    while True:
        yield drawn.uniform(0, seconds)


def usual(nursery: Nursery, *commands: Sequence[str]) -> float:
    return sorted(nursery.run(command) for command in commands)[len(commands) // 2]


def test_pull_killed_at_any_moment_leaves_a_source_or_none(
    house: House, nursery: Nursery, tmp_path: Path
) -> None:
    source = house.shelf.sources / "org--tiny" / COMMIT
    files = repository(DOWNLOAD)
    few_files = {name: files[name] for name in ("model.safetensors", "config.json", "README.md")}
    partly = killed = 0
    with (
        serving(Hub(few_files)) as there,
        Nursery(
            tmp_path, "huggingface_hub.hf_api", "huggingface_hub.file_download", HF_ENDPOINT=there.url
        ) as nursery,
    ):
        pull = ("models", "pull", "org/tiny", "--data", str(tmp_path))
        took = nursery.run(pull)
        for after, _ in zip(moments(took, seed=1), range(PULLS * ATTEMPTS), strict=False):
            house.shelf.collect(sources=True)
            killed += nursery.kill(pull, after=after)
            house.check()
            partly += source.with_name(f"{COMMIT}.part").is_dir()
            if source.is_dir():  # then all of it
                hub.inspection.inspect_source(source)
                assert (source / "model.safetensors").read_bytes() == there.files["model.safetensors"]
            nursery.run(pull)
            assert (source / "model.safetensors").read_bytes() == there.files["model.safetensors"]
            if killed >= PULLS and partly:
                break
    assert killed >= PULLS
    assert partly, "no kill came while files were fetched"


def test_an_install_killed_at_any_moment_leaves_a_variant_or_none(
    house: House, nursery: Nursery, folder: Path
) -> None:
    def install(source: object) -> Sequence[str]:
        return ("install", str(house.shelf.root), str(folder), str(source), "a", str(SIZE))

    took = usual(nursery, *map(install, ("x", "y", "z")))
    house.shelf.remove("desk")
    killed = 0
    for after, number in zip(moments(took, seed=2), range(INSTALLS * ATTEMPTS), strict=False):
        killed += nursery.kill(install(number), after=after)
        house.check()
        nursery.run(install(number))
        house.check()
        version = described(folder, source=str(number)).version
        assert house.shelf.remove("desk") == (f"desk@{version}:int8",)
        if killed >= INSTALLS and house.left:
            break
    assert killed >= INSTALLS
    swept_up(house)


def test_a_replacement_killed_at_any_moment_leaves_the_old_variant_or_the_new_one(
    house: House, nursery: Nursery, folder: Path
) -> None:
    def install(filler: str) -> Sequence[str]:
        return ("install", str(house.shelf.root), str(folder), "the same", filler, str(SIZE))

    took = usual(nursery, *map(install, "xyz"))
    killed = 0
    for after, number in zip(moments(took, seed=3), range(REPLACEMENTS * ATTEMPTS), strict=False):
        old, new = "abcdefgh"[number % 8], "ABCDEFGH"[number % 8]
        nursery.run(install(old))
        killed += nursery.kill(install(new), after=after)
        house.check()
        found = Library(root=house.shelf.root).find("desk")  # never none
        assert set((found.path / "notes.txt").read_text()) in ({old}, {new})
        nursery.run(install(new))
        assert set((found.path / "notes.txt").read_text()) == {new}
        if killed >= REPLACEMENTS and house.left:
            break
    assert killed >= REPLACEMENTS
    swept_up(house)


def test_promote_killed_at_any_moment_leaves_the_old_model_or_the_new_one_serving(
    house: House, nursery: Nursery, folder: Path, tmp_path: Path
) -> None:
    names = [str(put(house.shelf, folder, weight=b"x" * SIZE, source=source).reference) for source in "ab"]

    def promote(name: str) -> Sequence[str]:
        return ("models", "promote", name, "--data", str(tmp_path))

    old, new = names
    took = usual(nursery, *map(promote, (old, new, old)))
    killed = 0
    for after, _ in zip(moments(took, seed=4), range(PROMOTIONS * ATTEMPTS), strict=False):
        killed += nursery.kill(promote(new), after=after)
        house.check()
        assert Library(root=house.shelf.root).find("default").name in (old, new)
        nursery.run(promote(new))
        assert house.aliases.read().default.target == new  # type: ignore[union-attr]
        assert house.aliases.rollback().target == old  # type: ignore[union-attr]
        if killed == PROMOTIONS:
            break
    assert killed == PROMOTIONS
    house.shelf.collect()
    assert {path for path in all_paths(house.shelf.root) if path.startswith(".")} == {STAGING}


def test_a_conversion_killed_at_any_moment_leaves_a_variant_or_none(house: House, tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    from tests.inference.checkpoints import make

    source = make("gpt2", tmp_path / "source")
    heavy = (
        "torch",
        "transformers.models.gpt2.modeling_gpt2",
        "transformers.models.auto",
        "inference.convert",
        "ctranslate2.converters.transformers",
    )
    command = ("models", "convert", str(source), "--name", "desk", "--to", "float32", "--data", str(tmp_path))

    def convert(**kill: float) -> tuple[int, float]:
        with Nursery(tmp_path, *heavy) as nursery:
            return nursery.run_here(command, **kill)

    _, took = convert()
    (reference,) = house.shelf.remove("desk")
    killed = 0
    for after, _ in zip(moments(took, seed=5), range(CONVERSIONS * ATTEMPTS), strict=False):
        code, _ = convert(kill_after=after)
        killed += code != 0
        house.check()
        if killed == CONVERSIONS:
            break
        if code == 0:
            house.shelf.remove("desk")
    assert convert()[0] == 0
    assert Library(root=house.shelf.root).find("desk").name == reference
    assert killed == CONVERSIONS
    house.shelf.collect()
    assert all_paths(house.shelf.root / STAGING) == set()
    house.check()


def swept_up(house: House) -> None:
    """Kills did come while something was written, and nothing of that stays."""
    assert house.left, "no kill came while a folder was written"
    house.shelf.collect()
    assert all_paths(house.shelf.root / STAGING) == set()
    house.check()
